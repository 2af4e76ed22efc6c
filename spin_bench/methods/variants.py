"""Variants of a method: rows of one table that differ from it by a few settings, such as those of an ablation.

    variants:
      spin:
        no_filter: {title: no filter, embedding: {saliency: none}}

gives, behind the row of Spin, a row "no filter". A variant is the method under other settings: it shares the store and
the artefacts with it, and with an equal variant of another experiment.
"""

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from spin_bench.core.errors import UserError, check_known
from spin_bench.methods.method import Method


@dataclass(frozen=True)
class Variant:
    """One row; its name is its key in the configuration."""

    method: str
    title: str
    changes: Mapping[str, Any]  # of the method's settings, nested as they are


def chosen_variants(
    config: Mapping[str, Mapping[str, Mapping[str, Any] | None] | None], names: Sequence[str], known: Mapping[str, Any]
) -> dict[str, Variant]:
    """The variants of the methods `names`, by name; `UserError` for a name that is taken or a method that is none."""
    check_known("method in variants", config, known)
    variants: dict[str, Variant] = {}
    for method in names:
        for name, changes in (config.get(method) or {}).items():
            if name in known or name in variants:
                raise UserError(f"variants.{method}.{name}: the name is taken: choose another")
            settings = dict(changes or {})
            title = str(settings.pop("title", name.replace("_", " ")))
            variants[name] = Variant(method, title, settings)
    return variants


def in_order(names: Sequence[str], variants: Mapping[str, Variant]) -> list[str]:
    """Every method, followed by its variants."""
    return [row for name in names for row in (name, *(v for v, variant in variants.items() if variant.method == name))]


def changed(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with `changes` over them, level by level."""
    result = dict(values)
    for name, change in changes.items():
        nested = isinstance(change, Mapping) and isinstance(result.get(name), Mapping)
        result[name] = changed(result[name], change) if nested else change
    return result


def with_variants(methods: Mapping[str, Method], variants: Mapping[str, Variant]) -> Mapping[str, Method]:
    """`methods`, and every variant as a method of its own title."""
    added = {name: replace(methods[v.method], title=v.title, variant_of=v.method) for name, v in variants.items()}
    return ChainMap(added, methods)  # type: ignore[arg-type]  # it only reads the second
