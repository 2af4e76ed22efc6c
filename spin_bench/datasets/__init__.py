"""The benchmarks by name, all read through TF-ICON's layout."""

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spin_bench.core.case import DOMAINS
from spin_bench.core.errors import UserError, unknown
from spin_bench.datasets.entry import Entry
from spin_bench.datasets.tficon import scan

log = logging.getLogger(__name__)

Watch = Callable[[Iterator[int], int, str], None]  # consumes an iterator of "done so far" and shows it


@dataclass(frozen=True)
class DatasetConfig:
    """`conf/dataset/<name>.yaml`."""

    name: str
    root: str = ""  # folder of the benchmark; the embedded one has its own place
    domains: Any = "real"  # a domain, a tuple of them, or "all"


def _embedded(config: DatasetConfig, watch: Watch) -> Path:
    from spin_bench.mini.benchmark import COUNTS, benchmark_folder, render

    root = Path(config.root) if config.root else benchmark_folder()
    if not root.exists():
        watch(render(root, workers=os.cpu_count() or 1), sum(COUNTS.values()), "rendering the embedded benchmark")
    return root


def _released(config: DatasetConfig, watch: Watch) -> Path:
    if not config.root:
        raise UserError("dataset=tficon needs dataset.root=<folder of the unpacked benchmark>")
    return Path(config.root)


DATASETS: dict[str, Callable[[DatasetConfig, Watch], Path]] = {"mini": _embedded, "tficon": _released}


def dataset_root(config: DatasetConfig, watch: Watch) -> Path:
    """The benchmark's folder, rendered first where it is the embedded one."""
    if config.name not in DATASETS:
        raise unknown("dataset", config.name, list(DATASETS))
    return DATASETS[config.name](config, watch)


def chosen_domains(config: DatasetConfig) -> tuple[str, ...]:
    wanted = (config.domains,) if isinstance(config.domains, str) else tuple(config.domains)
    if wanted == ("all",):
        return DOMAINS
    for domain in wanted:
        if domain not in DOMAINS:
            raise unknown("domain", domain, [*DOMAINS, "all"])
    return wanted


def entries(config: DatasetConfig, watch: Watch, *, limit: int | None) -> list[Entry]:
    """The first `limit` entries of the chosen domains, in the benchmark's order; `UserError` where there is none."""
    root, domains = dataset_root(config, watch), chosen_domains(config)
    found, problems = scan(root, decode=False)
    if problems:
        log.warning("%s: %d problems, list them with: spin-bench validate dataset.root=%s", root, len(problems), root)
    chosen = [entry for entry in found if entry.domain in domains][:limit]
    if not chosen:
        raise UserError(f"{root}: no usable entry of domain {', '.join(domains)}: see spin-bench validate")
    return chosen
