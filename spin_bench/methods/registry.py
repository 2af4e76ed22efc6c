"""The methods by name: where each one's record stands, imported when it is asked for.

A method from outside registers "module:object" through the entry-point group "spin_bench.methods".
"""

import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import entry_points

from spin_bench.core.errors import UserError
from spin_bench.methods.method import Method
from spin_bench.methods.source import method_source

BUILT_IN = {
    "spin": "spin_bench.spin.painter:METHOD",
    "blended_diffusion": "spin_bench.methods.baselines.blended_diffusion:METHOD",
    "blended_latent_diffusion": "spin_bench.methods.baselines.blended_latent_diffusion:METHOD",
    "sd_inpaint": "spin_bench.methods.baselines.sd_inpaint:METHOD",
    "powerpaint": "spin_bench.methods.baselines.powerpaint:METHOD",
    "uni_paint": "spin_bench.methods.baselines.uni_paint:METHOD",
    "copy_paste": "spin_bench.methods.baselines.copy_paste:METHOD",
    "oracle": "spin_bench.methods.baselines.oracle:METHOD",
}


class Methods(Mapping[str, Method]):
    """Records by name; names cost nothing, a record its module's import."""

    def __init__(self, places: Mapping[str, str]):
        self.places = places

    def __getitem__(self, name: str) -> Method:
        """`UserError` if the place of a plug-in cannot be imported, or holds no record."""
        place = self.places[name]
        try:
            method = pkgutil.resolve_name(place)
        except (ImportError, AttributeError) as error:
            raise UserError(f"method {name}: {place} cannot be imported ({error}): mend or uninstall it") from error
        if not isinstance(method, Method):
            raise UserError(f"method {name}: {place} is no Method but a {type(method).__name__}: register its record")
        return method if name in BUILT_IN else replace(method, source=method_source(method))

    def __contains__(self, name: object) -> bool:
        return name in self.places

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


def methods() -> Methods:
    """Methods of installed plug-ins and the built-in ones; a plug-in may not take a built-in name."""
    plugged = {point.name: point.value for point in entry_points(group="spin_bench.methods")}
    return Methods({**plugged, **BUILT_IN})
