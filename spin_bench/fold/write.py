"""Fold a run into its results folder: its scores, what it was, and from these files everything a reader sees."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from spin_bench.core.files import write_whole
from spin_bench.core.metric_record import MetricRecord
from spin_bench.fold.frames import collect
from spin_bench.fold.images import link_pictures
from spin_bench.fold.notes import notes
from spin_bench.fold.provenance import PROVENANCE, write_provenance
from spin_bench.fold.results_folder import results_folder
from spin_bench.fold.set_distances import write_set_table
from spin_bench.report.about import About, AboutCase, write_about
from spin_bench.report.inputs import write_inputs
from spin_bench.report.legend import Row, Rows
from spin_bench.report.render import render
from spin_bench.report.tables import write_cost, write_scores
from spin_bench.run.painting import failures
from spin_bench.run.prepare import Run
from spin_bench.run.selection import image_order, row_titles
from spin_bench.store.format import RESULTS, claim


def fold(run: Run) -> Path:
    """Write every file of the results folder, print the table, return the folder."""
    folder = results_folder(run.settings)
    claim(folder, RESULTS)
    write_whole(folder / "config.yaml", run.settings.composed.encode())
    write_provenance(run, folder / PROVENANCE)
    scores, costs = collect(run)
    rows = _rows(run)
    write_scores(scores, folder)
    write_cost(costs, methods=run.keys, folder=folder)
    write_inputs(folder / "inputs", run.cases)
    link_pictures(run, folder / "images")
    write_about(folder, _about(run, rows, scores, notes(run) + write_set_table(run, folder)))
    for table in render(folder, width=run.console.width):
        run.console.print(table)
    return folder


def _rows(run: Run) -> Rows:
    """The rows of the table; a variant has a colour of its own, its method's would hide it."""
    rows = {}
    for name, title in row_titles(run).items():
        method = run.methods[name.partition("@")[0]]
        rows[name] = Row(title, "" if method.variant_of else method.colour, method.bound)
    return rows


def _about(run: Run, rows: Rows, scores: pd.DataFrame, sentences: Sequence[str]) -> About:
    """What the page says beside numbers and pictures."""
    settings, metrics = run.settings, {**run.metrics, **run.case_metrics}
    valued = set(scores.dropna(subset="value").metric)
    records = {(task.method, task.case.id): run.records(task) for task in run.tasks()}
    return About(
        title=f"{settings.experiment}: {settings.dataset.label} on {settings.stack.name}",
        notes=list(sentences),
        methods=rows,
        records={name: metrics[name].printed(run.stack) for name in settings.metrics},
        ranked=[name for name in run.keys if run.methods[name].ranked_by],
        cases=[AboutCase(case.id, case.domain, case.prompt, case.novel) for case in run.cases],
        painted={place: tuple(image_order(run, place[0], painted)) for place, painted in records.items()},
        failures={(failure.method, failure.case): failure.reason for failure in failures(run)},
        reasons={name: _without(metrics[name]) for name in settings.metrics if name not in valued},
    )


def _without(record: MetricRecord) -> str:
    """Why a metric has no value at all."""
    return "no picture was scored" if record.missing == "never" else f"missing {record.missing}"
