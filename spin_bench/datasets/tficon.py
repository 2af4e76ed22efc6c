"""The TF-ICON benchmark (Lu et al., ICCV 2023): 332 entries in four domains; layouts in `entry.py`.

`scan` lists what is there by its names; `validate` reads every picture, too; `load_case` reads one entry.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from spin_bench.core.case import DOMAINS, Case
from spin_bench.core.errors import UserError
from spin_bench.core.pictures import digest
from spin_bench.datasets.entry import WARNING, Entry, Unusable, candidates, case_id, parse_name, place, read_entry
from spin_bench.datasets.problems import count_problems, entry_folders, twins
from spin_bench.datasets.reading import Examined, examine, latent_cells

RELEASED = {"real": 237, "cartoon": 27, "painting": 37, "sketch": 31}


@dataclass(frozen=True)
class Listing:
    """What lies under a root, by its names alone."""

    folders: list[Path]  # of all entries
    cases: list[Entry | Unusable]  # in the benchmark's order: by domain and index
    problems: list[str]  # a line each, of entries and of the whole

    @property
    def entries(self) -> list[Entry]:
        return [case for case in self.cases if isinstance(case, Entry)]


def scan(root: Path, *, expected: Mapping[str, int] | None = RELEASED) -> Listing:
    """List the entries under `root`, usable or not. Only names are looked at.

    `expected` counts entries a domain (None: any number). `UserError` where `root` is missing or holds no entries.
    """
    folders, problems = entry_folders(root)
    clashes = twins(folders)
    cases: dict[tuple[int, str, str], Entry | Unusable] = {}
    for folder in folders:
        domain, index, prompt = parse_name(folder)
        entry, lines = read_entry(folder)
        problems += lines
        if folder in clashes:
            entry, index, lines = None, "", [*lines, clashes[folder]]
        case = entry or Unusable(case_id(domain, index, prompt), domain, "; ".join(lines))
        cases[DOMAINS.index(domain), parse_name(folder)[1], case.id] = case
    problems += dict.fromkeys(clashes.values())
    if expected is not None:
        problems += count_problems(folders, expected)
    return Listing(folders, [cases[key] for key in sorted(cases)], problems)


def validate(
    root: Path, *, canvas: int, cell: int, expected: Mapping[str, int] | None = RELEASED
) -> tuple[list[Entry], list[str]]:
    """The entries under `root` that a stack can paint, and every problem and doubt, a line each; doubts begin WARNING.

    `canvas` is the stack's, `cell` the side of a latent cell, both in px. Goes by the files, not by entries, so that a
    folder that lacks one still has its others read.
    """
    listing = scan(root, expected=expected)
    lines = list(listing.problems)
    sound = {entry.background.parent for entry in listing.entries}
    for folder in listing.folders:
        files = {role: paths[0] for role, paths in candidates(folder).items() if len(paths) == 1}
        examined = examine(files, canvas)
        problems = examined.problems + _without_cell(files, examined, canvas, cell)
        lines += problems
        if problems:
            sound.discard(folder)
        elif folder in sound:  # doubts about a broken entry can wait until it is mended
            lines += [WARNING + line for line in examined.doubts]
    return [entry for entry in listing.entries if entry.background.parent in sound], lines


def read_case(entry: Entry, canvas: int) -> tuple[Case, list[str]]:
    """Read `entry` at `canvas` x `canvas` px, and what is doubtful about it; `UserError` says all that is wrong."""
    examined = examine(entry.files, canvas)
    if examined.problems:
        raise UserError("; ".join(examined.problems))
    pictures = examined.pictures
    case = Case(
        id=entry.id,
        domain=entry.domain,
        prompt=entry.prompt,
        background=pictures["background"],
        mask=pictures["mask"],
        reference=pictures["reference"],
        reference_mask=pictures.get("reference_mask"),
        truth=pictures.get("truth"),
        **asdict(entry.facts),
    )
    return replace(case, digest=digest(case)), examined.doubts


def load_case(entry: Entry, canvas: int) -> Case:
    """Read `entry` at `canvas` x `canvas` px; `UserError` says all that is wrong with its pictures."""
    return read_case(entry, canvas)[0]


def _without_cell(files: Mapping[str, Path], examined: Examined, canvas: int, cell: int) -> list[str]:
    """A line where the mask paints pixels and no latent cell: every method that paints in latents will fail on it."""
    mask = examined.pictures.get("mask")
    if mask is None or mask.getbbox() is None or latent_cells(mask, cell):
        return []
    where = f"{place(files['mask'], 3)}: mask without a latent cell at a canvas of {canvas} px, where a cell has {cell}"
    return [f"{where}; widen the region"]
