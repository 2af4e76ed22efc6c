"""From the composed configuration to frozen dataclasses: whatever is wrong in it is said here, once, in one line."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import dacite
from omegaconf import DictConfig, OmegaConf

from spin_bench.config.executor import ExecutorConfig, Shard
from spin_bench.config.precedence import SHARED
from spin_bench.core.errors import UserError, unknown
from spin_bench.datasets.benchmarks import DatasetConfig
from spin_bench.methods.method import Method
from spin_bench.methods.variants import Variant, changed, chosen_variants, in_order, with_variants
from spin_bench.metrics.registry import chosen as chosen_metrics
from spin_bench.metrics.sets import known_distances
from spin_bench.models.config import StackConfig

T = TypeVar("T")

TRAINED_STEPS = 1000  # of every stack's schedules, the pixel-space model's included


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


def typed(schema: type[T], values: Mapping[str, Any], where: str) -> T:
    """`values` as the dataclass `schema`; a wrong name or type is a `UserError` that says where."""
    try:
        return dacite.from_dict(schema, values, dacite.Config(type_hooks={float: _number}, cast=[tuple], strict=True))
    except dacite.UnexpectedDataError as error:
        name = sorted(error.keys)[0]
        raise unknown(f"setting of {where}", name, [field.name for field in fields(schema)]) from error  # type: ignore[arg-type]
    except dacite.DaciteError as error:
        raise UserError(f"{where}: {error}") from error


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _plain(config: Any) -> dict[str, Any]:
    return dict(OmegaConf.to_container(config, resolve=True))  # type: ignore[arg-type]


def _changed(default: Any, chosen: Any, prefix: str = "") -> list[str]:
    """The leaves where two instances of one dataclass differ, as "name=value (published value)"."""
    lines: list[str] = []
    for field in fields(default):
        before, after = getattr(default, field.name), getattr(chosen, field.name)
        if hasattr(before, "__dataclass_fields__"):
            lines += _changed(before, after, f"{prefix}{field.name}.")
        elif before != after:
            lines.append(f"{prefix}{field.name}={after} (default {before})")
    return lines


def _overridden(values: dict[str, Any], defaults: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """`values`, with the stack's `overrides` wherever they still are the published `defaults`."""
    result = dict(values)
    for name, override in overrides.items():
        if isinstance(override, Mapping):
            result[name] = _overridden(values.get(name, {}), defaults[name], override)
        elif values.get(name, defaults[name]) == defaults[name]:
            result[name] = override
    return result


def _method_values(name: str, method: Method, config: DictConfig, stack: StackConfig) -> dict[str, Any]:
    """Published defaults, under the stack's overrides, under what the user set."""
    own = config.method if config.get("method") else config.settings.get(name)
    values = _plain(own) if own else {}
    values.pop("name", None)
    names = {field.name for field in fields(method.settings)}
    values |= {key: config[key] for key in SHARED if config.get(key) is not None and key in names}
    return _overridden(values, asdict(method.settings()), stack.overrides.get(name, {}))


def _all_settings(
    names: Sequence[str],
    variants: Mapping[str, Variant],
    known: Mapping[str, Method],
    config: DictConfig,
    stack: StackConfig,
) -> dict[str, Any]:
    """The settings of the methods `names` and of their variants, each method followed by its own."""
    chosen: dict[str, Any] = {}
    for name in in_order(names, variants):
        method = variants[name].method if name in variants else name
        values = _method_values(method, known[method], config, stack)
        if name in variants:
            where, values = f"variants.{method}.{name}", changed(values, variants[name].changes)
        else:
            where = f"method {name}"
        chosen[name] = typed(known[method].settings, values, where)
    return chosen


def _check_steps(chosen: Mapping[str, Any]) -> None:
    for name, settings in chosen.items():
        steps = getattr(settings, "steps", 1)
        if not 1 <= steps <= TRAINED_STEPS:
            raise UserError(
                f"{name}: steps={steps}: the models know {TRAINED_STEPS} timesteps: set steps from 1 to {TRAINED_STEPS}"
            )


def stack_config(config: DictConfig) -> StackConfig:
    return typed(StackConfig, {**_plain(config.stack), "weights": config.weights}, "stack")


def dataset_config(config: DictConfig) -> DatasetConfig:
    values = _plain(config.dataset)
    domains = values.get("domains", "real")
    return typed(
        DatasetConfig, {**values, "domains": domains if isinstance(domains, str) else tuple(domains)}, "dataset"
    )


def store_folder(config: DictConfig) -> Path:
    return Path(config.store_dir) if config.store_dir else Path(config.results_dir) / "store"


def run_settings(config: DictConfig, known: Mapping[str, Method], metrics: Mapping[str, Any]) -> RunSettings:
    """Check everything that can be checked before any model is loaded."""
    stack = stack_config(config)
    names = [config.method.name] if config.get("method") else list(config.methods)
    for name in names:
        if name not in known:
            raise unknown("method", name, list(known))
    wanted = chosen_metrics(list(config.metrics), metrics)
    variants = chosen_variants(_plain(config.variants), names, known)
    chosen, known = _all_settings(names, variants, known, config, stack), with_variants(known, variants)
    _check_steps(chosen)
    deviations = []
    for name, settings in chosen.items():
        for line in _changed(known[name].settings(), settings):
            method = known[name].variant_of or name
            reason = stack.reasons.get(f"{method}.{line.split('=')[0]}", "set for this run")
            deviations.append(f"{known[name].title}: {line}: {reason}")
    samples_for = _plain(config.samples_for)
    for name in samples_for:
        if name not in known:
            raise unknown("method in samples_for", name, list(known))
    counts = {"samples": config.samples, "batch_size": config.batch_size}
    counts |= {f"samples_for.{name}": count for name, count in samples_for.items()}
    for key, count in counts.items():
        if not isinstance(count, int) or count < 1:
            raise UserError(f"{key}={count}: must be a whole number of at least 1")
    if config.limit is not None and (not isinstance(config.limit, int) or config.limit < 1):
        raise UserError(f"limit={config.limit}: must be a whole number of at least 1, or null for all cases")
    return RunSettings(
        experiment=config.experiment_name,
        stack=stack,
        dataset=dataset_config(config),
        methods=chosen,
        metrics=tuple(wanted),
        samples=config.samples,
        samples_for=samples_for,
        limit=config.limit,
        base_seed=config.base_seed,
        batch_size=config.batch_size,
        fail_fast=config.fail_fast,
        overwrite=config.overwrite,
        executor=typed(ExecutorConfig, _plain(config.executor), "executor"),
        shard=typed(Shard, _plain(config.shard), "shard"),
        results_dir=Path(config.results_dir),
        store_dir=store_folder(config),
        variants=variants,
        deviations=tuple(deviations),
        composed=OmegaConf.to_yaml(config, resolve=True),
        best_by=_best_by(config, wanted),
        set_level=tuple(known_distances(list(config.get("set_level") or []))),
    )


def _best_by(config: DictConfig, metrics: list[str]) -> str:
    """A metric of the run; a choice by what the table does not show could not be checked."""
    name = config.get("best_by") or ""
    if name and name not in metrics:
        raise unknown("metric in best_by", name, metrics)
    return name
