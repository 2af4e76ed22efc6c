"""What can be wrong with a copy of the benchmark beyond the names inside one entry's folder."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from spin_bench.core.errors import UserError
from spin_bench.core.pictures import THRESHOLD, binary, read_picture
from spin_bench.datasets.entry import DOMAIN_FOLDERS, WARNING, candidates, parse_name


def twins(folders: list[Path]) -> tuple[set[Path], list[str]]:
    """Folders that would share an id (no way to tell which is meant), and a line for each such id."""
    groups = defaultdict(list)
    for folder in folders:
        domain, index, prompt = parse_name(folder)
        groups[domain, index or prompt].append(folder)
    clashes = {key: group for key, group in groups.items() if len(group) > 1}
    problems = []
    for (domain, name), group in clashes.items():
        places = " and ".join(f"{folder.parent.name}/{folder.name}" for folder in group)
        problems.append(f"{places}: duplicated index or prompt {name!r} in the domain {domain}; rename or remove one")
    return {folder for group in clashes.values() for folder in group}, problems


def count_problems(folders: list[Path], expected: Mapping[str, int]) -> list[str]:
    """A line for each domain that has not its expected number of folders, usable or not."""
    counts = Counter(parse_name(folder)[0] for folder in folders)
    total = f"{len(folders)} of {sum(expected.values())} in all"
    return [
        f"{name}: {counts[domain]} entries, expected {expected.get(domain, 0)} ({total}); complete the download"
        for name, domain in DOMAIN_FOLDERS.items()
        if counts[domain] != expected.get(domain, 0)
    ]


def picture_problems(folder: Path, side: int | None) -> list[str]:
    """Decode the pictures in an entry's folder: a line for each unreadable, of the wrong size, or an unusable mask.

    Goes by the files, not by an Entry, so that a folder with a missing file still has its other files read.
    """
    problems, pictures = [], {}
    files = {role: paths[0] for role, paths in candidates(folder).items() if len(paths) == 1}
    for role, path in files.items():
        try:
            pictures[role] = read_picture(path, "L" if role.endswith("mask") else "RGB")
        except UserError as error:
            problems.append(str(error))
    for role, picture in pictures.items():
        name = f"{folder.parent.name}/{folder.name}/{files[role].name}"
        if (wanted := _wanted_size(role, pictures, side)) and picture.size != wanted:
            size, right = ("x".join(map(str, pair)) for pair in (picture.size, wanted))
            problems.append(f"{name}: wrong size {size}, expected {right}; fetch or export it again")
        if role.endswith("mask"):
            extrema = binary(picture).getextrema()
            if extrema == (0, 0):
                problems.append(f"{name}: empty mask, no pixel over {THRESHOLD}; paint the region white")
            elif extrema == (255, 255) and role == "mask":
                problems.append(f"{WARNING}{name}: mask covers everything, no background is left to compare; shrink it")
    return problems


def _wanted_size(role: str, pictures: Mapping[str, Image.Image], side: int | None) -> tuple[int, int] | None:
    """What a picture is to measure beside the others of its entry; None where it may have any size."""
    background = pictures.get("background")
    if role.startswith("reference") or background is None:
        return None
    if role == "background":
        return (side, side) if side else (max(background.size),) * 2
    return background.size
