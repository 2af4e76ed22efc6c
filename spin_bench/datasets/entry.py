"""One entry of the TF-ICON benchmark, as its folder names it. Nothing here opens a picture.

The release is `Real-Painting/0018 an oil painting of a hamburger, Van Gogh Style/` with `bg61.png`,
`fg10_<hash>.jpg`, `fg10_mask.jpg` and `mask_bg_fg.jpg`; the inputs in TF-ICON's repository are `same_domain/<prompt>/`
and `cross_domain/<prompt>/` with the same files. Two optional files are ours, for the embedded benchmark:
`true_bg_fg.png` and `facts.json`.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from spin_bench.core.errors import UserError
from spin_bench.core.identity import sha256_of
from spin_bench.core.names import fit_for_text, printable
from spin_bench.core.pictures import PICTURES, SUFFIXES

DOMAIN_FOLDERS = {"Real-Real": "real", "Real-Cartoon": "cartoon", "Real-Painting": "painting", "Real-Sketch": "sketch"}
EXAMPLE_FOLDERS = ("same_domain", "cross_domain")
WORDING = {"cartoon animation": "cartoon", "oil painting": "painting", "pencil drawing": "sketch"}
INDEXED = re.compile(r"([0-9]{4})(?:\s+(.*))?", re.DOTALL)
PATTERNS = {  # what each picture of an entry is called
    "background": "bg*",
    "mask": "mask_bg_fg",
    "reference": "fg*",
    "reference_mask": "fg*_mask",
    "truth": "true_bg_fg",
}
OPTIONAL = ("reference_mask", "truth")
NOTES = (".json", ".txt", ".xml", ".csv", ".md")  # beside pictures, and never in place of one
WARNING = "warning: "  # how a line starts that leaves its entry usable


@dataclass(frozen=True)
class Facts:
    """What `facts.json` says; its other names are for readers."""

    subject: str = ""
    novel: bool = False
    colour: str = ""
    pattern: str = ""


@dataclass(frozen=True)
class Entry:
    """Where the pictures of one case lie, and what its folder says about it."""

    domain: str  # of spin_bench.core.case.DOMAINS
    index: str  # 4 digits, or "" in the layout of TF-ICON's own inputs
    prompt: str
    background: Path
    mask: Path
    reference: Path
    reference_mask: Path | None
    truth: Path | None = None
    facts: Facts = Facts()

    @property
    def id(self) -> str:
        return case_id(self.domain, self.index, self.prompt)

    @property
    def files(self) -> dict[str, Path]:
        """Its pictures by their role."""
        return {role: path for role in PICTURES if (path := getattr(self, role)) is not None}


@dataclass(frozen=True)
class Unusable:
    """A case that the benchmark names and that cannot be painted; it counts as missing."""

    id: str
    domain: str
    reason: str  # one line


def case_id(domain: str, index: str, prompt: str) -> str:
    """`real-0001`; without an index `real-<slug of the prompt>-<hash>`, since slugs alone may coincide."""
    if index:
        return f"{domain}-{index}"
    slug = re.sub(r"[^a-z0-9]+", "-", prompt.lower()).strip("-")[:60].strip("-")
    return "-".join(filter(None, [domain, slug, sha256_of(prompt.encode(errors="surrogateescape"))[:8]]))


def parse_name(folder: Path) -> tuple[str, str, str]:
    """Domain, index ("" where there is none) and prompt of an entry's folder, stripped and in Unicode's form NFC.

    `cross_domain`, or a parent of any other name, does not say the domain. The prompts do, being worded alike within
    each domain of the release; to go by their wording is our choice.
    """
    match = INDEXED.fullmatch(folder.name)
    index, prompt = (match[1], match[2] or "") if match else ("", folder.name)
    parent = folder.parent.name
    if parent in DOMAIN_FOLDERS:
        domain = DOMAIN_FOLDERS[parent]
    elif parent == "same_domain":
        domain = "real"
    else:
        domain = next((domain for words, domain in WORDING.items() if words in prompt.lower()), "real")
    return domain, index, unicodedata.normalize("NFC", prompt.strip())


def place(path: Path, depth: int = 2) -> str:
    """The last `depth` names of `path` on one line, for messages."""
    return printable("/".join(path.parts[-depth:]))


def read_entry(folder: Path) -> tuple[Entry | None, list[str]]:
    """The entry in `folder`, None where it is unusable, and why it is, a line each."""
    domain, index, prompt = parse_name(folder)
    problems = []
    if not index and folder.parent.name in DOMAIN_FOLDERS:
        problems.append(f"{place(folder)}: no 4-digit index; rename the folder to '<index> <prompt>'")
    if not prompt:
        problems.append(f"{place(folder)}: no prompt; rename the folder to '<index> <prompt>'")
    try:
        files = candidates(folder)
        facts = _read_facts(folder / "facts.json")
    except OSError as error:
        return None, [*problems, f"{place(folder)}: unreadable ({error.strerror}); mend its permissions"]
    except UserError as error:
        problems.append(str(error))
    problems += [f"{place(folder)}: {line}" for line in _file_problems(folder, files)]
    names = [folder, *(path for paths in files.values() for path in paths)]
    problems += [
        f"{place(path)}: name is not UTF-8 on one line; rename it" for path in names if not fit_for_text(path.name)
    ]
    if problems:
        return None, problems
    return Entry(
        domain=domain,
        index=index,
        prompt=prompt,
        background=files["background"][0],
        mask=files["mask"][0],
        reference=files["reference"][0],
        reference_mask=next(iter(files["reference_mask"]), None),
        truth=next(iter(files["truth"]), None),
        facts=facts,
    ), []


def candidates(folder: Path) -> dict[str, list[Path]]:
    """The files of `folder` that could play each role, sorted."""
    paths: dict[str, list[Path]] = {role: [] for role in PICTURES}
    for role, path in _by_role(folder):
        if path.suffix.lower() in SUFFIXES:
            paths[role].append(path)
    return paths


def _by_role(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files that are named like a role's picture, whatever their format."""
    for path in sorted(folder.iterdir()):
        stem = Path(path.stem)  # of bg36.png, or of bg36.png.part
        role = _role((stem.stem if stem.suffix.lower() in SUFFIXES else path.stem).lower())
        if role and path.suffix.lower() not in NOTES and path.is_file():
            yield role, path


