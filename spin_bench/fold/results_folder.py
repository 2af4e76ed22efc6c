"""One results folder holds one run: another of the same name must have its settings, or a name of its own."""

import json
from pathlib import Path
from typing import Any

from spin_bench.config.settings import RunSettings
from spin_bench.core.errors import UserError
from spin_bench.core.files import write_whole
from spin_bench.core.identity import canonical, leaves
from spin_bench.run.run import Run

RUN_FILE = "run.json"
SHOWN = 4  # differences in a message


def results_folder(settings: RunSettings) -> Path:
    return settings.results_dir / settings.stack.name / settings.dataset.name / settings.experiment


def check_name(run: Run) -> None:
    """`UserError` where the results folder holds a run with other settings, unless `overwrite`.

    Compared is what changes a picture: the settings of the methods that both have, the seed, domains and precision.
    More or fewer cases, images, methods or metrics are the same run at another size, and other weights another version
    of it: they replace its tables, and from the store the old ones come back in seconds.
    """
    folder = results_folder(run.settings)
    try:
        before = leaves(json.loads((folder / RUN_FILE).read_text())["settings"])
    except (OSError, ValueError, KeyError, TypeError):
        return
    now = leaves(json.loads(canonical(_settings(run.settings))))
    differing = [name for name in sorted(now) if name in before and before[name] != now[name]]
    if differing and not run.settings.overwrite:
        shown = ", ".join(f"{name} {before[name]} there, {now[name]} here" for name in differing[:SHOWN])
        more = f" and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
        raise UserError(
            f"{folder} holds a run with other settings ({shown}{more}): "
            "give this one a name with experiment_name=..., or replace that one with overwrite=true"
        )


def sign(run: Run) -> None:
    """Say in the results folder which run it holds."""
    content = {"settings": _settings(run.settings), "keys": run.keys}
    write_whole(results_folder(run.settings) / RUN_FILE, canonical(content).encode())


def used_keys(results: Path) -> set[str]:
    """The run keys that the results folders below `results` were folded from."""
    return {key for path in results.rglob(RUN_FILE) for key in json.loads(path.read_text())["keys"].values()}


def _settings(settings: RunSettings) -> dict[str, Any]:
    stack = {"canvas": settings.stack.canvas, "dtype": settings.stack.dtype}
    rest = {"base_seed": settings.base_seed, "dataset.domains": settings.dataset.domains, "stack": stack}
    return {**settings.methods, **rest}
