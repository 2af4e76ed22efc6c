"""Names that came from a file system, which may hold any bytes."""

import unicodedata

_UNFIT = ("Cc", "Cs")  # control characters, and the surrogates that stand for bytes that are not UTF-8


def fit_for_text(name: str) -> bool:
    """Whether `name` is UTF-8 on one line, so that tables, pages and terminals can hold it."""
    return not any(unicodedata.category(letter) in _UNFIT for letter in name)


def printable(name: str) -> str:
    r"""`name` on one line, whatever it is: bytes that are not UTF-8 as `\xe9`, a line break as `\n`."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(letter if fit_for_text(letter) else repr(letter)[1:-1] for letter in text)
