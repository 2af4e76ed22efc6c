"""The benchmarks by name, and the first cases of one."""

import os
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spin_bench.core.case import DOMAINS, Case
from spin_bench.core.errors import UserError, unknown
from spin_bench.core.identity import added
from spin_bench.datasets.entry import Entry, Unusable
from spin_bench.datasets.tficon import read_case, scan

Watch = Callable[[Iterator[int], int, str], None]  # consumes an iterator of "done so far" and shows it


@dataclass(frozen=True)
class DatasetConfig:
    """`conf/dataset/<name>.yaml`."""

    name: str
    root: str = ""  # folder of the benchmark; the embedded one has its own place
    domains: Any = "real"  # a domain, a tuple of them, or "all"
    version: int = added(1)  # of the embedded benchmark; the second one's references are individuals

    @property
    def label(self) -> str:
        """Name the benchmark, with its version from the second on: what its results are called."""
        return self.name if self.version == 1 else f"{self.name}-{self.version}"


@dataclass(frozen=True, eq=False)
class Loaded:
    """The first cases of a benchmark, read at a canvas, in the benchmark's order."""

    cases: list[Case]
    unusable: list[Unusable]  # which counted towards the limit
    doubts: list[str]  # about usable ones, a line each


def _embedded(config: DatasetConfig, domains: Sequence[str], limit: int | None, watch: Watch) -> Path:
    from spin_bench.mini.benchmark import benchmark_folder, case_folder, listed, render
    from spin_bench.mini.looks import WORLDS

    if config.version not in WORLDS:
        raise UserError(f"dataset.version={config.version}: the embedded benchmark has versions 1 and 2")
    if config.root:
        return Path(config.root)
    root = benchmark_folder(config.version)
    wanted = [case for case in listed(config.version) if case[0] in domains][:limit]
    missing = [(domain, index) for domain, index, task in wanted if not case_folder(root, domain, index, task).exists()]
    if missing:
        workers = min(len(missing), os.cpu_count() or 1)
        done = render(root, missing, version=config.version, workers=workers)
        watch(done, len(missing), "rendering the embedded benchmark")
    return root


def _released(config: DatasetConfig, domains: Sequence[str], limit: int | None, watch: Watch) -> Path:
    if not config.root:
        raise UserError("dataset=tficon needs dataset.root=<folder of the unpacked benchmark>")
    return Path(config.root)


# The folder that holds at least the first cases of some domains.
DATASETS: dict[str, Callable[[DatasetConfig, Sequence[str], int | None, Watch], Path]] = {
    "mini": _embedded,
    "tficon": _released,
}


def dataset_root(
    config: DatasetConfig, watch: Watch, *, domains: Sequence[str] = DOMAINS, limit: int | None = None
) -> Path:
    """The benchmark's folder; what the embedded one lacks of the first `limit` cases of `domains` is rendered first."""
    if config.name not in DATASETS:
        raise unknown("dataset", config.name, list(DATASETS))
    return DATASETS[config.name](config, domains, limit, watch)


def chosen_domains(config: DatasetConfig) -> tuple[str, ...]:
    wanted = (config.domains,) if isinstance(config.domains, str) else tuple(config.domains)
    if wanted == ("all",):
        return DOMAINS
    for domain in wanted:
        if domain not in DOMAINS:
            raise unknown("domain", domain, [*DOMAINS, "all"])
    return wanted


def entries(config: DatasetConfig, watch: Watch, *, limit: int | None) -> tuple[list[Entry], list[Unusable]]:
    """The first `limit` cases of the chosen domains: those that their names leave usable, and the others.

    Both count towards `limit`, so that a broken entry is a missing case and not another one's turn. `UserError` where
    none is usable.
    """
    domains = chosen_domains(config)
    root = dataset_root(config, watch, domains=domains, limit=limit)
    cases = [case for case in scan(root).cases if case.domain in domains][:limit]
    usable = [case for case in cases if isinstance(case, Entry)]
    unusable = [case for case in cases if isinstance(case, Unusable)]
    if not usable:
        raise _none_usable(config, root, unusable)
    return usable, unusable


def load_cases(config: DatasetConfig, watch: Watch, *, limit: int | None, canvas: int) -> Loaded:
    """Read the first `limit` cases at `canvas` px; one that cannot be read is unusable, and the others go on."""
    usable, unusable = entries(config, watch, limit=limit)
    cases: list[Case] = []
    doubts: list[str] = []
    for entry in usable:
        try:
            case, lines = read_case(entry, canvas)
        except UserError as error:
            unusable.append(Unusable(entry.id, entry.domain, str(error)))
        else:
            cases.append(case)
            doubts += lines
    unusable.sort(key=lambda case: (DOMAINS.index(case.domain), case.id))
    if not cases:
        raise _none_usable(config, dataset_root(config, watch, limit=0), unusable)
    return Loaded(cases, unusable, doubts)


def validate_hint(config: DatasetConfig, stack: str = "") -> str:
    """The command that lists everything wrong with a benchmark, at the canvas of a stack, ready for a shell."""
    words = ["spin-bench", "validate", *([f"stack={stack}"] if stack else []), f"dataset={config.name}"]
    if config.version != 1:
        words.append(f"dataset.version={config.version}")
    if config.root:
        plain = re.fullmatch(r"[\w./~-]+", config.root, re.ASCII)
        quoted = config.root.replace("\\", "\\\\").replace("'", "\\'")  # as Hydra quotes
        words.append(f"dataset.root={config.root}" if plain else f"dataset.root='{quoted}'")
    return shlex.join(words)


def _none_usable(config: DatasetConfig, root: Path, unusable: list[Unusable]) -> UserError:
    domains = ", ".join(chosen_domains(config))
    first = f" ({unusable[0].id}: {unusable[0].reason})" if unusable else ""
    return UserError(f"{root}: no usable entry of domain {domains}{first}: list all with: {validate_hint(config)}")
