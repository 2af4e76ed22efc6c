"""One run as plain data: RunSettings, and how the composed configuration becomes it, checked once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from spin_bench.config.deviations import deviations
from spin_bench.config.executor import ExecutorConfig, Shard
from spin_bench.config.paths import expanded, experiment_name
from spin_bench.config.typed import resolved, typed
from spin_bench.config.words import EVERY
from spin_bench.core.errors import UserError, check_known
from spin_bench.core.limits import Count
from spin_bench.datasets.benchmarks import DatasetConfig, chosen_domains
from spin_bench.methods.method import Method
from spin_bench.methods.variants import Variant, changed, chosen_variants, in_order, with_variants
from spin_bench.metrics.registry import metric_names
from spin_bench.metrics.sets import known_distances
from spin_bench.models.config import StackConfig


@dataclass(frozen=True)
class RunSettings:
    """One run, as plain data."""

    experiment: str
    stack: StackConfig
    dataset: DatasetConfig
    methods: dict[str, Any]  # name -> the method's settings, variants included
    metrics: tuple[str, ...]
    samples: int  # images a case
    samples_for: dict[str, int]  # of the methods that take another number
    limit: int | None  # cases
    base_seed: int
    batch_size: int
    fail_fast: bool  # the first failure ends the run
    overwrite: bool  # results of the same name may have had other settings
    executor: ExecutorConfig
    shard: Shard
    results_dir: Path
    store_dir: Path
    variants: dict[str, Variant]  # those of `methods` that are variants of another
    deviations: tuple[str, ...]  # from the published defaults, one line each
    composed: str  # the whole configuration, interpolated, as YAML
    best_by: str = ""  # metric that chooses among a case's images for the rows @best<samples>; "": no such rows
    set_level: tuple[str, ...] = ()  # distances of whole sets of pictures


@dataclass(frozen=True)
class _Composed:
    """`conf/config.yaml` as its types; the settings of methods are typed by the methods themselves."""

    experiment_name: str
    methods: tuple[str, ...]
    metrics: tuple[str, ...]
    samples: Count
    samples_for: dict[str, Count]
    limit: Count | None
    base_seed: int
    batch_size: Count
    steps: object
    guidance_scale: object
    fail_fast: bool
    overwrite: bool
    shard: Shard
    variants: dict[str, dict[str, dict[str, object] | None] | None]
    weights: str
    dry_run: bool
    best_by: str | None
    set_level: tuple[str, ...]
    results_dir: str
    store_dir: str | None
    stack: StackConfig
    dataset: DatasetConfig
    executor: ExecutorConfig
    settings: dict[str, object]
    method: dict[str, object] | None = None


def stack_config(config: DictConfig) -> StackConfig:
    """The stack alone, for a command that asks for no method."""
    return _placed(typed(StackConfig, resolved(config.stack), "stack"), str(config.weights))


def dataset_config(config: DictConfig) -> DatasetConfig:
    return _rooted(typed(DatasetConfig, resolved(config.dataset), "dataset"))


def run_settings(config: DictConfig, known: Mapping[str, Method], metrics: Collection[str]) -> RunSettings:
    """Check everything that can be checked before any model is loaded; `UserError` for the first fault."""
    values = resolved(config)
    words = typed(_Composed, values)
    names = [str(words.method["name"])] if words.method else list(words.methods)
    check_known("method", names, known)
    wanted = metric_names(words.metrics, metrics)
    if not names:
        raise UserError("methods=[]: name one method or more")
    variants = chosen_variants(words.variants, names, known)
    settings, known = _all_settings(names, variants, known, values), with_variants(known, variants)
    check_known("method in samples_for", words.samples_for, known)
    results_dir = expanded("results_dir", words.results_dir)
    return RunSettings(
        experiment=experiment_name(words.experiment_name),
        stack=_placed(words.stack, words.weights),
        dataset=_rooted(words.dataset),
        methods=settings,
        metrics=tuple(wanted),
        samples=words.samples,
        samples_for=dict(words.samples_for),
        limit=words.limit,
        base_seed=words.base_seed,
        batch_size=words.batch_size,
        fail_fast=words.fail_fast,
        overwrite=words.overwrite,
        executor=words.executor,
        shard=words.shard,
        results_dir=results_dir,
        store_dir=results_dir / "store" if words.store_dir is None else expanded("store_dir", words.store_dir),
        variants=variants,
        deviations=tuple(deviations(settings, known, words.stack)),
        composed=OmegaConf.to_yaml(config, resolve=True),
        best_by=_best_by(words.best_by, wanted),
        set_level=tuple(known_distances(words.set_level)),
    )


def _all_settings(
    names: Sequence[str],
    variants: Mapping[str, Variant],
    known: Mapping[str, Method],
    values: Mapping[str, Any],
) -> dict[str, Any]:
    """The settings of the methods `names` and of their variants, each method followed by its own."""
    settings: dict[str, Any] = {}
    for name in in_order(names, variants):
        method = variants[name].method if name in variants else name
        own = values["method"] if values.get("method") else values["settings"].get(method, {})
        if isinstance(own, Mapping):
            own = {key: value for key, value in own.items() if key != "name" or not values.get("method")}
        where = "method" if values.get("method") else f"settings.{method}"
        if name in variants:
            where, own = f"variants.{method}.{name}", changed(own, variants[name].changes)
        settings[name] = _typed_method(known[method].settings, own, where, values)
    return settings


def _typed_method(schema: type, own: object, where: str, values: Mapping[str, Any]) -> Any:
    """What is wrong with a setting that was given for every method is said of that word."""
    for name in EVERY:
        if values[name] is not None and isinstance(own, Mapping) and repr(own.get(name)) == repr(values[name]):
            typed(schema, {name: own[name]})
    return typed(schema, own, where)


def _placed(stack: StackConfig, weights: str) -> StackConfig:
    folders = {name: getattr(stack, name) for name in ("root", "lock")}
    there: dict[str, Any] = {name: str(expanded(f"stack.{name}", folder)) for name, folder in folders.items() if folder}
    return replace(stack, weights=weights, **there)


def _rooted(dataset: DatasetConfig) -> DatasetConfig:
    root = str(expanded("dataset.root", dataset.root)) if dataset.root else ""
    domains = dataset.domains
    if not isinstance(domains, str) and not (
        isinstance(domains, (list, tuple)) and domains and all(isinstance(domain, str) for domain in domains)
    ):
        raise UserError(f"dataset.domains={domains}: must be a domain, a list of them, or all")
    dataset = replace(dataset, root=root, domains=domains if isinstance(domains, str) else tuple(domains))
    chosen_domains(dataset)  # `UserError` for one that there is not
    return dataset


def _best_by(name: str | None, metrics: Sequence[str]) -> str:
    """A metric of the run; a choice by what the table does not show could not be checked."""
    check_known("metric in best_by", [name] if name else [], metrics)
    return name or ""
