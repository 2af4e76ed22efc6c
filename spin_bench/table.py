"""Fold a run's scores into its results folder: tables, costs, grid, links to the pictures."""

from pathlib import Path

from PIL import Image

from spin_bench.case import Case
from spin_bench.collect import collect
from spin_bench.groups import best_image, row_titles
from spin_bench.naming import results_folder
from spin_bench.painting import failures
from spin_bench.pictures import link_pictures
from spin_bench.report.grid import GridRow, write_grid
from spin_bench.report.tables import terminal_tables, write_cost, write_tables
from spin_bench.run import Run, unpainted
from spin_bench.stats import summarise
from spin_bench.store import check_format

GRID_ROWS = 12

_MINI = "Made by the embedded mini stack (64 px, models trained on toy scenes): not a number of any paper."


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


def _shown(run: Run, method: str, case: Case) -> Image.Image | None:
    key = run.keys[method]
    stored = run.store.get(key, case, best_image(run, method, run.store.records(key, case, run.samples(method))))
    return stored[0] if stored else None


def _write_grid(run: Run, path: Path) -> None:
    """One image of every method for the first cases, evenly over the domains that were run."""
    by_domain = [[case for case in run.cases if case.domain == d] for d in sorted({c.domain for c in run.cases})]
    share = max(1, GRID_ROWS // len(by_domain))
    rows = []
    for case in [case for cases in by_domain for case in cases[:share]]:
        painted = [_shown(run, method, case) for method in run.keys]
        rows.append(GridRow(case.prompt, (case.background, case.mask, case.reference, *painted)))
    titles = [run.methods[name].title + (" top-1" if run.methods[name].ranked_by else "") for name in run.keys]
    write_grid(path, rows, ["background", "mask", "reference", *titles])


def fold(run: Run) -> Path:
    """Write every file of the results folder, print the table, return the folder."""
    folder = results_folder(run.settings)
    check_format(folder)
    scores, costs = collect(run)
    titles = row_titles(run)
    chosen = {**run.metrics, **run.case_metrics}
    records = {name: chosen[name].printed(run.stack) for name in run.settings.metrics}
    # A metric without any value (the truth of a benchmark that does not know it) would be a column of dashes.
    known = set(scores.dropna(subset="value").metric)
    records = {name: record for name, record in records.items() if name in known}
    scores = scores[scores.metric.isin(known)]
    title = f"{run.settings.experiment}: {run.settings.dataset.name} on {run.settings.stack.name}"
    write_tables(scores, methods=titles, records=records, folder=folder, title=title, notes=_notes(run))
    write_cost(costs, methods={name: titles[name] for name in run.keys}, folder=folder)
    link_pictures(run, folder / "images")
    _write_grid(run, folder / "grid.png")
    summary = summarise(scores, methods=list(titles), metrics=list(records))
    for table in terminal_tables(summary, titles, records, width=run.console.width):
        run.console.print(table)
    return folder
