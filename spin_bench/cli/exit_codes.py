"""What the command returns."""

DONE = 0
BAD_INPUT = 2
SOME_FAILED = 3
SIGNALLED = 128  # plus the signal's number: 130 for Ctrl-C

MEANINGS = {
    DONE: "done",
    BAD_INPUT: "something has to be mended first; nothing was written",
    SOME_FAILED: "some failed or are missing, the rest is done",
    SIGNALLED: "stopped by signal N, 130 for Ctrl-C; nothing is lost",
}
