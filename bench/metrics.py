"""What scoring costs, and what sharing saves: `make bench-metrics`.

The main table's metrics over pictures of the embedded benchmark, twice. First as `spin-bench` scores them: sixteen
pictures together, an encoder sees a picture once whatever number of metrics read its features, and a case's own
features are computed once. Then as metrics are called one by one: every metric, picture by picture, crops and encodes
for itself, with torchmetrics' own PSNR and SSIM where they are in the table; only the texts of styles and prompts are
kept. The networks are the same, so the values have to agree, and the bench ends with an error where they do not.
"""

import argparse
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor

from spin_bench.config.compose import compose
from spin_bench.config.settings import dataset_config, stack_config
from spin_bench.core.case import Case
from spin_bench.core.progress import watcher
from spin_bench.datasets.benchmarks import load_cases
from spin_bench.metrics import case_features
from spin_bench.metrics.batch import Batch
from spin_bench.metrics.case_features import CaseFeatures, portions
from spin_bench.metrics.extra_encoders import Encoders
from spin_bench.metrics.preservation import levels
from spin_bench.metrics.registry import METRICS, metric_names
from spin_bench.metrics.validation.degradations import LADDERS
from spin_bench.models.loading.load import load_stack
from spin_bench.models.stack import Stack
from spin_bench.run.scoring import computed

IMAGES_A_CASE = 4
AGREE = 1e-4  # of a metric's range
LIBRARY = {"psnr_bg": "peak_signal_noise_ratio", "ssim_bg": "structural_similarity_index_measure"}


def _pictures(cases: list[Case], images: int) -> list[tuple[Case, Image.Image]]:
    """IMAGES_A_CASE different pictures of each case: rungs of a ladder, since no method need paint for this."""
    ladder = LADDERS["colour_shift"]
    return [(case, ladder.paint(case, k + 1)) for case in cases for k in range(IMAGES_A_CASE)][:images]


@torch.no_grad()
def shared(names: list[str], pairs: list[tuple[Case, Image.Image]], stack: Stack) -> dict[str, Tensor]:
    """As `spin_bench.run.scoring` does it."""
    values: dict[str, list[Tensor]] = {name: [] for name in names}
    metrics, encoders = [METRICS[name] for name in names], Encoders(stack.device)
    for some in portions(list({case.id: case for case, _ in pairs}.values())):
        about, ids = CaseFeatures(some, stack, encoders), {case.id for case in some}
        for together in portions([pair for pair in pairs if pair[0].id in ids]):
            for name, found in computed(metrics, *zip(*together, strict=True), about).items():
                values[name].append(found)
    return {name: torch.cat(found) for name, found in values.items()}


@torch.no_grad()
@patch.object(case_features, "TOGETHER", 1)
def one_by_one(names: list[str], pairs: list[tuple[Case, Image.Image]], stack: Stack) -> dict[str, Tensor]:
    """Every metric, picture by picture."""
    encoders = Encoders(stack.device)
    values = {}
    for name in names:
        found = []
        for case, picture in pairs:
            batch = Batch([case], [picture], stack, CaseFeatures([case], stack, encoders))
            found.append(_library(name, batch) if name in LIBRARY else METRICS[name].compute(batch))
        values[name] = torch.cat(found)
    return values


def _library(name: str, batch: Batch) -> Tensor:
    """torchmetrics over the whole frame; its value is not ours, which leaves the mask out, but its cost is."""
    from torchmetrics.functional import image  # after spin_bench, which lets torchvision be imported

    measure = getattr(image, LIBRARY[name])
    return measure(levels(batch.images), levels(batch.backgrounds), data_range=1.0).double()[None]


def _timed(run: Callable[[], dict[str, Tensor]], rounds: int) -> tuple[float, dict[str, Tensor]]:
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        values = run()
        seconds.append(time.perf_counter() - started)
    return min(seconds), values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    parser.add_argument("overrides", nargs="*", help="as for spin-bench, for example metrics=[clip_i_crop,lpips_bg]")
    options = parser.parse_args()
    console, config = Console(), compose(["experiment=table1", *options.overrides])
    names, stack = metric_names(list(config.metrics)), load_stack(stack_config(config))
    limit = options.images // IMAGES_A_CASE
    loaded = load_cases(dataset_config(config), watcher(console), limit=limit, canvas=stack.canvas)
    pairs = _pictures(loaded.cases, options.images)
    shared(names, pairs[:IMAGES_A_CASE], stack)  # loads what is loaded once
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    few = shared(names, pairs[: len(pairs) // 2], stack)
    half = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, together = _timed(lambda: shared(names, pairs, stack), options.rounds)
    whole = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    bare, alone = _timed(lambda: one_by_one(names, pairs, stack), options.rounds)
    for name in set(names) - set(LIBRARY):
        low, high = METRICS[name].range
        torch.testing.assert_close(together[name], alone[name], atol=AGREE * (high - low), rtol=0, equal_nan=True)
        torch.testing.assert_close(together[name][: len(few[name])], few[name], atol=1e-5, rtol=0, equal_nan=True)
    figures = {"images": len(pairs), "metrics": names, "seconds": seconds, "one_by_one_seconds": bare}
    figures |= {"speed_up": bare / seconds, "grown_mb_half": (half - before) / 1024, "grown_mb": (whole - half) / 1024}
    table = Table("images", "metrics", "s", "one by one, s", "faster", "memory of the second half, MB")
    row = (str(len(pairs)), str(len(names)), f"{seconds:.2f}", f"{bare:.2f}", f"{bare / seconds:.1f}x")
    table.add_row(*row, f"{(whole - half) / 1024:.0f}")
    console.print(table)
    console.print(f"{', '.join(names)}; {torch.get_num_threads()} threads, best of {options.rounds}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
