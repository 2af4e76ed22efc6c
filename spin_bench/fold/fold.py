"""Fold a run into its results folder: what it found, what it was, and from these files everything a reader sees."""

from collections.abc import Collection, Sequence
from pathlib import Path

from spin_bench.core.files import write_whole
from spin_bench.core.metric_record import MetricRecord
from spin_bench.fold.frames import collect
from spin_bench.fold.images import link_pictures
from spin_bench.fold.provenance import write_provenance
from spin_bench.fold.results_folder import results_folder
from spin_bench.fold.set_distances import write_set_table
from spin_bench.report.about import About, AboutCase, write_about
from spin_bench.report.inputs import write_inputs
from spin_bench.report.legend import Row, Rows
from spin_bench.report.render import render
from spin_bench.report.tables import write_cost, write_scores
from spin_bench.run.groups import image_order, row_titles
from spin_bench.run.painting import failures
from spin_bench.run.run import Run, unpainted
from spin_bench.store import check_format

_MINI = "Made by the embedded mini stack (64 px, models trained on toy scenes): not a number of any paper."


def fold(run: Run) -> Path:
    """Write every file of the results folder, print the table, return the folder."""
    folder = results_folder(run.settings)
    check_format(folder)
    write_whole(folder / "config.yaml", run.settings.composed.encode())
    write_provenance(run, folder / "provenance.json")
    scores, costs = collect(run)
    rows = _rows(run)
    write_scores(scores, folder)
    write_cost(costs, methods={name: rows[name] for name in run.keys}, folder=folder)
    write_inputs(folder / "inputs", run.cases)
    link_pictures(run, folder / "images")
    notes = _notes(run) + write_set_table(run, folder)
    write_about(folder, _about(run, rows, set(scores.dropna(subset="value").metric), notes))
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


def _about(run: Run, rows: Rows, valued: Collection[str], notes: Sequence[str]) -> About:
    """What the page says; `valued` are the metrics that have a value somewhere."""
    metrics = {**run.metrics, **run.case_metrics}
    settings = run.settings
    painted = {}
    for method, key in run.keys.items():
        for case in run.cases:
            stored = run.store.records(key, case, run.samples(method))
            painted[method, case.id] = tuple(image_order(run, method, stored))
    return About(
        title=f"{settings.experiment}: {settings.dataset.name} on {settings.stack.name}",
        notes=tuple(notes),
        methods=rows,
        records={name: metrics[name].printed(run.stack) for name in settings.metrics},
        ranked=tuple(name for name in run.keys if run.methods[name].ranked_by),
        cases=tuple(AboutCase(case.id, case.domain, case.prompt, case.novel) for case in run.cases),
        painted=painted,
        failures={(failure.method, failure.case): failure.reason for failure in failures(run)},
        reasons={name: _without(metrics[name]) for name in settings.metrics if name not in valued},
    )


def _without(record: MetricRecord) -> str:
    """Why a metric has no value at all."""
    return "no picture was scored" if record.missing == "never" else f"missing {record.missing}"


def _notes(run: Run) -> list[str]:
    settings = run.settings
    notes = [_MINI] if settings.stack.name == "mini" else []
    names = sorted({case.domain for case in run.cases})
    notes.append(
        f"{len(run.cases)} cases of {settings.dataset.name} ({', '.join(names)}), {settings.samples} images a case."
    )
    novel = sum(case.novel for case in run.cases)
    if novel:
        notes.append(f"{novel} of the cases show an object that none of the models was trained on.")
    notes.append("Intervals: 95 % BCa bootstrap over cases, after the mean over a case's images.")
    notes += [f"Deviation: {line}" for line in settings.deviations] or ["Deviations from the published defaults: none."]
    unfinished = unpainted(run)
    if unfinished:
        notes.append(f"Not finished: {unfinished} images are not painted yet.")
    notes += [f"Left out: {run.methods[name].title}: {why}." for name, why in run.left_out.items()]
    failed = failures(run)
    if failed:
        reasons = sorted({f"{run.methods[f.method].title}, {f.case}: {f.reason}" for f in failed})
        notes.append(f"Failed: {len(failed)} images. {'; '.join(reasons)}")
    return notes
