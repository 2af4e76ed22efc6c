"""`spin-bench download stack=sd14`: fetch what the stack needs, check every byte, write down what came.

A file that is there and right is left alone, a cut connection goes on where it was cut, and a file that is altered is
fetched again, once.
"""

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from spin_bench.config.settings import stack_config
from spin_bench.core.errors import UserError
from spin_bench.models.hub.fetch import fetch_checked
from spin_bench.models.hub.files import pixel_folder, stack_files
from spin_bench.models.hub.lock import read_lock, write_lock


def download_command(config: DictConfig, console: Console) -> int:
    stack = stack_config(config)
    files = list({(file.key, file.revision): file for file in stack_files(stack)}.values())
    if not files:
        raise UserError(
            f"stack {stack.name!r} needs nothing from the hub: its models are in the package or in stack.root"
        )
    lock_path = Path(stack.lock)
    for number, file in enumerate(files, 1):
        console.print(f"[{number}/{len(files)}] {file.key}", markup=False, highlight=False, soft_wrap=True)
        got = fetch_checked(file, console)
        # after every file, so that nothing that was got is forgotten
        write_lock(lock_path, {**read_lock(lock_path), file.key: got})
    console.print(f"All {len(files)} files are there and right; written down in [bold]{lock_path}[/bold]")
    if stack.pixel and pixel_folder(stack) is None:
        console.print("Blended's model comes from elsewhere: spin-bench convert says from where")
    return 0
