"""A results folder read back from its own files, without the run, its store or its models.

about.json       what the other files do not say: titles, notes, metrics' records, which picture comes first
scores.parquet   a row a score            cost.csv          a row a method
inputs/<case>/   background, mask and reference as PNG
images/<method>/<case>/<k>.png            what was painted
provenance.json  where it comes from
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from dacite import DaciteError

from spin_bench.core.errors import UserError
from spin_bench.report.about import ABOUT, About, read_about
from spin_bench.report.legend import Row
from spin_bench.report.made import made_line
from spin_bench.report.tables import COST, SCORES
from spin_bench.store.format import RESULTS, read_format

T = TypeVar("T")

TYPES = {"method": str, "case": str, "domain": str, "k": int, "seed": int, "metric": str, "value": float}
COST_TYPES = {"method": str, "images": int, "seconds_per_image": float, "peak_memory_mb": float}
LONGEST = 200  # characters of a reason
# What is raised by JSON, parquet and CSV of a wrong form (their own errors are ValueErrors), and by what reads on.
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, DaciteError)


@dataclass(frozen=True, eq=False)
class Results:
    """A results folder."""

    folder: Path
    about: About
    scores: pd.DataFrame  # columns of `spin_bench.report.tables.SCORES`
    costs: pd.DataFrame  # columns of `spin_bench.report.tables.COST`
    provenance: Mapping[str, Any]  # what `spin_bench.fold.provenance` wrote

    @property
    def painters(self) -> dict[str, Row]:
        """The methods that have pictures of their own: every row but a method's best images."""
        drawn = dict.fromkeys(method for method, _ in self.about.painted)
        return {name: self.about.methods[name] for name in drawn}

    def input_path(self, case: str, name: str) -> Path:
        return self.folder / "inputs" / case / f"{name}.png"

    def image_path(self, method: str, case: str, k: int) -> Path:
        return self.folder / "images" / method / case / f"{k}.png"


def read_results(folder: Path) -> Results:
    """Read and check a results folder; `UserError` if it is none, or one of its files is missing or spoilt."""
    if not (folder / ABOUT).is_file():
        raise UserError(f"{folder} is no results folder, it has no {ABOUT}: name the one that a run printed at its end")
    version = read_format(folder)
    if version != RESULTS.format:
        raise UserError(f"{folder}: its format.json says {version}, not {RESULTS.format}: run its experiment again")
    return Results(
        folder=folder,
        about=_read(folder, ABOUT, lambda path: read_about(path.parent)),
        scores=_read(folder, "scores.parquet", _scores),
        costs=_read(folder, "cost.csv", _costs),
        provenance=_read(folder, "provenance.json", _provenance),
    )


def _read(folder: Path, name: str, read: Callable[[Path], T]) -> T:
    """What `read` makes of a file; `UserError` that names the file if that is not possible."""
    try:
        return read(folder / name)
    except UNREADABLE as error:
        reason = " ".join(str(error).split())[:LONGEST]
        raise UserError(
            f"{folder / name} cannot be read ({type(error).__name__}: {reason}): run its experiment again"
        ) from error


def _scores(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path)[SCORES].astype(TYPES)


def _costs(path: Path) -> pd.DataFrame:
    """Costs of methods; `ValueError` for a method that is given twice or a cost below 0."""
    costs = pd.read_csv(path)[COST].astype(COST_TYPES)
    numbers = costs[COST[1:]].to_numpy(float)
    if costs["method"].duplicated().any() or np.isinf(numbers).any() or (numbers < 0).any():
        raise ValueError("a method is given twice, or a cost is negative or infinite")
    return costs


def _provenance(path: Path) -> Mapping[str, Any]:
    """Provenance whose parts that a page or another command reads are there."""
    provenance: dict[str, Any] = json.loads(path.read_text("utf-8"))
    made_line(provenance).encode()
    for name in ("methods", "samples", "metrics"):
        dict(provenance.get(name, {}).items())
    for method in provenance["methods"].values():
        dict(method["settings"].items())
    return provenance
