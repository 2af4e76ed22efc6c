"""Distances of each method's pictures from true ones, as a small table beside the main one."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.core.files import write_csv
from spin_bench.core.progress import watched
from spin_bench.diffusion.latents import to_tensor
from spin_bench.metrics import set_level
from spin_bench.metrics.batch import context_box, square_crop
from spin_bench.metrics.case_features import encoded
from spin_bench.metrics.extra_encoders import ENCODERS, Encoders
from spin_bench.metrics.set_level import SetScore, over_subsets
from spin_bench.metrics.sets import SET_METRICS, SetMetric
from spin_bench.run.prepare import Run
from spin_bench.store.artefacts import Artefacts

COLUMNS = ["method", "metric", "mean", "lo", "hi", "images", "subset", "against"]
LEAST = 4  # cases; fewer are no set


def write_set_table(run: Run, folder: Path) -> list[str]:
    """Write set_level.csv into `folder`; one line a distance for the notes under the main table.

    A set has one image a case, the first, cut to the mask's box enlarged 1.5 times; it is compared with the same cuts
    of the true composites, or of the untouched backgrounds where a benchmark does not know the truth.
    """
    if not run.settings.set_level:
        return []
    if len(run.cases) < LEAST:
        return [f"Set-level distances: left out, {len(run.cases)} cases are no set."]
    frame = set_distances(run)
    write_csv(folder / "set_level.csv", frame)
    return [_line(run, name, frame[frame["metric"] == name]) for name in run.settings.set_level]


def set_distances(run: Run) -> pd.DataFrame:
    """Columns `COLUMNS`, a row a method and distance."""
    encoders, artefacts = Encoders(run.stack.device), Artefacts(run.store.root / "artefacts")
    known = all(case.truth is not None for case in run.cases)
    against = "true composites" if known else "backgrounds"
    real = {case.id: case.truth if case.truth is not None and known else case.background for case in run.cases}
    rows = []
    todo = [(method, name) for method in run.keys for name in run.settings.set_level]
    for method, name in watched(todo, total=len(todo), label="comparing sets", console=run.console):
        metric, key = SET_METRICS[name], run.keys[method]
        cases = [case for case in run.cases if run.store.record(key, case, 0) is not None]
        if len(cases) < LEAST:
            continue
        sets = [
            _features(run, metric, what, cases, picture_of, encoders, artefacts)
            for what, picture_of in ((key, lambda c, k=key: _first(run, k, c)), (against, lambda c: real[c.id]))
        ]
        score = _score(metric, *sets)
        rows.append((method, name, score.mean, score.lo, score.hi, len(cases), score.size, against))
    return pd.DataFrame(rows, columns=COLUMNS)


def _score(metric: SetMetric, own: Tensor, other: Tensor) -> SetScore:
    distance: Callable[[Tensor, Tensor], Tensor] = getattr(set_level, metric.formula)
    if metric.subsets:
        return over_subsets(own, other, distance)
    return SetScore(distance(own, other).item(), float("nan"), float("nan"), len(own))


def _features(
    run: Run,
    metric: SetMetric,
    what: str,
    cases: list[Case],
    picture_of: Callable[[Case], Image.Image],
    encoders: Encoders,
    artefacts: Artefacts,
) -> Tensor:
    """Of the context box of one picture a case, (n, width); kept beside the pictures."""

    @torch.no_grad()
    def make() -> Tensor:
        cuts = [square_crop(to_tensor(picture_of(c)), context_box(c.box, c.mask.width)) for c in cases]
        return encoded(cuts, _encoder(run, metric.encoder, encoders)).flatten(1)

    identity = [
        what,
        [case.digest for case in cases],
        metric.encoder,
        run.stack.name,
        {} if metric.encoder in ENCODERS else run.stack.weights([metric.encoder]),
    ]
    return artefacts.tensor("set_features", identity, make)


def _encoder(run: Run, name: str, encoders: Encoders) -> Callable[[Tensor], Tensor]:
    parts: dict[str, Callable[[], Callable[[Tensor], Tensor]]] = {
        "clip": lambda: run.stack.clip.encode_image,
        "judge": lambda: run.stack.judge,
    }
    return parts[name]() if name in parts else encoders[name]


def _first(run: Run, key: str, case: Case) -> Image.Image:
    stored = run.store.get(key, case, 0)
    if stored is None:
        raise UserError(f"{run.store.root}: the first picture of {case.id} was altered: run again to paint it anew")
    return stored[0]


def _line(run: Run, name: str, rows: pd.DataFrame) -> str:
    metric = SET_METRICS[name]
    values = "; ".join(f"{run.methods[row.method].title} {row.mean:.{metric.digits}f}" for row in rows.itertuples())
    if rows.empty:
        return f"{metric.title}: no method has pictures of {LEAST} cases."
    first = rows.iloc[0]
    return (
        f"{metric.title} ↓ (sets, {first['images']} images, subsets of {first['subset']}) from the {first['against']}: "
        f"{values}."
    )
