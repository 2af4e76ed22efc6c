"""A run whose first row are pictures made elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from spin_bench.cli.exit_codes import DONE, SOME_FAILED
from spin_bench.cli.guarded import naming
from spin_bench.cli.terminal import say
from spin_bench.config.compose import compose
from spin_bench.config.paths import experiment_name
from spin_bench.config.settings import run_settings
from spin_bench.core.errors import UserError
from spin_bench.core.progress import watcher
from spin_bench.datasets.benchmarks import entries
from spin_bench.fold.earlier import with_earlier
from spin_bench.fold.results_folder import check_folder, results_folder, sign
from spin_bench.fold.write import fold
from spin_bench.methods.method import Method
from spin_bench.methods.registry import methods
from spin_bench.metrics.registry import METRICS
from spin_bench.models.loading.load import load_stack
from spin_bench.run.outside import OutsideSettings, check_pictures, digest_of, find_pictures, outside_method, take_in
from spin_bench.run.painting import failures, generate
from spin_bench.run.plan import plan
from spin_bench.run.prepare import prepare
from spin_bench.run.scoring import score
from spin_bench.store.format import RESULTS, claim

NAME = "outside"
TAKEN = ("methods", "method")  # settings that `beside` stands for


def score_outside(words: Sequence[str], folder: Path, title: str, beside: Sequence[str], console: Console) -> int:
    """Score the pictures in `folder` and those of the methods `beside`, painting what the store lacks of the latter."""
    for word in words:
        if word.partition("=")[0].lstrip("+") in TAKEN:
            raise UserError(f"{word}: score takes the methods to stand beside the pictures as beside=a,b")
    known: Mapping[str, Method] = {**methods(), NAME: outside_method(title)}
    rows = f"methods=[{','.join([NAME, *beside])}]"
    settings = run_settings(compose([*words, rows], known), known, METRICS)
    name = experiment_name(f"{settings.experiment}-{folder.resolve().name}")
    with naming(settings.results_dir):
        usable, _ = entries(settings.dataset, watcher(console), limit=settings.limit)
        pictures = find_pictures(folder, [entry.id for entry in usable])
        outside = OutsideSettings(digest_of(list(pictures.values()), folder))
        settings = replace(
            settings,
            experiment=name,
            methods=settings.methods | {NAME: outside},
            samples_for=settings.samples_for | {NAME: 1 + max(k for _, k in pictures)},
        )
        source = str(folder.resolve())
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
            say(console, f"{len(pictures)} pictures of {folder}. Table, figures and pictures: ", fold(table))
    missing = failures(run)
    if missing:
        say(console, f"{len(missing)} pictures are missing, the table counts them")
    if run.unusable:
        say(console, f"{len(run.unusable)} entries are unusable, the table counts them as missing")
    return SOME_FAILED if missing or run.unusable else DONE
