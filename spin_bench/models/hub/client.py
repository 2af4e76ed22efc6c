"""Weights on the Hugging Face hub: fetched, checked by hash, and found again without a network.

huggingface_hub does the transfer: it goes on after a cut connection, keeps everything in the hub's own cache and
listens to HF_ENDPOINT, HF_HOME and HF_HUB_OFFLINE. Only safetensors and small text files are ever asked for.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from spin_bench.core.errors import UserError

PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
SHA256_DIGITS = 64  # an entity tag of so many is the hub's own hash of a large file
_PLAIN = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z._-]*")  # of what a hub answers, good as a file's name


@dataclass(frozen=True)
class HubFile:
    """One file that a part of a stack needs."""

    part: str
    repository: str
    revision: str  # commit; empty: the main branch
    name: str
    sha256: str = ""  # empty: not known beforehand
    size: int = 0  # bytes; 0: not known beforehand

    @property
    def key(self) -> str:
        return f"{self.repository}/{self.name}"


def cached(file: HubFile) -> Path | None:
    """Where the file lies in the hub's cache; None where it does not."""
    cached = try_to_load_from_cache(file.repository, file.name, revision=file.revision or None)
    return Path(cached) if isinstance(cached, str) else None


def located(file: HubFile) -> Path:
    """The file's place, fetched first where it is missing; `UserError` where it cannot be."""
    return cached(file) or fetched(file)


def fetched(file: HubFile, *, bar: Any = None, again: bool = False) -> Path:
    """Download; a cut connection goes on where it was cut. `bar` is a class like tqdm. No content is checked here."""
    _check_answer(file)
    try:
        path = hf_hub_download(
            file.repository, file.name, revision=file.revision or None, tqdm_class=bar, force_download=again
        )
    except Exception as error:  # the hub's, the transport's and the disk's: each release of its client has others
        if isinstance(error, OSError) and error.errno:
            raise  # the disk
        raise UserError(f"{file.key}: {_reason(file, error)}") from error
    return Path(path)


def _check_answer(file: HubFile) -> None:
    """`UserError` if the hub's names for the file would lead out of the cache: its client makes them paths as they are.

    What else is wrong with the answer is left to the download, which says it.
    """
    try:
        metadata = get_hf_file_metadata(hf_hub_url(file.repository, file.name, revision=file.revision or None))
        names = {"ETag": metadata.etag, "X-Repo-Commit": metadata.commit_hash}
    except HfHubHTTPError as error:
        names = {"X-Repo-Commit": error.response.headers.get("X-Repo-Commit")}
    except Exception:  # the transport's: each release of the hub's client has others
        return
    for header, name in names.items():
        if name and not _PLAIN.fullmatch(name):
            raise UserError(f"{file.key}: refused, the hub answers with {header} {name!r}: check HF_ENDPOINT")


def hub_hash(file: HubFile) -> str:
    """What the hub itself says the file's SHA-256 is; empty for small files, and without a network."""
    try:
        url = hf_hub_url(file.repository, file.name, revision=file.revision or None)
        tag = get_hf_file_metadata(url).etag or ""
    except (HfHubHTTPError, OSError):
        return ""
    return tag if len(tag) == SHA256_DIGITS else ""


def commit_of(path: Path) -> str:
    """The commit that a file of the cache belongs to: .../snapshots/<commit>/<name>."""
    parts = path.parts
    return parts[parts.index("snapshots") + 1]


def _reason(file: HubFile, error: Exception) -> str:
    """One line: what is wrong and how to mend it."""
    if isinstance(error, GatedRepoError):
        return "gated: accept its licence on the hub, then run hf auth login"
    if isinstance(error, LocalEntryNotFoundError):
        return "not in the cache, and the hub cannot be reached: check the network, HF_ENDPOINT and HF_HUB_OFFLINE"
    if isinstance(error, RevisionNotFoundError):
        return f"the repository has no revision {file.revision}: check the stack's revision"
    if isinstance(error, RepositoryNotFoundError):
        return "no such repository, or a private one: check its name in the stack, or run hf auth login"
    if isinstance(error, EntryNotFoundError):
        return _instead(file)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"cannot be fetched ({lines[0] if lines else type(error).__name__}): run the same command again"


def _instead(file: HubFile) -> str:
    """What lies in the place of a file that is not there."""
    stem, folder = file.name.rsplit("/", 1)[-1].split(".")[0], file.name.rpartition("/")[0]
    try:
        names = HfApi().list_repo_files(file.repository, revision=file.revision or None)
    except (HfHubHTTPError, OSError):
        names = []
    beside = [name for name in names if name.rpartition("/")[0] == folder]
    variants = [name for name in beside if name.endswith(".safetensors") and name.rsplit("/", 1)[-1].startswith(stem)]
    pickles = [name for name in beside if name.endswith(PICKLES)]
    if variants:
        return f"not there, but {', '.join(variants)} is: set the stack's variant"
    if pickles:
        return f"not there, only pickles are ({', '.join(pickles)}): refused, since reading one can run its code"
    return "not in that repository: check the stack's repository and revision"
