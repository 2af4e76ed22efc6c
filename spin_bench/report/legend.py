"""The legend of a table: what each row is called, its colour and marker, and whether it is a bound."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle
from typing import Any

# For rows without a colour of their own: Paul Tol's muted scheme (https://personal.sron.nl/~pault/), as far as it keeps
# clear of Okabe and Ito's colours (https://jfly.uni-koeln.de/color/), which the built-in methods have. Both are told
# apart by colour-blind readers.
MORE_COLOURS = ("#332288", "#882255", "#117733", "#DDCC77", "#661100", "#88CCEE")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")  # a second sign beside the colour


@dataclass(frozen=True)
class Row:
    """A method, or its best images (`<method>@<which>`), as tables and figures show it."""

    title: str
    colour: str = ""  # "#rrggbb"; "": the next of `MORE_COLOURS`
    bound: bool = False  # a painter that bounds the metrics from below or above, and never competes


Rows = Mapping[str, Row]  # name -> row, in the table's order


def competing(rows: Rows) -> list[str]:
    """Name the rows that are no bounds."""
    return [name for name, row in rows.items() if not row.bound]


def method_colours(rows: Rows) -> dict[str, str]:
    """Give each name a colour: its own, its method's if it is a row of best images, or the next of the others."""
    others = cycle(MORE_COLOURS)
    colours: dict[str, str] = {}
    for name, row in rows.items():
        colours[name] = row.colour or colours.get(name.partition("@")[0]) or next(others)
    return colours


def method_marks(rows: Rows) -> dict[str, dict[str, Any]]:
    """Give each name its colour and a marker, in order, as keyword arguments of a plot."""
    pairs = zip(method_colours(rows).items(), cycle(MARKERS), strict=False)
    return {name: {"color": colour, "marker": marker} for (name, colour), marker in pairs}
