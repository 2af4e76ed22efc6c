"""A results folder read back from its own files, without the run, its store or its models.

about.json       what the other files do not say: titles, notes, metrics' facts, which picture comes first
scores.parquet   a row a score            cost.csv          a row a method
inputs/<case>/   background, mask and reference as PNG
images/<method>/<case>/<k>.png            what was painted
provenance.json  where it comes from
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from spin_bench.core.errors import UserError
from spin_bench.core.files import write_whole
from spin_bench.report.facts import Facts
from spin_bench.report.tables import COST, SCORES

ABOUT = "about.json"


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
    notes: tuple[str, ...]
    methods: Mapping[str, str]  # rows of the table: name -> display name
    records: Mapping[str, Facts]  # its columns
    ranked: tuple[str, ...]  # methods that choose among their own images
    cases: tuple[AboutCase, ...]
    painted: Mapping[tuple[str, str], tuple[int, ...]]  # (method, case) -> image numbers, the favourite first


@dataclass(frozen=True, eq=False)
class Results:
    """A results folder."""

    folder: Path
    about: About
    scores: pd.DataFrame  # columns of `spin_bench.report.tables.SCORES`
    costs: pd.DataFrame  # columns of `spin_bench.report.tables.COST`
    provenance: Mapping[str, Any]  # what `spin_bench.fold.provenance` wrote

    @property
    def painters(self) -> dict[str, str]:
        """The methods that have pictures of their own: every row but a method's best images."""
        drawn = dict.fromkeys(method for method, _ in self.about.painted)
        return {name: self.about.methods[name] for name in drawn}


def write_about(folder: Path, about: About) -> None:
    painted: dict[str, dict[str, tuple[int, ...]]] = {}
    for (method, case), ks in about.painted.items():
        painted.setdefault(method, {})[case] = ks
    content = {**asdict(about), "painted": painted}
    write_whole(folder / ABOUT, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def read_results(folder: Path) -> Results:
    """`UserError` where `folder` does not hold results, or one of the files is missing or unreadable."""
    if not (folder / ABOUT).is_file():
        raise UserError(f"{folder} is no results folder, it has no {ABOUT}: name the one that a run printed at its end")
    try:
        return Results(
            folder=folder,
            about=_about(json.loads((folder / ABOUT).read_text("utf-8"))),
            scores=pd.read_parquet(folder / "scores.parquet")[SCORES],
            costs=pd.read_csv(folder / "cost.csv")[COST],
            provenance=json.loads((folder / "provenance.json").read_text("utf-8")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:  # of parquet and CSV too: ValueErrors
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{folder} cannot be read ({type(error).__name__}: {reason}): run its experiment again"
        ) from error


def _about(content: Mapping[str, Any]) -> About:
    return About(
        title=content["title"],
        notes=tuple(content["notes"]),
        methods=content["methods"],
        records={name: Facts(**facts) for name, facts in content["records"].items()},
        ranked=tuple(content["ranked"]),
        cases=tuple(AboutCase(**case) for case in content["cases"]),
        painted={(m, case): tuple(ks) for m, of_case in content["painted"].items() for case, ks in of_case.items()},
    )
