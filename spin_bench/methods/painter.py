"""What a method is, to the harness."""

from collections.abc import Callable, Sequence

from PIL import Image

from spin_bench.core.case import Case

# Paint a case once a seed, canvas size RGB. Image k depends on the case, seed k and the settings alone.
# Numbers in an image's `info` are kept in its record; `SHARED_SECONDS` is what was spent before, once for all images of
# the case: a table shares it out among those that it shows.
SHARED_SECONDS = "shared_seconds"
Painter = Callable[[Case, Sequence[int]], list[Image.Image]]
