"""Records of metrics and rows of methods as a results folder keeps them."""

from spin_bench.core.metric_record import MetricRecord
from spin_bench.report.legend import Row

COLOURS = {"spin": "#D55E00", "uni_paint": "#E69F00", "blended_diffusion": "#56B4E9", "oracle": "#555555"}


def printed(
    name: str, title: str, higher: bool | None = True, unit: str = "", digits: int = 3, encoder: str = ""
) -> MetricRecord:
    return MetricRecord(name=name, title=title, higher_is_better=higher, unit=unit, digits=digits, encoder=encoder)


def rows_of(**titles: str) -> dict[str, Row]:
    """Rows by name, the oracle a bound."""
    return {name: Row(title, COLOURS.get(name, ""), bound=name == "oracle") for name, title in titles.items()}
