"""A run's pictures under names that a person reads: `<method>/<case>/<k>.png`, a JSON record beside each."""

from dataclasses import asdict
from pathlib import Path

from spin_bench.core.errors import UserError
from spin_bench.core.files import link_whole, write_whole
from spin_bench.core.identity import canonical
from spin_bench.run.prepare import Run
from spin_bench.store import Record


def link_pictures(run: Run, images: Path) -> None:
    """Make the folder `images` hold the pictures of `run` and no others; two processes may do so at once."""
    wanted: set[Path] = set()
    for task in run.tasks():
        for k in task.ks:
            stored = run.store.stored(task.key, task.case, k)
            if stored is None:
                continue  # failed, or not painted yet; the table counts it
            target = images / task.method / task.case.id / f"{k}.png"
            try:
                link_whole(stored.path, target)
            except FileNotFoundError as error:
                raise UserError(f"{stored.path}: gone since it was read: run again to paint it anew") from error
            wanted |= {target, _describe(stored.record, target.with_suffix(".json"))}
    for path in sorted(images.glob("*/*/[0-9]*")):
        if path not in wanted:
            path.unlink(missing_ok=True)


def _describe(record: Record, path: Path) -> Path:
    content = canonical(asdict(record)).encode()
    if not path.exists() or path.read_bytes() != content:
        write_whole(path, content)
    return path
