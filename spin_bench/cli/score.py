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
from spin_bench.fold.earlier import with_earlier
from spin_bench.fold.results_folder import check_folder, results_folder, sign
from spin_bench.fold.write import fold
from spin_bench.methods.registry import methods
from spin_bench.metrics.registry import METRICS
from spin_bench.models.loading.load import load_stack
from spin_bench.run.outside import OutsideSettings, check_pictures, digest_of, find_pictures, outside_method, take_in
from spin_bench.run.painting import failures, generate
from spin_bench.run.plan import plan
from spin_bench.run.prepare import prepare
from spin_bench.run.scoring import score
from spin_bench.store.format import RESULTS, claim

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
    source = str(folder.resolve())
    settings = replace(
        settings,
        experiment=f"{settings.experiment}-{folder.resolve().name}",
        methods=settings.methods | {NAME: outside},
        samples_for=settings.samples_for | {NAME: 1 + max(k for _, k in pictures)},
    )
    earlier = check_folder(settings, source)
    run = prepare(settings, load_stack(settings.stack), known, METRICS, console)
    table = with_earlier(run, earlier, known, METRICS)
    check_pictures(run, pictures)
    claim(results_folder(settings), RESULTS)
    with run.store.in_use(table.keys.values()):
        take_in(run, NAME, pictures)
        generate(run, [job for job in plan(run) if job.method != NAME])
        score(run)
        sign(table, source)
        written = fold(table)
    told = f"{len(pictures)} pictures of {folder}. Table, figures and pictures: {written}"
    console.print(told, markup=False, soft_wrap=True)
    missing = failures(run)
    if missing:
        console.print(f"{len(missing)} pictures are missing, the table counts them")
    if run.unusable:
        console.print(f"{len(run.unusable)} entries are unusable, the table counts them as missing")
    return SOME_MISSING if missing or run.unusable else DONE