def _role(stem: str) -> str | None:
    if stem.startswith("."):  # ._fg10_mask.png, which macOS leaves in archives
        return None
    if exact := {"mask_bg_fg": "mask", "true_bg_fg": "truth"}.get(stem):
        return exact
    if stem.endswith("_mask"):
        return "reference_mask"
    return {"bg": "background", "fg": "reference"}.get(stem[:2])  # else cp_bg_fg, dccf_image and the like


def _file_problems(folder: Path, files: Mapping[str, list[Path]]) -> Iterator[str]:
    """What is wrong, for each role that not exactly one file plays; a role's file in another format is named."""
    for role, paths in files.items():
        name, pattern = role.replace("_", " "), PATTERNS[role]
        if len(paths) > 1:
            yield f"ambiguous {name}, {' or '.join(printable(path.name) for path in paths)}; keep one of them"
        elif not paths:
            others = [printable(path.name) for other, path in _by_role(folder) if other == role]
            if others:
                yield f"{name} {' or '.join(others)} is no {', '.join(SUFFIXES)}; save it as one of them"
            elif role not in OPTIONAL:
                yield f"missing {name} ({pattern}.png, .jpg or .webp); add the file"


def _read_facts(path: Path) -> Facts:
    """What the file says; the defaults where there is none, `UserError` where it says something else."""
    if not path.exists():
        return Facts()
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        values = {field.name: said.get(field.name, field.default) for field in fields(Facts)}
    except (OSError, ValueError, AttributeError, RecursionError):
        values = {}
    sound = (type(values.get(field.name)) is type(field.default) for field in fields(Facts))
    if not all(sound) or not all(fit_for_text(value) for value in values.values() if isinstance(value, str)):
        raise UserError(f'{place(path, 3)}: not of the form {{"subject": "cat", "novel": false}}; mend or remove it')
    return Facts(**values)
