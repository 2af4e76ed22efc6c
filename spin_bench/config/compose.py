"""One configuration out of the published defaults, a stack, an experiment and the words of a command, by Hydra.

The order stands in `conf/config.yaml`: what comes later goes over what comes before,

    published (each method's dataclass) < the stack < the experiment < a sweep's preset < the command's words.

`steps` and `guidance_scale` are short for the same setting of every method: an experiment's go over the stack's and
under its own single settings, the command's over everything but its own single settings.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from spin_bench.config.explain import explained
from spin_bench.config.typed import plain
from spin_bench.config.words import EVERY, config_folder, for_every_method, read_words, spelled
from spin_bench.core.errors import UserError, unknown
from spin_bench.methods.method import Method

PROVIDER = "spin_bench"


def compose(words: Sequence[str], known: Mapping[str, Method] | None = None) -> DictConfig:
    """The whole configuration; `UserError` if a name, a value or a word does not fit.

    `known` are the methods that can be named, by default all there are. Give none where no method is asked for: then
    none is imported.
    """
    overrides = read_words(words)
    known = _installed() if known is None else known
    _check_single(overrides, known)
    published = publish(known)
    composed = [*for_every_method(overrides, published), *spelled(overrides)]
    with _started():
        try:
            config = hydra.compose("config", composed)
            if general := [name for name in EVERY if config[name] is not None]:
                config = hydra.compose("config", [*composed, f"every=[{','.join(general)}]"])
        except (HydraException, OmegaConfBaseException, ValueError, TypeError, AssertionError) as error:
            raise explained(error, overrides, hydra.compose) from error
    return config


def _check_single(overrides: Sequence[Override], known: Mapping[str, Method]) -> None:
    for override in overrides:
        if override.is_sweep_override():
            raise UserError(f"{override.input_line}: several values are a sweep: add --multirun, or make a list, [a,b]")
        name = None if override.key_or_group != "method" or override.is_delete() else override.value()
        if override.key_or_group == "method" and not known:
            raise UserError(f"{override.input_line}: this command asks for no method: leave the word out")
        if name is not None and name not in known:
            raise unknown("method", str(name), list(known))


def publish(methods: Mapping[str, Method]) -> dict[str, dict[str, object]]:
    """Give Hydra what Python knows: the settings of every method, at their defaults; returned by method.

    `method=<name>` is a view of `settings.<name>`: what is set in the one holds in the other, until it is set there.
    """
    published = {name: _defaults(name, method) for name, method in methods.items()}
    store = ConfigStore.instance()
    store.store(group="published", name="methods", node=published, provider=PROVIDER)
    for name, settings in published.items():
        view = {"name": name, **_view(settings, f"settings.{name}")}
        store.store(group="method", name=name, node=view, provider=PROVIDER)
    for name in EVERY:
        shared = {method: {name: f"${{{name}}}"} for method, settings in published.items() if name in settings}
        store.store(group="every", name=name, node={"settings": shared}, package="_global_", provider=PROVIDER)
    return published


def _installed() -> Mapping[str, Method]:
    from spin_bench.methods.registry import methods  # here, since every record of a method imports its networks

    return methods()


def _defaults(name: str, method: Method) -> dict[str, object]:
    try:
        return plain(method.settings())
    except TypeError as error:
        raise UserError(f"method {name}: every setting needs a default ({error}): give it one") from error


def _view(settings: Mapping[str, object], place: str) -> dict[str, object]:
    return {
        name: _view(value, f"{place}.{name}") if isinstance(value, Mapping) and value else f"${{{place}.{name}}}"
        for name, value in settings.items()
    }


@contextmanager
def _started() -> Iterator[None]:
    """Hydra over our folder; inside a job of a sweep it runs already."""
    if GlobalHydra.instance().is_initialized():
        yield
        return
    with hydra.initialize_config_dir(str(config_folder().resolve()), version_base="1.3"):
        yield
