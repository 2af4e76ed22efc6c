"""`spin-bench download`: fetch what a stack needs.

A file that is there and right is left alone, a cut connection goes on where it was cut, and a file that is altered is
fetched again, once.
"""

from spin_bench.cli.command import command, settings
from spin_bench.cli.exit_codes import DONE


@command(examples=["spin-bench download stack=sd14", "spin-bench download stack=sd21 stack.lock=~/weights.lock.json"])
@settings
def download(words: tuple[str, ...]) -> int:
    """Fetch what a stack needs, check every byte and write down what came."""
    from pathlib import Path

    from spin_bench.cli.terminal import say, terminal
    from spin_bench.config.compose import compose
    from spin_bench.config.settings import stack_config
    from spin_bench.core.errors import UserError
    from spin_bench.models.hub.fetch import fetch_checked
    from spin_bench.models.hub.files import pixel_folder, stack_files
    from spin_bench.models.hub.lock import read_lock, write_lock

    stack, console = stack_config(compose(words, {})), terminal()
    files = list({(file.key, file.revision): file for file in stack_files(stack)}.values())
    if not files:
        raise UserError(
            f"stack {stack.name!r} needs nothing from the hub: its models are in the package or in stack.root"
        )
    lock_path = Path(stack.lock)
    for number, file in enumerate(files, 1):
        say(console, f"[{number}/{len(files)}] {file.key}")
        fetched = fetch_checked(file, console)
        # after every file, so that nothing that was fetched is forgotten
        write_lock(lock_path, {**read_lock(lock_path), file.key: fetched})
    say(console, f"All {len(files)} files are there and right; written down in ", lock_path)
    if stack.pixel and pixel_folder(stack) is None:
        say(console, "Blended's model comes from elsewhere: spin-bench convert says from where")
    return DONE
