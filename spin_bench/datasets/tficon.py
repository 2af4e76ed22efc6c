"""The TF-ICON benchmark (Lu et al., ICCV 2023): 332 entries in four domains; layouts in `entry.py`.

`scan` lists what is there and everything wrong with it at once; `load_case` reads one entry at the canvas of a stack.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from spin_bench.core.case import DOMAINS, Case
from spin_bench.core.errors import UserError, unknown
from spin_bench.core.pictures import digest, fit, read_mask, read_picture
from spin_bench.datasets.entry import DOMAIN_FOLDERS, EXAMPLE_FOLDERS, INDEXED, SUFFIXES, WARNING, Entry, read_entry
from spin_bench.datasets.problems import count_problems, picture_problems, twins

RELEASED = {"real": 237, "cartoon": 27, "painting": 37, "sketch": 31}


def scan(
    root: Path, *, decode: bool, side: int | None = 512, expected: Mapping[str, int] | None = RELEASED
) -> tuple[list[Entry], list[str]]:
    """The usable entries under `root`, sorted by domain and index, and every problem found, a line each.

    Without `decode` only names are looked at; with it every picture is decoded and measured: backgrounds are to be
    `side` pixels square (None: any square). `expected` counts entries a domain (None: any number). Lines that start
    with WARNING leave their entry usable. UserError where `root` is missing or holds no entries.
    """
    folders, problems = _entry_folders(root)
    clashing, clashes = twins(folders)
    entries = []
    for folder in folders:
        entry, found = read_entry(folder)
        if decode:
            found += picture_problems(folder, side)
        problems += found
        if entry and folder not in clashing and all(line.startswith(WARNING) for line in found):
            entries.append(entry)
    problems += clashes
    if expected is not None:
        problems += count_problems(folders, expected)
    return sorted(entries, key=lambda entry: (DOMAINS.index(entry.domain), entry.index, entry.id)), problems


def load_case(entry: Entry, canvas: int) -> Case:
    """Read `entry` at `canvas` x `canvas` pixels; UserError names a file that is unreadable or an empty mask."""
    size = (canvas, canvas)
    reference = read_picture(entry.reference, "RGB")
    case = Case(
        id=entry.id,
        domain=entry.domain,
        prompt=entry.prompt,
        background=fit(read_picture(entry.background, "RGB"), size),
        mask=read_mask(entry.mask, size),
        reference=reference,
        # often of another resolution than the photo it was drawn on
        reference_mask=read_mask(entry.reference_mask, reference.size) if entry.reference_mask else None,
        truth=fit(read_picture(entry.truth, "RGB"), size) if entry.truth else None,
        subject=entry.subject,
        novel=entry.novel,
    )
    return replace(case, digest=digest(case))


def _entry_folders(root: Path) -> tuple[list[Path], list[str]]:
    """The folders of all entries, and a line for each folder of an unknown domain."""
    if not root.is_dir():
        raise UserError(f"no benchmark at {root}: no such folder; give the one that holds {', '.join(DOMAIN_FOLDERS)}")
    inside = {parent: _subfolders(parent) for parent in _subfolders(root)}
    if not any(inside.values()):
        raise UserError(f"no entries under {root}; give the folder that holds {', '.join(DOMAIN_FOLDERS)}")
    folders, problems = [], []
    for parent, children in inside.items():
        if parent.name in DOMAIN_FOLDERS or parent.name in EXAMPLE_FOLDERS or _are_examples(children):
            folders += children
        else:
            problems.append(f"{unknown('domain', parent.name, list(DOMAIN_FOLDERS))}; rename or remove {parent}")
    return folders, problems


def _are_examples(folders: list[Path]) -> bool:
    """Whether these are the repository's `<prompt>/` folders, which may lie in a parent of any name."""
    files = (path for folder in folders for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    return not any(INDEXED.fullmatch(folder.name) for folder in folders) and any(path.is_file() for path in files)


def _subfolders(folder: Path) -> list[Path]:
    """Sorted; without `.git`, `__MACOSX` and the like."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__")))
