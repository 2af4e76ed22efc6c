"""What went wrong, in words for the person at the keyboard."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """Bad input: the message is one line that says what, where and how to mend it. The command exits with 2."""


class BadSetting(UserError, ValueError):
    """A method's setting that does not fit its others; the message begins with the setting, `name=value: ...`."""


class PaintingError(Exception):
    """A picture that cannot be painted: its case is recorded as failed, the others go on, the command exits with 3."""


class FirstFailure(Exception):
    """With `fail_fast`, the failure that ended the run; it is recorded as any other. The command exits with 3."""


def check_known(kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Raise `UserError` for the first of `names` that is not known, with the nearest one that is."""
    known = list(known)
    for name in names:
        if name not in known:
            raise unknown(kind, name, known)


def unknown(kind: str, name: str, known: list[str]) -> UserError:
    """The error for a name that is not in a registry, with the nearest one that is."""
    near = get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return UserError(f"unknown {kind} {name!r}: {hint}known are {', '.join(known)}")
