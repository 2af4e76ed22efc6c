"""One entry of the TF-ICON benchmark, as its folder names it. Nothing here opens a picture.

The release is `Real-Painting/0018 an oil painting of a hamburger, Van Gogh Style/` with `bg61.png`,
`fg10_<hash>.jpg`, `fg10_mask.jpg` and `mask_bg_fg.jpg`; the inputs in TF-ICON's repository are `same_domain/<prompt>/`
and `cross_domain/<prompt>/` with the same files. Two optional files are ours, for the embedded benchmark:
`true_bg_fg.png` and `facts.json`.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from spin_bench.core.errors import UserError

DOMAIN_FOLDERS = {"Real-Real": "real", "Real-Cartoon": "cartoon", "Real-Painting": "painting", "Real-Sketch": "sketch"}
EXAMPLE_FOLDERS = ("same_domain", "cross_domain")
WORDING = {"cartoon animation": "cartoon", "oil painting": "painting", "pencil drawing": "sketch"}
INDEXED = re.compile(r"([0-9]{4})(?:\s+(.*))?", re.DOTALL)
ROLES = {  # what each picture of an entry is called
    "background": "bg*",
    "mask": "mask_bg_fg",
    "reference": "fg*",
    "reference_mask": "fg*_mask",
    "truth": "true_bg_fg",
}
SUFFIXES = (".png", ".jpg", ".jpeg")
WARNING = "warning: "  # how a problem starts that leaves its entry usable


def parse_name(folder: Path) -> tuple[str, str, str]:
    """Domain, index ("" where there is none) and stripped prompt of an entry's folder.

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
    return domain, index, prompt.strip()


def read_entry(folder: Path) -> tuple["Entry | None", list[str]]:
    """The entry in `folder` and its problems, a line each; None where one of them is more than a warning."""
    domain, index, prompt = parse_name(folder)
    where = f"{folder.parent.name}/{folder.name}"
    problems = []
    if not index and folder.parent.name in DOMAIN_FOLDERS:
        problems.append(f"{where}: no 4-digit index; rename the folder to '<index> <prompt>'")
    if not prompt:
        problems.append(f"{where}: no prompt; rename the folder to '<index> <prompt>'")
    files = candidates(folder)
    problems += [f"{level}{where}: {line}" for level, line in _file_problems(files)]
    try:
        subject, novel = _read_facts(folder / "facts.json")
    except UserError as error:
        problems.append(str(error))
    if any(not line.startswith(WARNING) for line in problems):
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
        subject=subject,
        novel=novel,
    ), problems


def candidates(folder: Path) -> dict[str, list[Path]]:
    """The files of `folder` that could play each of ROLES, sorted."""
    found: dict[str, list[Path]] = {role: [] for role in ROLES}
    for path in sorted(folder.iterdir()):
        role = _role(path.stem.lower())
        if role and path.suffix.lower() in SUFFIXES and path.is_file():
            found[role].append(path)
    return found


def _role(stem: str) -> str | None:
    if stem.startswith("."):  # ._fg10_mask.png, which macOS leaves in archives
        return None
    if exact := {"mask_bg_fg": "mask", "true_bg_fg": "truth"}.get(stem):
        return exact
    if stem.endswith("_mask"):
        return "reference_mask"
    return {"bg": "background", "fg": "reference"}.get(stem[:2])  # else cp_bg_fg, dccf_image and the like


def _file_problems(files: dict[str, list[Path]]) -> Iterator[tuple[str, str]]:
    """WARNING or "", and what is wrong, for each role that not exactly one file plays."""
    for role, paths in files.items():
        name, pattern = role.replace("_", " "), f"{ROLES[role]}.png or .jpg"
        if len(paths) > 1:
            yield "", f"ambiguous {name}, {' or '.join(path.name for path in paths)}; keep one of them"
        elif not paths and role == "reference_mask":
            yield WARNING, f"missing {name} ({pattern}); scores of the segmented object will be missing"
        elif not paths and role != "truth":
            yield "", f"missing {name} ({pattern}); add the file"


def _read_facts(path: Path) -> tuple[str, bool]:
    """Subject and novelty from `facts.json`; ("", False) where there is no such file."""
    if not path.exists():
        return "", False
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        subject, novel = facts.get("subject", ""), facts.get("novel", False)
    except (OSError, ValueError, AttributeError):
        subject = novel = None
    if not isinstance(subject, str) or not isinstance(novel, bool):
        raise UserError(f'{path}: not of the form {{"subject": "cat", "novel": false}}; mend or remove it')
    return subject, novel


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
    subject: str = ""
    novel: bool = False

    @property
    def id(self) -> str:
        """`real-0001`; without an index `real-<slug of the prompt>-<hash>`, since slugs alone may coincide."""
        if self.index:
            return f"{self.domain}-{self.index}"
        slug = re.sub(r"[^a-z0-9]+", "-", self.prompt.lower()).strip("-")[:60].strip("-")
        return "-".join(filter(None, [self.domain, slug, sha256(self.prompt.encode()).hexdigest()[:8]]))
