"""The command, one file a sub-command: words in, exit code out."""
