"""Pictures of one colour: what a painter leaves behind that failed without a word."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from spin_bench.report.legend import Rows

BLACK, PLAIN = "black", "of one colour"
SHRINKS = 20  # times that a picture of one colour shrinks as PNG at the very least; any other is not even decoded

Flags = Mapping[tuple[str, str, int], str]  # (method, case, image) -> BLACK or PLAIN


def flag_of(path: Path) -> str:
    """Say what is odd about a picture file: `BLACK`, `PLAIN` or "" ; `OSError` if it is no picture."""
    with Image.open(path) as picture:
        if path.stat().st_size * SHRINKS > picture.width * picture.height * len(picture.getbands()) + 4096:
            return ""
        colours = picture.convert("RGB").getcolors(maxcolors=1)  # None if there are more
    if colours is None:
        return ""
    return BLACK if colours[0][1] == (0, 0, 0) else PLAIN


def flagged(pictures: Mapping[tuple[str, str, int], Path]) -> Flags:
    """Find the pictures of one colour among files by (method, case, image)."""
    flags = {place: flag_of(path) for place, path in pictures.items()}
    return {place: flag for place, flag in flags.items() if flag}


def flag_notes(flags: Flags, methods: Rows) -> Sequence[str]:
    """Write one line for the notes under the table, or none."""
    counts = Counter(method for method, _, _ in flags)
    of_methods = ", ".join(f"{row.title} {counts[name]}" for name, row in methods.items() if name in counts)
    return [f"Flagged as black or of one colour: {len(flags)} pictures ({of_methods})."] if counts else []
