"""Numbers that a setting may take, as types: the configuration checks them before anything is painted."""

from typing import Annotated

from annotated_types import Ge, Gt, Interval, MultipleOf

TRAINED_STEPS = 1000  # of every stack's schedules, the pixel-space model's included

Canvas = Annotated[int, Ge(32), MultipleOf(8)]  # px: whole latent cells, and enough of them
Count = Annotated[int, Ge(1)]
WholeNumber = Annotated[int, Ge(0)]
Steps = Annotated[int, Interval(ge=1, le=TRAINED_STEPS)]  # respaced out of the trained ones
Share = Annotated[float, Interval(ge=0, le=1)]
SkippedShare = Annotated[float, Interval(ge=0, lt=1)]  # something has to be left
Size = Annotated[float, Ge(0)]
Rate = Annotated[float, Gt(0)]
