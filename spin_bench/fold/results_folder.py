"""One results folder holds one run: another of the same name must have its settings, or a name of its own."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spin_bench.config.settings import RunSettings
from spin_bench.core.case import DOMAINS
from spin_bench.core.errors import UserError
from spin_bench.core.files import write_whole
from spin_bench.core.identity import canonical, leaves
from spin_bench.report.about import ABOUT
from spin_bench.run.prepare import Run
from spin_bench.store.format import RESULTS, claim, is_marked
from spin_bench.store.uses import RUN_FILE, note_results

NAMED = 4  # differences in a message
LONGEST = 255  # bytes of a folder's name
SOURCE = "images"  # in a run file: the folder that `score` read


@dataclass(frozen=True)
class Earlier:
    """What a results folder holds before this run writes it; empty if nothing, or if it is to be overwritten."""

    keys: Mapping[str, str] = field(default_factory=dict)  # method -> run key
    titles: Mapping[str, str] = field(default_factory=dict)  # of the table's rows, in order
    metrics: tuple[str, ...] = ()  # its columns
    notes: tuple[str, ...] = ()  # the sentences under it


def results_folder(settings: RunSettings) -> Path:
    """`<results_dir>/<stack>/<dataset>/<experiment>`; `UserError` unless it lies below `results_dir`.

    A job of a sweep has the sweep's folder before its own.
    """
    parts = [settings.stack.name, settings.dataset.label, *settings.experiment.split("/")]
    for part in parts:
        if part in ("", ".", "..") or re.search(r"[\\\x00-\x1f\x7f]", part) or len(part.encode()) > LONGEST:
            raise UserError(f"experiment_name={settings.experiment!r}: {part!r} cannot name a folder: choose another")
    return settings.results_dir.joinpath(*parts)


def check_folder(settings: RunSettings, source: str = "") -> Earlier:
    """What the run's results folder holds; `UserError` where it is not ours or holds a run with other settings.

    Compared is what changes a picture: the settings of the methods that both have, the seed, the precision, and for
    pictures made elsewhere the folder that they came from (`source`). More or fewer cases, images, methods or metrics
    are the same run at another size, and other weights another version of it. `overwrite` replaces whatever is ours.
    """
    folder = results_folder(settings)
    is_marked(folder, RESULTS)
    if settings.overwrite:
        return Earlier()
    content = _read(folder / RUN_FILE)
    if content is None:
        return Earlier()
    try:
        before, keys = leaves(content["settings"]), dict(content["keys"])
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(folder / RUN_FILE) from error
    now = leaves(json.loads(canonical(_settings(settings, source))))
    if SOURCE in before:  # other pictures in the same folder are another version of the same method
        now.pop("outside.digest", None)
    differing = [name for name in sorted(now) if name in before and not _fits(name, before[name], now[name])]
    if differing:
        pairs = ", ".join(f"{name} {before[name]} there, {now[name]} here" for name in differing[:NAMED])
        more = f" and {len(differing) - NAMED} more" if len(differing) > NAMED else ""
        raise UserError(
            f"{folder} holds a run with other settings ({pairs}{more}): "
            "give this one a name with experiment_name=..., or replace that one with overwrite=true"
        )
    about = _read(folder / ABOUT) or {}
    try:
        titles, metrics = dict(about.get("methods", {})), tuple(about.get("records", ()))
        if {name for name in titles if "@" not in name} != set(keys):
            return Earlier(keys)  # a run was killed before it wrote its table: the one that is there is older
        return Earlier(keys, titles, metrics, tuple(map(str, about.get("notes", ()))))
    except (TypeError, ValueError) as error:
        raise _unreadable(folder / ABOUT) from error


def sign(run: Run, source: str = "") -> None:
    """Say in the results folder which run it holds, and in the store which results folder needs its keys."""
    folder = results_folder(run.settings)
    claim(folder, RESULTS)
    content = {"settings": _settings(run.settings, source), "keys": run.keys}
    note_results(run.store.root, list(run.keys.values()), folder, run.settings.results_dir)
    write_whole(folder / RUN_FILE, canonical(content).encode())


def _fits(name: str, before: Any, now: Any) -> bool:
    """Whether results under the one setting may be replaced by results under the other."""
    if name == "dataset.domains":
        return _domains(before) <= _domains(now)  # more cases of the same run
    return bool(before == now)


def _domains(setting: Any) -> set[str]:
    return set(DOMAINS) if setting in ("all", ["all"]) else {setting} if isinstance(setting, str) else set(setting)


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON object, None if the file is not there; `UserError` if it is unreadable."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path) from error
    if not isinstance(content, dict):
        raise _unreadable(path)
    return content


def _unreadable(path: Path) -> UserError:
    return UserError(
        f"{path}: unreadable, so what its folder holds is unknown: "
        "restore it, give this run a name with experiment_name=..., or replace that one with overwrite=true"
    )


def _settings(settings: RunSettings, source: str) -> dict[str, Any]:
    stack = {"canvas": settings.stack.canvas, "dtype": settings.stack.dtype}
    rest = {"base_seed": settings.base_seed, "dataset.domains": settings.dataset.domains, "stack": stack}
    return {**settings.methods, **rest, **({SOURCE: source} if source else {})}
