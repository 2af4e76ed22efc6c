"""Records of metrics as a results folder keeps them."""

from spin_bench.core.metric_record import MetricRecord


def printed(
    name: str, title: str, higher: bool | None = True, unit: str = "", digits: int = 3, encoder: str = ""
) -> MetricRecord:
    return MetricRecord(name=name, title=title, higher_is_better=higher, unit=unit, digits=digits, encoder=encoder)
