"""One experiment from its configuration to its results folder."""

from collections.abc import Callable
from dataclasses import replace

from omegaconf import DictConfig
from rich.console import Console

from spin_bench.cli.exit_codes import DONE, SOME_FAILED
from spin_bench.cli.guarded import naming
from spin_bench.cli.terminal import say
from spin_bench.config.settings import RunSettings, run_settings
from spin_bench.core.allocator import keep_memory
from spin_bench.core.errors import UserError
from spin_bench.core.stopping import Stopped
from spin_bench.cost.dry_run import dry_run
from spin_bench.fold.earlier import with_earlier
from spin_bench.fold.provenance import changed_metrics
from spin_bench.fold.results_folder import check_folder, results_folder, sign
from spin_bench.fold.write import fold
from spin_bench.methods.registry import methods
from spin_bench.metrics.registry import METRICS
from spin_bench.models.config import StackConfig
from spin_bench.models.loading.load import load_stack
from spin_bench.models.stack import Stack
from spin_bench.run.executors.registry import executor
from spin_bench.run.painting import failures
from spin_bench.run.plan import images, plan, unpainted
from spin_bench.run.prepare import Run, prepare
from spin_bench.run.scoring import unscored
from spin_bench.store.format import RESULTS, claim

LoadStack = Callable[[StackConfig], Stack]


def run_experiment(config: DictConfig, console: Console, load: LoadStack = load_stack, *, job: str = "") -> int:
    """Paint, score and fold; a worker that leaves others something to do does not fold.

    `job` is the folder of a job within its sweep's. With `dry_run` nothing is kept, and random weights are allowed.
    """
    settings = _settings(config, job)
    keep_memory()
    if config.dry_run:
        dry_run(settings, load_stack(settings.stack, dry_run=True), methods(), console)
        return DONE
    with naming(settings.results_dir):
        run, table = _prepared(settings, console, load)
        claim(results_folder(settings), RESULTS)
        with run.store.in_use(table.keys.values()):
            if waiting := _execute(run):
                told = "left to other workers: the last one writes the table, or spin-bench fold does"
                console.print(f"{waiting} {told}")
                return DONE
            return _fold(run, table)


def fold_experiment(config: DictConfig, console: Console) -> int:
    """Write the results folder from what the store holds, and say what is missing."""
    settings = _settings(config)
    with naming(settings.results_dir):
        run, table = _prepared(settings, console, load_stack)
        waiting = _waiting(run)
        if waiting and not any(run.store.scores(task.key, task.case) for task in run.tasks()):
            raise UserError(f"{run.store.root}: nothing of this run is scored yet: run the same command without fold")
        with run.store.in_use(table.keys.values()):
            if waiting:
                console.print(f"{waiting} are missing: the table is not finished")
            return _fold(run, table) or (SOME_FAILED if waiting else DONE)


def _settings(config: DictConfig, job: str = "") -> RunSettings:
    settings = run_settings(config, methods(), METRICS)
    executor(settings)  # what it would refuse is said before a model is loaded
    return replace(settings, experiment="/".join(filter(None, (settings.experiment, job))))


def _prepared(settings: RunSettings, console: Console, load: LoadStack) -> tuple[Run, Run]:
    """The run, and the same run with what its table keeps of an earlier one; nothing is written."""
    earlier = check_folder(settings)
    run = prepare(settings, load(settings.stack), methods(), METRICS, console)
    for line in changed_metrics(run, results_folder(settings)):
        say(console, line)
    return run, with_earlier(run, earlier, methods(), METRICS)


def _execute(run: Run) -> str:
    """Paint and score; returns what is left to other workers, in words."""
    todo, console = images(plan(run)), run.console
    console.print(f"{len(run.cases)} cases, {len(run.keys)} methods; {todo} images to paint")
    try:
        with run.stop.listening():
            executor(run.settings)(run)
    except Stopped:
        run.store.refresh()
        console.print(f"{todo - images(plan(run))} of {todo} images were painted")
        raise
    run.store.refresh()
    return _waiting(run)


def _waiting(run: Run) -> str:
    """What is not done, in words; "" where everything is painted, or known to have failed, and scored."""
    counts = {"images": unpainted(run), "scores of cases": unscored(run)}
    return " and ".join(f"{count} {what}" for what, count in counts.items() if count)


def _fold(run: Run, table: Run) -> int:
    failed, console = failures(run), run.console
    if failed and not any(run.records(task) for task in run.tasks()):
        say(console, f"all {len(failed)} images failed ({failed[0].reason}), so there is no table")
        return SOME_FAILED
    sign(table)
    folder = fold(table)
    if table.kept:
        titles = ", ".join(table.methods[name].title for name in table.keys if name in table.kept)
        say(console, f"Kept from an earlier run of this name: {titles}; overwrite=true leaves them out")
    say(console, "Open ", folder / "index.html", ": table, figures and every picture")
    if run.unusable:
        say(console, f"{len(run.unusable)} entries are unusable, the table counts them as missing")
    if failed:
        say(console, f"{len(failed)} images failed, the table counts them as missing; the same command tries again")
    return SOME_FAILED if failed or run.unusable else DONE
