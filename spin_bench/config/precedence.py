"""What the command itself sets goes over what the stack overrides, also where it is the published default.

Hydra's finished configuration does not tell a default that was asked for from one that nobody touched. So a setting
that the command's words name is taken out of the stack's overrides, its reason with it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, open_dict

SHARED = ("steps", "guidance_scale")  # top-level settings that go to every method that has them


def yielding(config: DictConfig, words: Sequence[str]) -> DictConfig:
    """`config`, composed from the overrides `words`, with a stack that leaves what they set alone."""
    stack = config.stack
    for method, setting in _set_by(config, words):
        node = (stack.get("overrides") or {}).get(method)
        *groups, name = setting.split(".")
        for group in groups:
            node = node.get(group) if isinstance(node, DictConfig) else None
        if isinstance(node, DictConfig) and name in node:
            with open_dict(stack):
                del node[name]
                (stack.get("reasons") or {}).pop(f"{method}.{setting}", None)
    return config


def _set_by(config: DictConfig, words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Every (method, setting) that `words` set to something."""
    for override in OverridesParser.create().parse_overrides(list(words)):
        head, _, rest = override.key_or_group.partition(".")
        if override.is_delete() or override.value() is None:
            continue
        for path in _leaves(rest, override.value()):
            if head == "settings":
                method, _, setting = path.partition(".")
                yield method, setting
            elif head == "method" and path:
                yield config.method.name, path
            elif override.key_or_group in SHARED:
                yield from ((method, head) for method in config.stack.get("overrides") or {})


def _leaves(path: str, value: Any) -> Iterator[str]:
    """Where the single values of a word's value stand: `embedding={lr: 1e-3}` sets embedding.lr."""
    if not isinstance(value, dict):
        yield path
        return
    for name, part in value.items():
        yield from _leaves(f"{path}.{name}".lstrip("."), part)
