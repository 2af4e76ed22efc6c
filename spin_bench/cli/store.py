"""`spin-bench store ls | verify | gc | export`: look after a store. Settings: `store` in conf/config.yaml."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from spin_bench.config.settings import store_folder
from spin_bench.core.errors import UserError
from spin_bench.store.export import export
from spin_bench.store.format import STORE, require
from spin_bench.store.upkeep import holding, problems, remove, rubbish, run_keys, telling, unused
from spin_bench.store.uses import results_keys

DONE, DAMAGED = 0, 3
DIGITS = 12  # digits of a run key


def _sound_folder(config: DictConfig) -> Path:
    """The store's folder; `UserError` where there is none or another version's."""
    root = store_folder(config)
    require(root, STORE)
    return root


def _keys(config: DictConfig, root: Path) -> list[str]:
    keys = run_keys(root, config.store.key)
    if config.store.key and not keys:
        raise UserError(f"{root}: no run key begins with {config.store.key!r}: see spin-bench store ls")
    return keys


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
        table.add_row(one.key[:DIGITS], one.identity.get("method", "?"), *counts, last, by)
    console.print(table)
    return DONE


def verify_command(config: DictConfig, console: Console) -> int:
    """Compare every picture with its digest and every line with its checksum; exit code 3 where one is damaged."""
    root = _sound_folder(config)
    count = 0
    for line in (line for key in _keys(config, root) for line in problems(root, key)):
        count += 1
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if count:
        console.print(f"{root}: {count} problems; their run's command does again what is gone", soft_wrap=True)
        return DAMAGED
    pictures = sum(holding(root, key).pictures for key in _keys(config, root))
    console.print(f"{root}: {pictures} pictures, all as they were written", soft_wrap=True)
    return DONE


def gc_command(config: DictConfig, console: Console) -> int:
    """Remove what no reader looks at, and with store.unused=true the run keys that nobody needs."""
    root, freed, count = _sound_folder(config), 0, 0
    in_results = results_keys(Path(config.results_dir), root) if config.store.unused else set()
    unneeded = _unused(config, root, in_results, console) if config.store.unused else []
    for path in list(rubbish(root)):
        freed, count = freed + path.stat().st_size, count + 1
        if not config.store.dry_run:
            path.unlink(missing_ok=True)
    for key in unneeded:
        files = [path for path in (root / key).rglob("*") if path.is_file()]
        freed, count = freed + sum(path.stat().st_size for path in files), count + len(files)
        console.print(f"{key[:DIGITS]}: nobody needs it", highlight=False)
        if not config.store.dry_run:
            remove(root, key)
    verb = "would free" if config.store.dry_run else "freed"
    console.print(f"{root}: {count} files, {verb} {freed / 1e6:.1f} MB", highlight=False, soft_wrap=True)
    return DONE


def _unused(config: DictConfig, root: Path, in_results: set[str], console: Console) -> Iterator[str]:
    """The run keys that nobody needs, one at a time; says why another one stays that is in no results folder."""
    for key, why in unused(root, _keys(config, root), in_results, named=bool(config.store.key)):
        if why:
            console.print(f"{key[:DIGITS]}: kept, {why}", highlight=False, markup=False, soft_wrap=True)
        else:
            yield key


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
