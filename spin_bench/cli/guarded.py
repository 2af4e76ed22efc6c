"""What the user can mend becomes one line on standard error and an exit code; whatever else is a bug of ours."""

import errno
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import click

from spin_bench.cli.exit_codes import BAD_INPUT, SIGNALLED, SOME_FAILED
from spin_bench.core.errors import FirstFailure, UserError
from spin_bench.core.stopping import Stopped

OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.EIO)
OF_THE_PATH = (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP)


def guarded(action: Callable[[], int]) -> int:
    """The exit code of `action`."""
    try:
        return action()
    except UserError as error:
        return refused(error)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "spin-bench"
        return _said(f"{error.format_message().rstrip('.')}: see {command} --help", BAD_INPUT)
    except OSError as error:
        if error.errno not in (*OF_THE_DISK, *OF_THE_PATH):
            raise
        return _said(f"{error.strerror}: {error.filename or '?'}: mend it and run again, nothing is lost", BAD_INPUT)
    except PackageNotFoundError as error:  # run from a source tree
        return _said(f"{error.name} is not installed: run make setup, or pip install -e .", BAD_INPUT)
    except FirstFailure as error:
        return _said(f"{error}: stopped, since fail_fast=true; the same command tries again", SOME_FAILED)
    except (KeyboardInterrupt, click.Abort) as error:
        signum = error.signum if isinstance(error, Stopped) else signal.SIGINT
        return _said("stopped; the same command goes on where this one ended", SIGNALLED + signum)


def refused(error: UserError) -> int:
    """Say what is wrong with the input."""
    return _said(str(error), BAD_INPUT)


def _said(message: str, code: int) -> int:
    print("spin-bench:", " ".join(message.split()), file=sys.stderr)
    return code


@contextmanager
def naming(folder: Path) -> Iterator[None]:
    """Within the block a failed write, which does not name its file, names `folder`."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(folder)
        raise
