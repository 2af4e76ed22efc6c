"""Pictures that were made elsewhere, put into the store so that their method stands in the table like any other."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from PIL import Image

from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.core.identity import derive_seed, sha256_of, sha256_of_file
from spin_bench.core.pictures import SUFFIXES, read_picture
from spin_bench.datasets.entry import NOTES
from spin_bench.methods.method import Method
from spin_bench.methods.painter import Painter
from spin_bench.metrics.batch import check_sizes
from spin_bench.models.stack import Stack
from spin_bench.run.prepare import Run
from spin_bench.store import Failure, Record

LAYOUT = "<case>.png for one picture a case, <case>/<k>.png or <case>_<k>.png for several"
NAME = re.compile(r"(?P<case>[^/]+?)(?:/(?:(?P=case)_)?(?P<within>[0-9]+)|_(?P<beside>[0-9]+))?")  # before the suffix


@dataclass(frozen=True)
class OutsideSettings:
    """Identity of an imported set: a hash of its files."""

    digest: str = ""  # SHA-256 over all files of the folder


def outside_method(title: str) -> Method:
    """A method whose painter is not here."""

    def build(settings: Any, stack: Stack) -> Painter:
        def paint(case: Case, seeds: Sequence[int]) -> NoReturn:
            raise UserError(f"{title}: its pictures come from a folder, it cannot paint {case.id}")

        return paint

    return Method(title, OutsideSettings, build, version="1", uses=())


def find_pictures(folder: Path, case_ids: Sequence[str]) -> dict[tuple[str, int], Path]:
    """Files by (case, k), counted from 0 in the order of their numbers; capital letters count as small ones.

    `UserError` where no file fits a case, where several do, or where the one that does is in another format.
    """
    if not folder.is_dir():
        raise UserError(f"images={folder}: no such folder; it is to hold {LAYOUT}")
    places: dict[str, list[tuple[int, Path]]] = {case: [] for case in case_ids}
    others: dict[str, Path] = {}
    for path in sorted([*folder.glob("*"), *folder.glob("*/*")]):
        match = NAME.fullmatch(path.relative_to(folder).with_suffix("").as_posix().lower())
        if not match or match["case"] not in places or path.suffix.lower() in NOTES or not path.is_file():
            continue
        if path.suffix.lower() in SUFFIXES:
            places[match["case"]].append((int(match["within"] or match["beside"] or -1), path))
        else:
            others[match["case"]] = path
    pictures: dict[tuple[str, int], Path] = {}
    for case, numbered in places.items():
        numbers = {number for number, _ in numbered}
        if len(numbers) < len(numbered) or (-1 in numbers and len(numbers) > 1):
            raise UserError(f"{folder}: case {case} has pictures under several names: keep one layout: {LAYOUT}")
        if case in others and not numbered:
            raise UserError(f"{others[case]}: no {', '.join(SUFFIXES)}; save it as one of them")
        pictures |= {(case, k): path for k, (_, path) in enumerate(sorted(numbered))}
    if not pictures:
        example = case_ids[0]
        raise UserError(f"{folder}: no picture is named after a case, such as {example}.png; it is to hold {LAYOUT}")
    return pictures


def digest_of(paths: Sequence[Path], folder: Path) -> str:
    """SHA-256 over the names and contents of the files."""
    each = (
        path.relative_to(folder).as_posix().encode() + b"\0" + bytes.fromhex(sha256_of_file(path))
        for path in sorted(paths)
    )
    return sha256_of(*each)


def read_checked(path: Path, case: Case) -> Image.Image:
    """The picture in RGB; `UserError` names a file that is unreadable, transparent or does not lie on its case."""
    picture = read_picture(path)
    try:
        check_sizes(case, picture)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return picture


def check_pictures(run: Run, pictures: dict[tuple[str, int], Path]) -> None:
    """`UserError` names a picture that is unreadable or does not lie on its case; nothing is stored."""
    cases = {case.id: case for case in run.cases}
    for (name, _), path in pictures.items():
        if name in cases:  # else its case is unusable
            read_checked(path, cases[name])


def take_in(run: Run, method: str, pictures: dict[tuple[str, int], Path]) -> None:
    """Store every picture of the run's cases, and for each one that is not there the reason."""
    key = run.keys[method]
    for case in run.cases:
        for k in range(run.samples(method)):
            source = pictures.get((case.id, k))
            if source is None:
                reason = f"no picture {k} of {case.id} in the folder"
                run.store.put_failure(key, case, Failure(method, case.id, k, reason, ""))
            elif run.store.get(key, case, k) is None:
                seed = derive_seed(run.settings.base_seed, case.id, k)
                record = Record(key, method, case.id, case.domain, k, seed, 0.0, None, {"source": source.name})
                run.store.put(case, read_checked(source, case), record)
