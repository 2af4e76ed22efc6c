"""Everything a reader sees of a results folder, made from its files alone: the same files give the same bytes."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from rich.table import Table

from spin_bench.core.errors import UserError
from spin_bench.report.about import AboutCase
from spin_bench.report.ballot import write_ballot
from spin_bench.report.figures.write import write_figures
from spin_bench.report.flags import Flags, flag_notes, flagged
from spin_bench.report.gallery import write_gallery
from spin_bench.report.grid import GridRow, write_grid
from spin_bench.report.inputs import INPUTS
from spin_bench.report.numbers import numbers_of
from spin_bench.report.results import Results, read_results
from spin_bench.report.subsets import numbers_of_subsets
from spin_bench.report.tables import terminal_tables, write_tables

GRID_ROWS = 12


def render(folder: Path, *, width: int) -> list[Table]:
    """Write tables, figures, grid and pages into a results folder; return its table for a terminal of `width`.

    A folder that does not hold results and their pictures is a `UserError`, and nothing is written.
    """
    results = read_results(folder)
    about = results.about
    if not about.cases:
        raise UserError(f"no cases to show in {folder}: the run has none, widen its domains or its limit")
    flags = _looked_through(results)
    rows = _grid_rows(results)
    numbers = numbers_of(
        results.scores,
        methods=about.methods,
        records=about.records,
        title=about.title,
        notes=[*about.notes, *flag_notes(flags, about.methods)],
        reasons=about.reasons,
    )
    subsets = numbers_of_subsets(results)
    write_tables(numbers, subsets, folder)
    figures = write_figures(numbers, results.costs, folder / "figures")
    _remove_others(folder / "figures", figures)
    write_grid(folder / "grid.png", rows, [*INPUTS, *_painter_titles(results)])
    write_gallery(results, numbers, subsets, figures=figures, ballot=_ballot(results), flags=flags)
    return terminal_tables(numbers.summary, about.methods, about.records, width=width)


def _looked_through(results: Results) -> Flags:
    """Flags of all painted pictures; `UserError` if a picture is missing or is none.

    A folder may have come without them, as the committed ones do: its numbers are whole, its pages would not be.
    """
    inputs = [results.input_path(case.id, name) for case in results.about.cases for name in INPUTS]
    painted = {
        (method, case, k): results.image_path(method, case, k)
        for (method, case), ks in results.about.painted.items()
        for k in ks
    }
    gone = [path for path in (*inputs, *painted.values()) if not path.is_file()]
    if gone:
        raise UserError(
            f"{results.folder} lacks {len(gone)} pictures, the first {gone[0].relative_to(results.folder)}: "
            "run its experiment again, what the store holds is not painted twice"
        )
    try:
        return flagged(painted)
    except (OSError, ValueError, SyntaxError) as error:  # SyntaxError: Pillow's, of a PNG that breaks off
        raise UserError(f"{results.folder}: {error}: run its experiment again") from error


def _remove_others(folder: Path, figures: Sequence[Path]) -> None:
    """Figures of an earlier run, which may have had other methods."""
    for path in folder.iterdir():
        if path.with_suffix(".png") not in figures:
            path.unlink(missing_ok=True)


def _ballot(results: Results) -> bool:
    """Write the ballot; False if there is nothing to vote on, which is no fault of a run."""
    try:
        write_ballot(results)
    except UserError:
        (results.folder / "vote.html").unlink(missing_ok=True)
        return False
    return True


def _grid_rows(results: Results) -> list[GridRow]:
    """One image of every method for some cases, evenly over the domains that were run and through each of them."""
    cases, painters = results.about.cases, results.painters
    by_domain = [[case for case in cases if case.domain == d] for d in sorted({case.domain for case in cases})]
    share = max(1, GRID_ROWS // len(by_domain))
    return [
        GridRow(
            case.prompt,
            (
                *(_opened(results.input_path(case.id, name)) for name in INPUTS),
                *(_first(results, method, case) for method in painters),
            ),
        )
        for of_domain in by_domain
        for case in spread(of_domain, share)
    ]


def _painter_titles(results: Results) -> list[str]:
    ranked = results.about.ranked
    return [row.title + (" top-1" if name in ranked else "") for name, row in results.painters.items()]


def spread(cases: Sequence[AboutCase], count: int) -> list[AboutCase]:
    """Take `count` of `cases` at even distances from the first on, or all: neighbours look alike."""
    count = min(count, len(cases))
    return [cases[i * len(cases) // count] for i in range(count)]


def _first(results: Results, method: str, case: AboutCase) -> Image.Image | None:
    ks = results.about.painted.get((method, case.id), ())
    return _opened(results.image_path(method, case.id, ks[0])) if ks else None


def _opened(path: Path) -> Image.Image:
    """A picture, decoded; `UserError` if it is none."""
    try:
        with Image.open(path) as picture:
            picture.load()
            return picture
    except (OSError, ValueError, SyntaxError) as error:
        raise UserError(f"{path} is no picture ({error}): run its experiment again") from error
