"""about.json of a results folder: what its other files do not say, written by the fold and checked when it is read."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from dacite import Config, from_dict

from spin_bench.core.files import write_whole
from spin_bench.core.metric_record import MetricRecord
from spin_bench.report.legend import Row, Rows

ABOUT = "about.json"
PRINTED = ("name", "title", "higher_is_better", "unit", "digits", "encoder")  # what is kept of a metric's record
LATER = ("failures", "reasons", "colours", "bounds")  # fields that older folders do not have; left out if empty
# Rows whose colour and bound the first folders of this format did not write; it is closed, and names no other row.
FIRST = {
    "spin": Row("", "#D55E00"),
    "blended_diffusion": Row("", "#56B4E9"),
    "blended_latent_diffusion": Row("", "#0072B2"),
    "sd_inpaint": Row("", "#009E73"),
    "powerpaint": Row("", "#CC79A7"),
    "uni_paint": Row("", "#E69F00"),
    "copy_paste": Row("", "#999999", bound=True),
    "oracle": Row("", "#555555", bound=True),
}
MOST_DIGITS = 12
MOST_IMAGES = 10**6  # of a case
LONGEST_NAME = 200  # bytes of a folder's

T = TypeVar("T")
OfCase = Mapping[tuple[str, str], T]  # (method, case) -> something


@dataclass(frozen=True)
class AboutCase:
    """What a page says of a case."""

    id: str
    domain: str
    prompt: str
    novel: bool = False  # none of the models was trained on its object


@dataclass(frozen=True)
class About:
    """What a results folder is, apart from its numbers and pictures."""

    title: str
    notes: list[str]
    methods: Rows  # of the table
    records: Mapping[str, MetricRecord]  # its columns
    ranked: list[str]  # methods that choose among their own images
    cases: list[AboutCase]
    painted: OfCase[tuple[int, ...]]  # image numbers, the favourite first
    failures: OfCase[str] = field(default_factory=dict)  # why a case lacks images of a method
    reasons: Mapping[str, str] = field(default_factory=dict)  # metric -> why it has no value at all


def write_about(folder: Path, about: About) -> None:
    """Write about.json into a results folder."""
    content = {
        "title": about.title,
        "notes": about.notes,
        "methods": {name: row.title for name, row in about.methods.items()},
        "records": {name: {fact: getattr(r, fact) for fact in PRINTED} for name, r in about.records.items()},
        "ranked": about.ranked,
        "cases": [asdict(case) for case in about.cases],
        "painted": _nested(about.painted),
        "failures": _nested(about.failures),
        "reasons": dict(about.reasons),
        "colours": {name: row.colour for name, row in about.methods.items() if row.colour != _first(name).colour},
        "bounds": [name for name, row in about.methods.items() if row.bound and not _first(name).bound],
    }
    kept = {name: value for name, value in content.items() if value or name not in LATER}
    write_whole(folder / ABOUT, (json.dumps(kept, indent=1, ensure_ascii=False) + "\n").encode())


def read_about(folder: Path) -> About:
    """Read about.json; one that is unreadable, incomplete or contradicts itself is a `ValueError` or `DaciteError`."""
    values = json.loads((folder / ABOUT).read_text("utf-8"))
    json.dumps(values, ensure_ascii=False).encode()  # what cannot be written again is refused now
    colours, bounds = dict(values.pop("colours", {})), list(values.pop("bounds", []))
    _known("method", [*colours, *bounds, *values["painted"]], values["methods"])
    values["methods"] = {
        name: {
            "title": title,
            "colour": colours.get(name, _first(name).colour),
            "bound": _first(name).bound or name in bounds,
        }
        for name, title in values["methods"].items()
    }
    values["painted"] = {place: tuple(ks) for place, ks in _flat(values["painted"]).items()}
    values["failures"] = _flat(values.get("failures", {}))
    about = from_dict(About, values, Config(strict=True))
    _check(about)
    return about


def _first(name: str) -> Row:
    """What the first folders said of a row by its name alone."""
    return FIRST.get(name.partition("@")[0], Row(""))


def _check(about: About) -> None:
    """Raise `ValueError` for a name that nothing else knows, or a value that no page could show."""
    cases = [case.id for case in about.cases]
    if len(set(cases)) < len(cases):
        raise ValueError("a case is given twice")
    places = [*about.painted, *about.failures]
    _known("method", [*about.ranked, *(method for method, _ in places)], about.methods)
    _known("case", [case for _, case in places], cases)
    _known("metric", about.reasons, about.records)
    for name in (*about.methods, *cases):
        if name in ("", ".", "..") or any(sign in name for sign in "/\\\0") or len(name.encode()) > LONGEST_NAME:
            raise ValueError(f"{name!r} is no name of a folder")
    for row in about.methods.values():
        if not re.fullmatch("(#[0-9a-fA-F]{6})?", row.colour):
            raise ValueError(f"{row.colour!r} is no colour")
    for name, record in about.records.items():
        if record.name != name or isinstance(record.digits, bool) or not 0 <= record.digits <= MOST_DIGITS:
            raise ValueError(f"the record of metric {name!r} names another one, or has {record.digits} digits")
    for ks in about.painted.values():
        if any(isinstance(k, bool) or not 0 <= k < MOST_IMAGES for k in ks) or len(set(ks)) < len(ks):
            raise ValueError(f"{ks} are no image numbers")


def _known(kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in sorted(set(names) - set(known)):
        raise ValueError(f"unknown {kind} {name!r}")


def _nested(cells: OfCase[T]) -> dict[str, dict[str, T]]:
    """(method, case) -> something, as method -> case -> something."""
    rows: dict[str, dict[str, T]] = {}
    for (method, case), value in cells.items():
        rows.setdefault(method, {})[case] = value
    return rows


def _flat(rows: Mapping[str, Mapping[str, Any]]) -> dict[tuple[str, str], Any]:
    return {(method, case): value for method, row in rows.items() for case, value in row.items()}
