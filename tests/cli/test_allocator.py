"""The command starts itself again under allocator settings, once, and not where it is told otherwise."""

import os
import platform
import subprocess
import sys

import pytest

from spin_bench.cli.allocator import OFF, SETTINGS, missing_settings

# musl's and macOS's allocators know none of these variables.
glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the settings are glibc's")


def started(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    bare = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    command = [sys.executable, "-m", "spin_bench", *words]
    return subprocess.run(command, env={**bare, **environment}, capture_output=True, text=True, check=False)


@glibc
def test_restarts_once_and_says_so() -> None:
    first = started("--help")
    assert first.returncode == 0
    assert " ".join(first.stdout.split()).count("starting again with") == 1
    assert all(name in first.stdout for name in SETTINGS)


def test_keeps_the_process_where_told_or_where_all_is_set() -> None:
    assert "starting again" not in started("--help", OFF).stdout
    assert "starting again" not in started("--help", **SETTINGS).stdout


@glibc
def test_what_the_user_set_stays() -> None:
    assert missing_settings({"MALLOC_TOP_PAD_": "1"}, []) == {
        name: value for name, value in SETTINGS.items() if name != "MALLOC_TOP_PAD_"
    }
    assert missing_settings({}, ["limit=1", OFF]) == {}


def test_the_exit_code_and_the_words_survive_the_restart() -> None:
    wrong = started("experiment=tabel1", "limit=1")
    assert wrong.returncode == 2
    assert "did you mean" in wrong.stderr and "table1" in wrong.stderr
