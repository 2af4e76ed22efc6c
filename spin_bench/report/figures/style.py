"""What all figures share: letters readable at half size, the same bytes for the same numbers."""

from io import BytesIO
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spin_bench.core.files import write_whole

INK, FAINT = "#1a1a1a", "#bbbbbb"
WIDTH = 7.0  # inches: twice the column of a paper, so that letters of 13 points end above 6
DPI = 150
MARGIN = 0.1  # inches around everything drawn

# Type 42 fonts, because publishers refuse matplotlib's default of Type 3
_HOUSE = {
    "font.family": "DejaVu Sans",
    "font.size": 13,
    "axes.titlesize": 13,
    "axes.labelsize": 13,
    "xtick.labelsize": 12,
    "ytick.labelsize": 12,
    "legend.fontsize": 12,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "pdf.fonttype": 42,
}
house_style = matplotlib.rc_context(_HOUSE)  # a decorator: in force while the function runs, put back after it


def printed(text: str) -> str:
    """Write numbers with a true minus sign, as matplotlib does on its axes."""
    return text.replace("-", "\N{MINUS SIGN}")


def one_panel(height: float) -> tuple[Figure, Axes]:
    """Make a figure of the house's width and `height` inches, with the axes that fill it."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots()


def legend_below(figure: Figure) -> None:
    """Name every method under the axes."""
    figure.legend(loc="outside lower center", ncols=3)


@house_style
def write_figure(figure: Figure, path: Path) -> Path:
    """Write `<path>.pdf` and `<path>.png`; return the latter.

    They hold no date and no version: the same figure gives the same bytes.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # it is laid out now, once for both files
    box = figure.get_tightbbox().padded(MARGIN)  # long names widen the page instead of being cut off
    for suffix, metadata in (
        ("pdf", {"CreationDate": None, "Creator": None, "Producer": None}),
        ("png", {"Software": None}),
    ):
        buffer = BytesIO()
        figure.savefig(buffer, format=suffix, dpi=DPI, metadata=metadata, bbox_inches=box)
        target = path.with_name(f"{path.name}.{suffix}")
        write_whole(target, buffer.getvalue())
    return target
