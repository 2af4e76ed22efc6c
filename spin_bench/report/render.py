"""Everything a reader sees of a results folder, made from its files alone: the same files give the same bytes."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from rich.table import Table

from spin_bench.core.errors import UserError
from spin_bench.report.ballot import write_ballot
from spin_bench.report.figures.write import write_figures
from spin_bench.report.gallery import write_gallery
from spin_bench.report.grid import GridRow, write_grid
from spin_bench.report.inputs import INPUTS
from spin_bench.report.numbers import numbers_of
from spin_bench.report.results import AboutCase, Results, read_results
from spin_bench.report.subsets import numbers_of_subsets
from spin_bench.report.tables import terminal_tables, write_tables

GRID_ROWS = 12


def render(folder: Path, *, width: int) -> list[Table]:
    """Write tables, figures, grid and pages into a results folder; return its table for a terminal of `width`.

    `UserError` where the folder does not hold results and their pictures.
    """
    results = read_results(folder)
    _check_pictures(results)
    about = results.about
    numbers = numbers_of(
        results.scores, methods=about.methods, records=about.records, title=about.title, notes=about.notes
    )
    subsets = numbers_of_subsets(results)
    write_tables(numbers, subsets, folder)
    figures = write_figures(numbers, results.costs, folder / "figures")
    _remove_others(folder / "figures", figures)
    _write_grid(results)
    write_gallery(results, numbers, subsets, figures=figures, ballot=_ballot(results))
    return terminal_tables(numbers.summary, about.methods, about.records, width=width)


def _check_pictures(results: Results) -> None:
    """A folder may have come without them, as the committed ones do: its numbers are whole, its pages would not be."""
    inputs = [results.folder / "inputs" / case.id / f"{name}.png" for case in results.about.cases for name in INPUTS]
    painted = [
        results.folder / "images" / method / case / f"{k}.png"
        for (method, case), ks in results.about.painted.items()
        for k in ks
    ]
    gone = [path for path in (*inputs, *painted) if not path.is_file()]
    if gone:
        raise UserError(
            f"{results.folder} lacks {len(gone)} pictures, the first {gone[0].relative_to(results.folder)}: "
            "run its experiment again, what the store holds is not painted twice"
        )


def _remove_others(folder: Path, figures: Sequence[Path]) -> None:
    """Figures of an earlier run, which may have had other methods."""
    for path in folder.iterdir():
        if path.with_suffix(".png") not in figures:
            path.unlink(missing_ok=True)


def _ballot(results: Results) -> bool:
    """Write the ballot; False where there is nothing to vote on, which is no fault of a run."""
    try:
        write_ballot(results)
    except UserError:
        (results.folder / "vote.html").unlink(missing_ok=True)
        return False
    return True


def _write_grid(results: Results) -> None:
    """One image of every method for some cases, evenly over the domains that were run and through each of them."""
    cases, painters = results.about.cases, results.painters
    by_domain = [[case for case in cases if case.domain == d] for d in sorted({case.domain for case in cases})]
    share = max(1, GRID_ROWS // len(by_domain))
    rows = [
        GridRow(case.prompt, (*_inputs(results.folder, case), *(_shown(results, name, case) for name in painters)))
        for of_domain in by_domain
        for case in spread(of_domain, share)
    ]
    titles = [title + (" top-1" if name in results.about.ranked else "") for name, title in painters.items()]
    write_grid(results.folder / "grid.png", rows, [*INPUTS, *titles])


def spread(cases: Sequence[AboutCase], count: int) -> list[AboutCase]:
    """`count` of `cases` at even distances from the first on, all where there are fewer: neighbours look alike."""
    count = min(count, len(cases))
    return [cases[i * len(cases) // count] for i in range(count)]


def _inputs(folder: Path, case: AboutCase) -> list[Image.Image]:
    return [Image.open(folder / "inputs" / case.id / f"{name}.png") for name in INPUTS]


def _shown(results: Results, method: str, case: AboutCase) -> Image.Image | None:
    ks = results.about.painted[method, case.id]
    return Image.open(results.folder / "images" / method / case.id / f"{ks[0]}.png") if ks else None
