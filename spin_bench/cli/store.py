"""`spin-bench store ls | verify | gc | export`: look after a store."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spin_bench.cli.command import Command, Group, command
from spin_bench.cli.exit_codes import DONE, SOME_FAILED

if TYPE_CHECKING:
    from rich.console import Console

DIGITS = 12  # of a run key, as it is printed


@click.group(cls=Group)
def store() -> None:
    """List, check, tidy and copy the store, where every picture and score lies once."""


def _of_a_store(**declared: object) -> Callable[[Callable[..., int]], Command]:
    """A command of `store`, with the options that name a store and keys in it."""

    def declare(function: Callable[..., int]) -> Command:
        for option in (
            click.option("--key", default="", metavar="3fa9...", help="Only run keys that begin so."),
            click.option("--results-dir", default="results", help="Where runs write.", show_default=True),
            click.option("--store-dir", metavar="FOLDER", help="The store; by default the results' own, store/."),
        ):
            function = option(function)
        declared_command = command(**declared)(function)  # type: ignore[arg-type]
        store.add_command(declared_command)
        return declared_command

    return declare


def _folder(store_dir: str | None, results_dir: str) -> Path:
    """The store's folder; `UserError` where there is none or another version's."""
    from spin_bench.config.paths import expanded
    from spin_bench.store.format import STORE, require

    root = expanded("store_dir", store_dir) if store_dir else expanded("results_dir", results_dir) / "store"
    require(root, STORE)
    return root


def _keys(root: Path, prefix: str) -> list[str]:
    from spin_bench.core.errors import UserError
    from spin_bench.store.upkeep import run_keys

    keys = run_keys(root, prefix)
    if prefix and not keys:
        raise UserError(f"{root}: no run key begins with {prefix!r}: see spin-bench store ls")
    return keys


@_of_a_store(examples=["spin-bench store ls", "spin-bench store ls --store-dir /data/store --key 3fa9"])
def ls(store_dir: str | None, results_dir: str, key: str) -> int:
    """Print a line per run key: method, images, failures, size, and the settings that tell it from its siblings."""
    from datetime import datetime

    from rich.table import Table
    from rich.text import Text

    from spin_bench.cli.terminal import terminal
    from spin_bench.store.upkeep import holding, telling

    root = _folder(store_dir, results_dir)
    held = [holding(root, each) for each in _keys(root, key)]
    differing = telling(held)
    table = Table("key", "method", "images", "cases", "failed", "MB", "last", "told apart by", title=Text(str(root)))
    for one in sorted(held, key=lambda one: (one.identity.get("method", ""), one.key)):
        last = datetime.fromtimestamp(one.last).strftime("%Y-%m-%d %H:%M") if one.last else ""
        by = ", ".join(f"{name.removeprefix('settings.')}={value}" for name, value in differing[one.key].items())
        counts = (str(one.pictures), str(one.cases), str(one.failures), f"{one.megabytes:.1f}")
        method = Text(str(one.identity.get("method", "?")))
        table.add_row(one.key[:DIGITS], method, *counts, last, Text(by))
    terminal().print(table)
    return DONE


@_of_a_store(
    examples=["spin-bench store verify", "spin-bench store verify --store-dir /data/store"],
    exits={SOME_FAILED: "something is damaged; its run's command does it again"},
)
def verify(store_dir: str | None, results_dir: str, key: str) -> int:
    """Compare every picture with its digest and every line with its checksum."""
    from spin_bench.cli.terminal import say, terminal
    from spin_bench.store.upkeep import holding, problems

    root, console = _folder(store_dir, results_dir), terminal()
    count = 0
    for line in (line for each in _keys(root, key) for line in problems(root, each)):
        count += 1
        say(console, line)
    if count:
        say(console, f"{root}: {count} problems; their run's command does again what is gone")
        return SOME_FAILED
    pictures = sum(holding(root, each).pictures for each in _keys(root, key))
    say(console, f"{root}: {pictures} pictures, all as they were written")
    return DONE


@_of_a_store(examples=["spin-bench store gc --dry-run", "spin-bench store gc --unused --results-dir results"])
@click.option("--unused", is_flag=True, help="Also run keys that no results folder was made from.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
def gc(store_dir: str | None, results_dir: str, key: str, unused: bool, dry_run: bool) -> int:
    """Remove half-written files and pictures that no record tells of."""
    from spin_bench.cli.terminal import say, terminal
    from spin_bench.config.paths import expanded
    from spin_bench.store.upkeep import remove, rubbish
    from spin_bench.store.uses import results_keys

    root, console, freed, count = _folder(store_dir, results_dir), terminal(), 0, 0
    in_results = results_keys(expanded("results_dir", results_dir), root) if unused else set()
    for path in list(rubbish(root)):
        freed, count = freed + path.stat().st_size, count + 1
        if not dry_run:
            path.unlink(missing_ok=True)
    for each in _unused(root, key, in_results, console) if unused else []:
        files = [path for path in (root / each).rglob("*") if path.is_file()]
        freed, count = freed + sum(path.stat().st_size for path in files), count + len(files)
        say(console, f"{each[:DIGITS]}: nobody needs it")
        if not dry_run:
            remove(root, each)
    say(console, f"{root}: {count} files, {'would free' if dry_run else 'freed'} {freed / 1e6:.1f} MB")
    return DONE


def _unused(root: Path, prefix: str, in_results: set[str], console: "Console") -> Iterator[str]:
    """The run keys that nobody needs, one at a time; says why another one stays that is in no results folder."""
    from spin_bench.cli.terminal import say
    from spin_bench.store.upkeep import unused

    for key, why in unused(root, _keys(root, prefix), in_results, named=bool(prefix)):
        if why:
            say(console, f"{key[:DIGITS]}: kept, {why}")
        else:
            yield key


@_of_a_store(examples=["spin-bench store export --to /data/copy", "spin-bench store export --key 3fa9 --to /data/copy"])
@click.option("--to", metavar="FOLDER", help="A new store, or one to add to.")
def export(store_dir: str | None, results_dir: str, key: str, to: str | None) -> int:
    """Copy what is sound into another store; a copy may be copied over any store to add to it."""
    from spin_bench.cli.terminal import say, terminal
    from spin_bench.config.paths import expanded
    from spin_bench.core.errors import UserError
    from spin_bench.store.export import export as exported

    root = _folder(store_dir, results_dir)
    if not to:
        raise UserError("store export needs --to FOLDER, a new store or one to add to")
    target = expanded("to", to)
    if target.resolve() == root.resolve():
        raise UserError(f"to={target}: is the store itself: name another folder")
    pictures = sum(exported(root, each, target) for each in _keys(root, key))
    say(terminal(), f"{target}: {pictures} pictures; copy it over any store to add them there")
    return DONE
