"""The rivals and bounds, a file each; in a checkout they lie in the top-level folder `baselines/`."""

from pathlib import Path

__path__.append(str(Path(__file__).parents[3] / "baselines"))  # behind this folder, where the wheel puts them
