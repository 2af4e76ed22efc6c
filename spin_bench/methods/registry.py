"""The methods by name: where each one's record stands, imported when it is asked for.

A method from outside registers "module:object" through the entry-point group "spin_bench.methods".
"""

from dataclasses import replace

from spin_bench.core.errors import UserError
from spin_bench.core.registry import Registry
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
    "described": "spin_bench.methods.baselines.described:METHOD",
    "oracle": "spin_bench.methods.baselines.oracle:METHOD",
}


def methods() -> Registry[Method]:
    """Return the built-in methods and those of plug-ins that are installed now."""
    return Registry("method", BUILT_IN, _admitted)


def _admitted(where: str, name: str, method: object) -> Method:
    if not isinstance(method, Method):
        raise UserError(f"{where} is no Method but a {type(method).__name__}: register its record")
    return method if name in BUILT_IN else replace(method, source=method_source(method))
