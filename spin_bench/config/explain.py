"""What Hydra and OmegaConf say over many lines, in one, with the nearest name that there is."""

import re
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from spin_bench.config.words import is_group
from spin_bench.core.errors import UserError
from spin_bench.core.identity import leaves


def explained(error: Exception, overrides: Sequence[Override], compose: Callable[..., DictConfig]) -> UserError:
    """The `UserError` that says why `overrides` could not be composed by `compose`."""
    groups = [str(override.input_line) for override in overrides if is_group(override)]
    said = UserError(f"{one_line(error)} (in: {' '.join(str(override.input_line) for override in overrides)})")
    try:
        base = compose("config", groups)
    except (HydraException, OmegaConfBaseException, ValueError):
        return said
    ours = [override for override in overrides if not is_group(override) and not override.is_hydra_override()]
    faults = (_misplaced(override, path, base) for override in ours for path in _paths(override))
    return next((fault for fault in faults if fault), said)


def _paths(override: Override) -> Iterator[str]:
    """Where the values of a word go: `settings.spin={steps: 3}` sets settings.spin.steps."""
    value = None if override.is_delete() else override.value()
    inner = [*leaves(value)] if isinstance(value, dict) else [""]
    return (".".join(filter(None, [override.key_or_group, path])) for path in inner)


def _misplaced(override: Override, path: str, base: DictConfig) -> UserError | None:
    """Where the `path` of a word leaves what is there."""
    node: object = base
    walked: list[str] = []
    for part in path.split("."):
        if not isinstance(node, DictConfig):
            return UserError(f"{path}: {'.'.join(walked)} is a single value, it has no {part}")
        if part not in node:
            if override.is_add() or override.is_force_add():
                return None
            return unknown_setting(".".join(walked), part, [str(name) for name in node])
        walked.append(part)
        node = node._get_node(part)  # as it stands: an interpolation may lead nowhere
    if override.is_add() and path == override.key_or_group:
        return UserError(f"{override.input_line}: is there already: leave the + out")
    return None


def unknown_setting(place: str, name: str, known: Sequence[str]) -> UserError:
    """The error for a name that is not among those `known` below `place`."""
    before = f"{place}." if place else ""
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean '{before}{near[0]}'? " if near else ""
    return UserError(f"unknown setting '{before}{name}': {hint}known are {', '.join(known)}")


def one_line(error: Exception) -> str:
    """What an error of Hydra or OmegaConf says first, and of which setting."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    key = re.search(r"full_key: (\S+)", str(error))
    return f"{key[1]}: {lines[0]}" if key else lines[0]
