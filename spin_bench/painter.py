"""What a method is, to the harness."""

from collections.abc import Callable, Sequence

from PIL import Image

from spin_bench.case import Case

# Paint a case once a seed, canvas size RGB. Image k depends on the case, seed k and the settings alone.
# Numbers in an image's `info` are kept in its record; "shared_seconds" is the image's share of work done before.
Painter = Callable[[Case, Sequence[int]], list[Image.Image]]
