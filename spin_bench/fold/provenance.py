"""Where a result comes from: code, packages, machine, weights, seeds, settings, time."""

import json
import os
import platform
import re
import subprocess
from dataclasses import asdict
from datetime import datetime, timezone
from importlib.metadata import entry_points, requires, version
from pathlib import Path
from typing import Any

import torch

from spin_bench.core.files import write_whole
from spin_bench.core.identity import canonical, key_of
from spin_bench.run.prepare import Run

PROVENANCE = "provenance.json"


def write_provenance(run: Run, path: Path) -> None:
    """Everything that a reader needs to trust or repeat the run, as JSON with sorted keys."""
    write_whole(path, (json.dumps(provenance(run), indent=1, sort_keys=True) + "\n").encode())


def provenance(run: Run) -> dict[str, Any]:
    """Plain data. Only `time` differs between two runs of one experiment on one machine."""
    settings, ended = run.settings, datetime.now(timezone.utc)
    metrics = {**run.metrics, **run.case_metrics}
    return {
        "code": {"git": git_state(Path(__file__).parents[2])},
        "packages": packages(),
        "machine": machine(run.stack.device),
        "stack": {**asdict(settings.stack), "device": str(run.stack.device)},
        "weights": run.stack.fingerprint,
        "dataset": {
            **json.loads(canonical(settings.dataset)),
            "cases": len(run.cases),
            "sha256": key_of([[case.id, case.digest] for case in run.cases]),
        },
        "methods": {
            name: {"version": run.methods[name].version, "key": key, "settings": asdict(settings.methods[name])}
            for name, key in run.keys.items()
        },
        "left_out": run.left_out,
        "metrics": {
            name: {"version": metrics[name].version, "key": metrics[name].key(run.stack)}
            | ({"code": metrics[name].code} if metrics[name].code else {})
            for name in settings.metrics
        },
        "samples": {name: run.samples(name) for name in run.keys},
        "batch_size": settings.batch_size,
        "seeds": {"base_seed": settings.base_seed, "images": "scores.parquet, column seed"},
        "deviations": settings.deviations,
        "time": {
            "started": run.started.isoformat(timespec="seconds"),
            "ended": ended.isoformat(timespec="seconds"),
            "seconds": round((ended - run.started).total_seconds(), 1),
        },
    }


def changed_metrics(run: Run, folder: Path) -> list[str]:
    """Say of each plug-in's metric whether its code is another than the one that scored the table in `folder`."""
    try:
        before = json.loads((folder / PROVENANCE).read_text())["metrics"]
        scored = {name: (told["version"], told["code"]) for name, told in before.items() if "code" in told}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return []  # nothing there, or nothing that can be compared
    return [
        f"{metric.title}: its code changed and its version did not: its scores are computed anew"
        for name, metric in {**run.metrics, **run.case_metrics}.items()
        if name in scored and scored[name][0] == metric.version and scored[name][1] != metric.code
    ]


def packages() -> dict[str, str]:
    """Versions of Python, of ourselves, of what we depend on, and of the plug-ins that are installed."""
    needed = [line for line in requires("spin-bench") or () if "extra ==" not in line]
    names = {re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in needed}
    for group in ("spin_bench.methods", "spin_bench.metrics"):
        names |= {point.dist.name for point in entry_points(group=group) if point.dist}
    versions = {name: version(name) for name in sorted({*names, "spin-bench"})}
    return {"python": platform.python_version(), **versions}


def machine(device: torch.device) -> dict[str, Any]:
    cuda = device.type == "cuda"
    return {
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name(device) if cuda else _processor(),
        "cuda": torch.version.cuda if cuda else None,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
    }


def git_state(checkout: Path) -> dict[str, Any] | None:
    """Commit of a checkout and whether its code has been changed since; None where `checkout` is not one's top."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(checkout), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != checkout.resolve():
            return None  # installed somewhere inside another project
        changed = git("status", "--porcelain", "--", "spin_bench", "baselines", "conf")
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(changed)}
    except (OSError, subprocess.CalledProcessError):
        return None


def _processor() -> str:
    """The processor's name where the system says it."""
    try:
        model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        model = None
    return model[1] if model else platform.processor() or platform.machine()
