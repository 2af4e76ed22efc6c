"""What can be wrong with a copy of the benchmark beyond one entry's folder."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

from spin_bench.core.errors import UserError, unknown
from spin_bench.core.names import printable
from spin_bench.core.pictures import SUFFIXES
from spin_bench.datasets.entry import DOMAIN_FOLDERS, EXAMPLE_FOLDERS, INDEXED, WARNING, parse_name, place

# Made by network drives, Windows, Linux and macOS; those that begin with a dot or __ are left out as a rule.
SERVICE_FOLDERS = ("@eadir", "@recycle", "#recycle", "#snapshot", "$recycle.bin", "lost+found")


def entry_folders(root: Path) -> tuple[list[Path], list[str]]:
    """The folders of all entries, and a line for each folder of an unknown domain; `UserError` where there is none."""
    expected = f"give the folder that holds {', '.join(DOMAIN_FOLDERS)}"
    if not root.is_dir():
        raise UserError(f"no benchmark at {printable(str(root))}: no such folder; {expected}")
    inside = {parent: subfolders(parent) for parent in subfolders(root)}
    folders, problems = [], []
    for parent, children in inside.items():
        if parent.name in DOMAIN_FOLDERS or parent.name in EXAMPLE_FOLDERS or _are_examples(children):
            folders += children
        elif deeper := _benchmark_in(parent):
            problems.append(f"{printable(str(deeper))}: a benchmark one folder too deep; set dataset.root to it")
        else:
            name, mend = printable(parent.name), f"rename or remove {printable(str(parent))}"
            problems.append(f"{unknown('domain', name, list(DOMAIN_FOLDERS))}; {mend}")
    if folders:
        return folders, problems
    if root.name in DOMAIN_FOLDERS:
        above = printable(str(root.resolve().parent))
        raise UserError(f"{printable(str(root))}: one domain of a benchmark; set dataset.root to {above}")
    raise UserError("; ".join([f"no entries under {printable(str(root))}; {expected}", *problems[:3]]))


def twins(folders: list[Path]) -> dict[Path, str]:
    """The folders that would share an id (no way to tell which is meant), each with a line."""
    groups = defaultdict(list)
    for folder in folders:
        domain, index, prompt = parse_name(folder)
        groups[domain, index or prompt].append(folder)
    lines: dict[Path, str] = {}
    for (domain, name), group in groups.items():
        if len(group) > 1:
            places = " and ".join(place(folder) for folder in group)
            line = f"{places}: duplicated index or prompt {name!r} in the domain {domain}; rename or remove one"
            lines |= dict.fromkeys(group, line)
    return lines


def count_problems(folders: list[Path], expected: Mapping[str, int]) -> list[str]:
    """A warning where the folders, usable or not, are not as many as the release has in each domain."""
    counts = Counter(parse_name(folder)[0] for folder in folders)
    wrong = [f"{domain} {counts[domain]} of {n}" for domain, n in expected.items() if counts[domain] != n]
    if not wrong or not any(folder.parent.name in DOMAIN_FOLDERS for folder in folders):
        return []
    total = f"{len(folders)} entries, the release has {sum(expected.values())} ({', '.join(wrong)})"
    return [f"{WARNING}{total}; complete the download, unless these are data of your own"]


def subfolders(folder: Path) -> list[Path]:
    """Sorted; without `.git`, `__MACOSX`, `@eaDir` and the like."""
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith((".", "__")) and path.name.lower() not in SERVICE_FOLDERS and path.is_dir()
    )


def _benchmark_in(folder: Path) -> Path | None:
    """The first folder here, or one deeper, that holds a domain of the benchmark."""
    known = (*DOMAIN_FOLDERS, *EXAMPLE_FOLDERS)
    within = (folder, *subfolders(folder))
    return next((deeper for deeper in within if any((deeper / name).is_dir() for name in known)), None)


def _are_examples(folders: list[Path]) -> bool:
    """Whether these are the repository's `<prompt>/` folders, which may lie in a parent of any name."""
    files = (path for folder in folders for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    return not any(INDEXED.fullmatch(folder.name) for folder in folders) and any(path.is_file() for path in files)
