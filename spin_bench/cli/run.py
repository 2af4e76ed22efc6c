"""`spin-bench [run]` paints, scores and folds one experiment; `spin-bench fold` folds what is there."""

from collections.abc import Callable

from omegaconf import DictConfig
from rich.console import Console
from rich.markup import escape

from spin_bench.cli.dry import dry_command
from spin_bench.config.settings import run_settings
from spin_bench.core.errors import UserError
from spin_bench.core.stopping import Stopped
from spin_bench.fold.earlier import with_earlier
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
DONE, SOME_FAILED = 0, 3


def run_command(config: DictConfig, console: Console, load: LoadStack = load_stack) -> int:
    """Paint, score and fold one experiment; a worker that leaves others something to do does not fold."""
    if config.dry_run:
        return dry_command(config, console)
    run, table = _prepared(config, console, load)
    execute = executor(run.settings)
    claim(results_folder(run.settings), RESULTS)
    with run.store.in_use(table.keys.values()):
        todo = images(plan(run))
        console.print(f"{len(run.cases)} cases, {len(run.keys)} methods; {todo} images to paint")
        try:
            with run.stop.listening():
                execute(run)
        except Stopped:
            run.store.refresh()
            console.print(f"{todo - images(plan(run))} of {todo} images were painted")
            raise
        run.store.refresh()
        if waiting := _waiting(run):
            console.print(f"{waiting} left to other workers: the last one writes the table, or spin-bench fold does")
            return DONE
        return _fold(run, table, console)


def fold_command(config: DictConfig, console: Console) -> int:
    """Write the results folder from what the store holds, and say what is missing; exit code 3 where anything is."""
    run, table = _prepared(config, console, load_stack)
    waiting = _waiting(run)
    if waiting and not any(run.store.scores(task.key, task.case) for task in run.tasks()):
        raise UserError(f"{run.store.root}: nothing of this run is scored yet: run the same command without fold")
    with run.store.in_use(table.keys.values()):
        if waiting:
            console.print(f"{waiting} are missing: the table is not finished")
        return _fold(run, table, console) or (SOME_FAILED if waiting else DONE)


def _prepared(config: DictConfig, console: Console, load: LoadStack) -> tuple[Run, Run]:
    """The run, and the same run with what its table keeps of an earlier one; nothing is written."""
    known = methods()
    settings = run_settings(config, known, METRICS)
    executor(settings)  # what it would refuse is said before a model is loaded
    earlier = check_folder(settings)
    run = prepare(settings, load(settings.stack), known, METRICS, console)
    return run, with_earlier(run, earlier, known, METRICS)


def _waiting(run: Run) -> str:
    """What is not done, in words; "" where everything is painted, or known to have failed, and scored."""
    counts = {"images": unpainted(run), "scores of cases": unscored(run)}
    return " and ".join(f"{count} {what}" for what, count in counts.items() if count)


def _fold(run: Run, table: Run, console: Console) -> int:
    failed = failures(run)
    if failed and not any(run.records(task) for task in run.tasks()):
        console.print(f"all {len(failed)} images failed ({failed[0].reason}), so there is no table", markup=False)
        return SOME_FAILED
    sign(table)
    folder = fold(table)
    if table.kept:
        titles = ", ".join(table.methods[name].title for name in table.keys if name in table.kept)
        told = f"Kept from an earlier run of this name: {titles}; overwrite=true leaves them out"
        console.print(told, markup=False, soft_wrap=True)
    page = escape(str(folder / "index.html"))
    console.print(f"Open [bold]{page}[/bold]: table, figures and every picture", soft_wrap=True)
    if run.unusable:
        console.print(f"{len(run.unusable)} entries are unusable, the table counts them as missing")
    if failed:
        console.print(f"{len(failed)} images failed, the table counts them as missing; the same command tries again")
    return SOME_FAILED if failed or run.unusable else DONE
