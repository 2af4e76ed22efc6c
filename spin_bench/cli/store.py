"""`spin-bench store ls | verify | gc | export | migrate`: look after a store. Settings: `store` in conf/config.yaml."""

import shutil
from datetime import datetime
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from spin_bench.config.settings import store_folder
from spin_bench.core.errors import UserError
from spin_bench.fold.results_folder import used_keys
from spin_bench.store.export import export
from spin_bench.store.format import STORE_FORMAT, check_format
from spin_bench.store.migrate import migrate
from spin_bench.store.store import MEND
from spin_bench.store.upkeep import holding, problems, rubbish, run_keys, telling

DONE, DAMAGED = 0, 3
SHOWN = 12  # digits of a run key


def _sound_folder(config: DictConfig) -> Path:
    """The store's folder; `UserError` where there is none or another version's."""
    root = store_folder(config)
    if not root.is_dir():
        raise UserError(f"{root}: no such store; name it with store_dir=<folder>, or the results with results_dir=")
    check_format(root, wanted=STORE_FORMAT, mend=MEND.format(root=root))
    return root


def _keys(config: DictConfig, root: Path) -> list[str]:
    found = run_keys(root, config.store.key)
    if config.store.key and not found:
        raise UserError(f"{root}: no run key begins with {config.store.key!r}: see spin-bench store ls")
    return found


def ls_command(config: DictConfig, console: Console) -> int:
    """One line a run key, with the settings that tell it from others of its method."""
    root = _sound_folder(config)
    held = [holding(root, key) for key in _keys(config, root)]
    differing = telling(held)
    table = Table("key", "method", "images", "cases", "failed", "MB", "last", "told apart by", title=str(root))
    for one in sorted(held, key=lambda one: (one.identity.get("method", ""), one.key)):
        last = datetime.fromtimestamp(one.last).strftime("%Y-%m-%d %H:%M") if one.last else ""
        by = ", ".join(f"{name.removeprefix('settings.')}={value}" for name, value in differing[one.key].items())
        counts = (str(one.pictures), str(one.cases), str(one.failures), f"{one.megabytes:.1f}")
        table.add_row(one.key[:SHOWN], one.identity.get("method", "?"), *counts, last, by)
    console.print(table)
    return DONE


def verify_command(config: DictConfig, console: Console) -> int:
    """Compare every picture with its digest and every line with its checksum; exit code 3 where one is damaged."""
    root = _sound_folder(config)
    found = [line for key in _keys(config, root) for line in problems(root, key)]
    for line in found:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    pictures = sum(holding(root, key).pictures for key in _keys(config, root))
    if found:
        console.print(f"{root}: {len(found)} problems; their run's command does again what is gone", soft_wrap=True)
        return DAMAGED
    console.print(f"{root}: {pictures} pictures, all as they were written", soft_wrap=True)
    return DONE


def gc_command(config: DictConfig, console: Console) -> int:
    """Remove what no reader looks at, and with store.unused=true the run keys that no results folder was made from."""
    root, freed, count = _sound_folder(config), 0, 0
    for path in list(rubbish(root)):
        freed, count = freed + path.stat().st_size, count + 1
        if not config.store.dry_run:
            path.unlink(missing_ok=True)
    unused = set(_keys(config, root)) - used_keys(Path(config.results_dir)) if config.store.unused else set()
    for key in sorted(unused):
        files = [path for path in (root / key).rglob("*") if path.is_file()]
        freed, count = freed + sum(path.stat().st_size for path in files), count + len(files)
        console.print(f"{key[:SHOWN]}: in no results folder below {config.results_dir}", highlight=False)
        if not config.store.dry_run:
            shutil.rmtree(root / key)
    verb = "would free" if config.store.dry_run else "freed"
    console.print(f"{root}: {count} files, {verb} {freed / 1e6:.1f} MB", highlight=False, soft_wrap=True)
    return DONE


def export_command(config: DictConfig, console: Console) -> int:
    """Copy what is sound into the store at store.to."""
    root = _sound_folder(config)
    if not config.store.to:
        raise UserError("spin-bench store export needs store.to=<folder>, a new store or one to add to")
    target = Path(config.store.to)
    if target.resolve() == root.resolve():
        raise UserError(f"store.to={target}: is the store itself: name another folder")
    pictures = sum(export(root, key, target) for key in _keys(config, root))
    console.print(f"{target}: {pictures} pictures; copy it over any store to add them there", soft_wrap=True)
    return DONE


def migrate_command(config: DictConfig, console: Console) -> int:
    """Bring a store of an older format over."""
    root = store_folder(config)
    console.print(f"{root}: {migrate(root)} pictures came over, now in format {STORE_FORMAT}", soft_wrap=True)
    return DONE
