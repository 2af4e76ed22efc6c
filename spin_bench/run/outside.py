"""Pictures that were made elsewhere, put into the store so that their method stands in the table like any other."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from PIL import Image, UnidentifiedImageError

from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.core.identity import derive_seed
from spin_bench.methods.method import Method
from spin_bench.methods.painter import Painter
from spin_bench.metrics.batch import check_sizes
from spin_bench.models.stack import Stack
from spin_bench.run.run import Run
from spin_bench.store import Failure, Record

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
LAYOUT = "<case>.png for one picture a case, <case>/<k>.png or <case>_<k>.png for several"


@dataclass(frozen=True)
class OutsideSettings:
    """What the pictures of a method are told apart by: other files are another method."""

    digest: str = ""  # SHA-256 over all files of the folder


def outside_method(title: str) -> Method:
    """A method whose painter is not here."""

    def build(settings: Any, stack: Stack) -> Painter:
        def paint(case: Case, seeds: Sequence[int]) -> NoReturn:
            raise UserError(f"{title}: its pictures come from a folder, it cannot paint {case.id}")

        return paint

    return Method(title, OutsideSettings, build, version="1", uses=())


def find_pictures(folder: Path, case_ids: Sequence[str]) -> dict[tuple[str, int], Path]:
    """Files by (case, k), counted from 0 in the order of their numbers; `UserError` where no file fits a case."""
    if not folder.is_dir():
        raise UserError(f"images={folder}: no such folder; it is to hold {LAYOUT}")
    found: dict[tuple[str, int], Path] = {}
    for case in case_ids:
        numbered = sorted(
            (int(match[1]), path)
            for path in [*folder.glob(f"{case}_*"), *folder.glob(f"{case}/*")]
            if path.suffix.lower() in SUFFIXES and (match := re.fullmatch(rf"(?:{re.escape(case)}_)?(\d+)", path.stem))
        )
        single = [(0, path) for suffix in SUFFIXES if (path := folder / f"{case}{suffix}").is_file()]
        if len(single) > 1 or (single and numbered) or len({k for k, _ in numbered}) < len(numbered):
            raise UserError(f"{folder}: case {case} has pictures under several names: keep one layout: {LAYOUT}")
        found |= {(case, k): path for k, (_, path) in enumerate(single or numbered)}
    if not found:
        example = case_ids[0]
        raise UserError(f"{folder}: no picture is named after a case, such as {example}.png; it is to hold {LAYOUT}")
    return found


def digest_of(paths: Sequence[Path], folder: Path) -> str:
    """SHA-256 over the names and contents of the files."""
    sha = hashlib.sha256()
    for path in sorted(paths):
        sha.update(path.relative_to(folder).as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return sha.hexdigest()


def read_checked(path: Path, case: Case) -> Image.Image:
    """The picture in RGB; `UserError` names a file that is unreadable or does not lie on its case."""
    try:
        picture = Image.open(path)
        picture.load()
    except (OSError, UnidentifiedImageError) as error:
        raise UserError(f"{path}: cannot be read as a picture ({error})") from error
    try:
        check_sizes(case, picture)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return picture.convert("RGB")


def take_in(run: Run, method: str, pictures: dict[tuple[str, int], Path]) -> None:
    """Store every picture of the run's cases, and for each one that is not there the reason; checked before stored."""
    key, cases = run.keys[method], {case.id: case for case in run.cases}
    for (name, _), path in pictures.items():
        read_checked(path, cases[name])
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
