"""How every command is declared: a sentence, examples, options and exit codes, which together are its --help.

An option may also be written like a setting, `images=/my/pictures` for `--images /my/pictures`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from spin_bench.cli.exit_codes import BAD_INPUT, DONE, MEANINGS, SIGNALLED
from spin_bench.core.errors import UserError, unknown

HELP = {"help_option_names": ["-h", "--help"]}
WORDS = "[NAME=VALUE]..."


class Command(click.Command):
    """A command with examples and exit codes."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), exits: Mapping[int, str] | None = None, **kwargs: Any):
        super().__init__(*args, **{**kwargs, "context_settings": HELP})
        self.examples = examples
        self.exits = {DONE: MEANINGS[DONE], BAD_INPUT: MEANINGS[BAD_INPUT], **(exits or {})}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        options = {str(p.name): p for p in self.params if isinstance(p, click.Option)}
        return super().parse_args(ctx, [word for arg in args for word in _as_option(arg, options)])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write(f"{'':>{formatter.current_indent}}{example}\n")
        with formatter.section("Exit codes"):
            codes = {SIGNALLED: f"{SIGNALLED} + N"}
            formatter.write_dl([(codes.get(code, str(code)), meaning) for code, meaning in sorted(self.exits.items())])


def _as_option(word: str, options: Mapping[str, click.Option]) -> list[str]:
    """`name=value` as the option of that name, if there is one; null is the option's default."""
    match = re.fullmatch(r"(?:store\.)?([a-z_]+)=(.*)", word, re.DOTALL)
    if not match or match[1] not in options:
        return [word]
    name, value = options[match[1]].opts[0], match[2]
    if options[match[1]].is_flag:
        if value not in ("true", "false"):
            raise UserError(f"{word}: must be true or false")
        return [name] if value == "true" else []
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    return [] if value == "null" else [f"{name}={value}"]


class Group(click.Group):
    """Commands by name; a name that is none is answered with the nearest."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **{**kwargs, "context_settings": HELP})

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args or ["--help"])

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they were declared, which is the one in which a reader meets them."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands and not args[0].startswith("-"):
            raise unknown(f"command{self._of_group(ctx)}", args[0], list(self.commands))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Every command with its whole sentence."""
        rows = [(name, self.commands[name].get_short_help_str(limit=500)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _of_group(self, ctx: click.Context) -> str:
        return f" of {ctx.command_path}" if ctx.parent else ""


def command(
    *, examples: Sequence[str], exits: Mapping[int, str] | None = None, name: str | None = None
) -> Callable[[Callable[..., int]], Command]:
    """Declare a function as a command; its docstring is the sentence, `exits` says more exit codes than 0 and 2."""
    return click.command(name, cls=Command, examples=examples, exits=exits)


settings = click.argument("words", nargs=-1, metavar=WORDS)
folders = click.argument("folders", nargs=-1, metavar="FOLDER...")
