"""`spin-bench [run]` paints, scores and folds one experiment; `spin-bench fold` folds what is there."""

from collections.abc import Callable

from omegaconf import DictConfig
from rich.console import Console

from spin_bench.cli.dry import dry_command
from spin_bench.config.settings import run_settings
from spin_bench.core.stopping import Stopped
from spin_bench.fold.fold import fold
from spin_bench.fold.results_folder import check_name, sign
from spin_bench.methods.registry import methods
from spin_bench.metrics.registry import METRICS
from spin_bench.models.config import StackConfig
from spin_bench.models.loading.load import load_stack
from spin_bench.models.stack import Stack
from spin_bench.run.executors.registry import executor
from spin_bench.run.painting import failures
from spin_bench.run.run import Run, plan, prepare, unpainted
from spin_bench.run.scoring import unscored

LoadStack = Callable[[StackConfig], Stack]
DONE, SOME_FAILED = 0, 3


def run_command(config: DictConfig, console: Console, load: LoadStack = load_stack) -> int:
    """Paint, score and fold one experiment; a worker that leaves others something to do does not fold."""
    if config.dry_run:
        return dry_command(config, console)
    run = _prepared(config, console, load)
    execute = executor(run.settings)
    todo = sum(len(job.missing) for job in plan(run))
    console.print(f"{len(run.cases)} cases, {len(run.keys)} methods; {todo} images to paint")
    try:
        with run.stop.listening():
            execute(run)
    except Stopped:
        run.store.refresh()
        console.print(f"{todo - sum(len(job.missing) for job in plan(run))} of {todo} images were painted")
        raise
    run.store.refresh()
    if waiting := _waiting(run):
        console.print(f"{waiting} left to other workers: the last of them writes the table, or spin-bench fold does")
        return DONE
    return _fold(run, console)


def fold_command(config: DictConfig, console: Console) -> int:
    """Write the results folder from what the store holds, and say what is missing; exit code 3 where anything is."""
    run = _prepared(config, console, load_stack)
    waiting = _waiting(run)
    if waiting:
        console.print(f"{waiting} are missing: the table is not finished")
    return _fold(run, console) or (SOME_FAILED if waiting else DONE)


def _prepared(config: DictConfig, console: Console, load: LoadStack) -> Run:
    known = methods()
    settings = run_settings(config, known, METRICS)
    executor(settings)  # what it would refuse is said before a model is loaded
    run = prepare(settings, load(settings.stack), known, METRICS, console)
    check_name(run)
    return run


def _waiting(run: Run) -> str:
    """What is not done, in words; "" where everything is painted, or known to have failed, and scored."""
    counts = {"images": unpainted(run), "scores of cases": unscored(run)}
    return " and ".join(f"{count} {what}" for what, count in counts.items() if count)


def _fold(run: Run, console: Console) -> int:
    failed = failures(run)
    if failed and not any(run.store.records(k, c, run.samples(m)) for m, k in run.keys.items() for c in run.cases):
        console.print(f"all {len(failed)} images failed ({failed[0].reason}), so there is no table", markup=False)
        return SOME_FAILED
    sign(run)
    folder = fold(run)
    console.print(f"Open [bold]{folder / 'index.html'}[/bold]: table, figures and every picture", soft_wrap=True)
    if failed:
        console.print(f"{len(failed)} images failed, the table counts them as missing; the same command tries again")
        return SOME_FAILED
    return DONE
