"""The words of a command, `name=value` in Hydra's grammar: read, checked, and the short forms of ours spelled out.

Nothing here imports a model, so a misspelt name is said at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Sweep
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from spin_bench.core.errors import UserError, unknown

EVERY = ("steps", "guidance_scale")  # short for settings.<method>.<name> of every method that has it
OPEN = ("samples_for", "variants")  # mappings that start empty: what is put into them needs no "+"
PATHS = ("results_dir", "store_dir", "dataset.root", "stack.root", "stack.lock")  # text, whatever is in it
NULLABLE = ("method", "sweep")  # groups of which none may be chosen
OURS = ("every", "published")  # groups of the composition that are no words of anybody's
NO_SETTING = "give it a value instead"


def config_folder() -> Path:
    """`conf/` inside the package once installed, else the checkout's."""
    package = Path(__file__).parents[1]
    return package / "conf" if (package / "conf").is_dir() else package.parent / "conf"


def read_words(words: Sequence[str]) -> list[Override]:
    """Every word as Hydra reads it; `UserError` for one that it cannot read, or whose name or group is not known."""
    overrides = []
    for word in map(_with_quoted_path, words):
        override = _parsed(word)
        _check_name(override)
        _check_value(override)
        if override.key_or_group.partition(".")[0] in OPEN and word[0] not in "+~":
            override = _parsed(f"++{word}")
        overrides.append(override)
    return overrides


def for_every_method(overrides: Sequence[Override], fields: Mapping[str, Mapping[str, object]]) -> list[str]:
    """What `steps=` and `guidance_scale=` are short for; `fields` are the methods' settings by name."""
    return [
        f"settings.{method}.{override.key_or_group}={override.get_value_string()}"
        for override in overrides
        if override.key_or_group in EVERY and not override.is_delete() and override.value() is not None
        for method, settings in fields.items()
        if override.key_or_group in settings
    ]


def jobs(overrides: Sequence[Override]) -> list[list[str]]:
    """The words of some jobs of a sweep that take every value at least once; `UserError` for a sweep over nothing.

    To be checked before any job is begun: all of their combinations may be many.
    """
    options = [
        [f"{override.get_key_element()}={value}" for value in _swept(override)]
        if override.is_sweep_override()
        else [_line(override)]
        for override in overrides
    ]
    first = [words[0] for words in options]
    others = [[*first[:i], word, *first[i + 1 :]] for i, words in enumerate(options) for word in words[1:]]
    return [first, *others]


def _swept(override: Override) -> list[str]:
    try:
        values = list(override.sweep_string_iterator())
    except (HydraException, ValueError, TypeError) as error:
        raise UserError(f"{_line(override)}: cannot be swept over ({error}): list the values, a,b,c") from error
    if not values:
        raise UserError(f"{_line(override)}: a sweep over no value: list the values, a,b,c")
    return values


@cache
def known_names() -> dict[str, list[str] | None]:
    """Names that stand at the top of the configuration; of groups their options, None where Python knows them."""
    path = config_folder() / "config.yaml"
    config = OmegaConf.load(path)
    assert isinstance(config, DictConfig)
    groups = [str(name).partition("@") for entry in config.pop("defaults") for name in entry if entry != "_self_"]
    names: dict[str, list[str] | None] = {
        package or group: sorted(option.stem for option in (path.parent / group).glob("*.yaml")) or None
        for group, _, package in groups
        if package or group not in OURS
    }
    return names | {str(name): None for name in config}


def _check_name(override: Override) -> None:
    head = override.key_or_group.replace("/", ".").partition(".")[0]
    if head not in known_names() or override.package is not None:
        name = head if override.package is None else f"{override.key_or_group}@{override.package}"
        raise unknown("setting", name, [name for name in known_names() if name != "hydra"])
    if override.is_delete() and head not in OPEN:
        raise UserError(f"{_line(override)}: a setting cannot be taken away: {NO_SETTING}, {head}=...")
    if override.is_delete() and head == override.key_or_group:
        raise UserError(f"{_line(override)}: take out what is in it, ~{head}.<method>")
    if override.key_or_group.startswith("stack.overrides"):
        name = override.key_or_group.removeprefix("stack.overrides")
        raise UserError(f"{override.key_or_group}: is the stack's own: your word for it is settings{name}=...")


def _check_value(override: Override) -> None:
    if override.is_delete():
        return
    name, value, options = override.key_or_group, override.value(), known_names().get(override.key_or_group)
    if value == {}:
        raise UserError(f"{_line(override)}: an empty mapping changes nothing: take single names out, ~{name}.<name>")
    if not is_group(override):
        return
    for option in value.list if isinstance(value, Sweep) and hasattr(value, "list") else [value]:
        option = getattr(option, "text", option)
        if option is None and name in NULLABLE:
            continue
        if isinstance(option, (list, dict)) or option in (None, ""):
            raise UserError(f"{_line(override)}: takes one name: {name}={'|'.join(options or ['<name>'])}")
        if options and str(option) not in options:
            raise unknown(name, str(option), options)


def is_group(override: Override) -> bool:
    """Whether a word chooses a file, and does not set a value."""
    return override.key_or_group == "method" or known_names().get(override.key_or_group) is not None


def _line(override: Override) -> str:
    return str(override.input_line)


def _parsed(word: str) -> Override:
    """One word; `UserError` says how to quote where its value is none of Hydra's."""
    if "=" not in word and not word.startswith("~"):
        raise UserError(f"{word!r}: a setting needs a value: {word}=...")
    try:
        return OverridesParser.create().parse_override(word)
    except (HydraException, ValueError, AssertionError) as error:
        name, _, value = word.partition("=")
        quoted = value.strip("'\"").replace('"', "")
        raise UserError(f"{word!r} cannot be read: quote what is no plain word: '{name}=\"{quoted}\"'") from error


def _with_quoted_path(word: str) -> str:
    """A path is text: no letter in it means anything to Hydra, but for a list, a choice, null and ${...}."""
    name, _, value = word.partition("=")
    if name.lstrip("+") not in PATHS or value in ("", "null", "???") or value[0] in "'\"[{" or "," in value:
        return word
    escaped = value.replace('"', '\\"')
    return f'{name}="{escaped}"'


def spelled(overrides: Sequence[Override]) -> Iterator[str]:
    """The words that Hydra is given."""
    return map(_line, overrides)
