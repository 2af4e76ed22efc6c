"""`spin-bench score images=<folder>`: pictures made elsewhere, scored and set beside methods that paint here."""

from collections import ChainMap
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig, open_dict
from rich.console import Console

from spin_bench.config.settings import dataset_config, run_settings
from spin_bench.core.errors import UserError
from spin_bench.core.progress import watcher
from spin_bench.datasets.benchmarks import entries
from spin_bench.fold.fold import fold
from spin_bench.fold.results_folder import sign
from spin_bench.methods.registry import methods
from spin_bench.metrics.registry import METRICS
from spin_bench.models.loading.load import load_stack
from spin_bench.run.outside import OutsideSettings, digest_of, find_pictures, outside_method, take_in
from spin_bench.run.painting import failures, generate
from spin_bench.run.run import plan, prepare
from spin_bench.run.scoring import score

DONE, SOME_MISSING = 0, 3
NAME = "outside"


def score_command(config: DictConfig, console: Console) -> int:
    """Score the folder's pictures and those of the methods in `beside`, painting what the store lacks of the latter."""
    if not config.images:
        raise UserError("score needs images=<folder of pictures made elsewhere>")
    folder, known = Path(config.images), ChainMap({NAME: outside_method(config.title)}, methods())  # type: ignore[arg-type]
    with open_dict(config):
        config.methods = [NAME, *config.beside]
        config.method = None
    settings = run_settings(config, known, METRICS)
    usable, _ = entries(dataset_config(config), watcher(console), limit=settings.limit)
    pictures = find_pictures(folder, [entry.id for entry in usable])
    outside = OutsideSettings(digest_of(list(pictures.values()), folder))
    stack = load_stack(settings.stack)
    settings = replace(
        settings,
        experiment=f"{settings.experiment}-{folder.name}",
        methods=settings.methods | {NAME: outside},
        samples_for=settings.samples_for | {NAME: 1 + max(k for _, k in pictures)},
    )
    run = prepare(settings, stack, known, METRICS, console)
    take_in(run, NAME, pictures)
    generate(run, [job for job in plan(run) if job.method != NAME])
    score(run)
    sign(run)
    console.print(f"{len(pictures)} pictures of {folder}. Table, figures and pictures: [bold]{fold(run)}[/bold]")
    missing = failures(run)
    if missing:
        console.print(f"{len(missing)} pictures are missing, the table counts them")
        return SOME_MISSING
    return DONE
