"""Objects by name, built in or from plug-ins: names cost nothing, an object the import of its module."""

import pkgutil
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from importlib.metadata import entry_points
from typing import Any, TypeVar

from spin_bench.core.errors import UserError

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """Name -> what stands at its "module:object", imported when it is asked for.

    `built_in` are such places by name; the others are those of the entry-point group "spin_bench.<kind>s", where a
    plug-in cannot take a built-in name. `admitted(where, name, value)` returns an object, or raises a `UserError` that
    starts with `where` if it is none of the kind.
    """

    def __init__(self, kind: str, built_in: Mapping[str, str], admitted: Callable[[str, str, Any], T]):
        self._kind, self._built_in, self._admitted = kind, built_in, admitted

    @cached_property
    def _places(self) -> dict[str, str]:
        plugged = {point.name: point.value for point in entry_points(group=f"spin_bench.{self._kind}s")}
        return {**self._built_in, **{name: place for name, place in plugged.items() if name not in self._built_in}}

    def __getitem__(self, name: str) -> T:
        """Raises `KeyError` for an unknown name, `UserError` for a plug-in that cannot be imported or used."""
        place = self._places[name]
        where = f"{self._kind} {name}: {place}"
        try:
            value = pkgutil.resolve_name(place)
        except Exception as error:  # of somebody else's module, so anything
            if name in self._built_in:
                raise
            raise UserError(f"{where} cannot be imported ({error}): mend or uninstall it") from error
        return self._admitted(where, name, value)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
