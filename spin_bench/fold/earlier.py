"""A run that asks for fewer methods or metrics than the table of its name has keeps the other rows and columns."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from spin_bench.config.settings import typed
from spin_bench.core.errors import UserError
from spin_bench.fold.notes import DEVIATION
from spin_bench.fold.results_folder import Earlier, results_folder
from spin_bench.methods.method import Method
from spin_bench.metrics.metric import CaseMetric, Metric
from spin_bench.run.prepare import Run, by_kind, identity
from spin_bench.store.store import SETTINGS


def with_earlier(
    run: Run, earlier: Earlier, methods: Mapping[str, Method], metrics: Mapping[str, Metric | CaseMetric]
) -> Run:
    """`run` with the rows and columns of `earlier` that it did not ask for, as far as the store holds them.

    Nothing is painted or scored for them. `UserError` where one cannot be kept, since the table would lose it.
    """
    run = _with_methods(run, earlier, methods)
    return _with_metrics(run, earlier, metrics)


def _with_methods(run: Run, earlier: Earlier, known: Mapping[str, Method]) -> Run:
    names = [name for name in earlier.keys if name not in run.keys and name not in run.left_out]
    if not names:
        return run
    recalled = {name: _recalled(run, name, earlier, known) for name in names}
    methods = run.methods | {name: method for name, (method, _) in recalled.items()}
    settings = run.settings.methods | {name: of_method for name, (_, of_method) in recalled.items()}
    keys = run.keys | {name: earlier.keys[name] for name in names}
    order = _in_order(keys, earlier.titles or earlier.keys)
    deviations = (*run.settings.deviations, *_deviations(earlier, [methods[name].title for name in names]))
    widened = replace(
        run,
        methods=methods,
        keys={name: keys[name] for name in order},
        settings=replace(run.settings, methods={name: settings[name] for name in order}, deviations=deviations),
        kept=frozenset(names),
    )
    held = {task.method for task in widened.tasks() if widened.records(task)}
    for name in names:
        if name not in held:
            _refuse(run, methods[name].title, "the store does not hold its pictures of these cases")
    return widened


def _deviations(earlier: Earlier, titles: Sequence[str]) -> Iterator[str]:
    """What the table says of the methods `titles`, where they differ from their published defaults."""
    for note in earlier.notes:
        if note.startswith(tuple(f"{DEVIATION}{title}: " for title in titles)):
            yield note.removeprefix(DEVIATION)


def _recalled(run: Run, name: str, earlier: Earlier, known: Mapping[str, Method]) -> tuple[Method, Any]:
    """A method of the earlier run with its settings, from what the store says of its key."""
    title = earlier.titles.get(name, name)
    try:
        told = json.loads((run.store.root / earlier.keys[name] / SETTINGS).read_text("utf-8"))
        base = told["method"]
        method = replace(known[base], title=title, variant_of=base if base != name else "")
        settings: Any = typed(method.settings, told["settings"], f"method {name}")
        same = run.store.name(identity(base, method, settings, run.stack, run.settings)) == earlier.keys[name]
    except (OSError, ValueError, KeyError, TypeError, UserError):
        _refuse(run, title, "what its pictures were made with is not known here")
    if not same:
        _refuse(run, title, "its version or its weights are others now")
    return method, settings


def _with_metrics(run: Run, earlier: Earlier, known: Mapping[str, Metric | CaseMetric]) -> Run:
    names = [name for name in earlier.metrics if name not in run.settings.metrics]
    for name in names:
        if name not in known:
            _refuse(run, name, "this metric is not known here")
    if not names:
        return run
    order = _in_order([*run.settings.metrics, *names], earlier.metrics)
    single, of_case = by_kind([known[name] for name in order])
    widened = replace(run, metrics=single, case_metrics=of_case, settings=replace(run.settings, metrics=tuple(order)))
    held = {key for task in widened.tasks() for key in run.store.scores(task.key, task.case)}
    for name, metric in single.items():
        if name in names and metric.key(run.stack) not in held:
            _refuse(run, metric.title, "the store does not hold its scores of these cases")
    return widened


def _in_order(names: Collection[str], earlier: Iterable[str]) -> list[str]:
    """`names` in the order of `earlier`, those that it does not name behind."""
    return [*(name for name in earlier if name in names), *(name for name in names if name not in earlier)]


def _refuse(run: Run, row: str, why: str) -> NoReturn:
    raise UserError(
        f"{results_folder(run.settings)} has {row}, which this run does not ask for and cannot keep ({why}): "
        "give this run a name with experiment_name=..., or replace that table with overwrite=true"
    )
