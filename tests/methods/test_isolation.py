"""No method leaves a trace: an image depends on its case, its seed and the settings, not on what was painted before."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import nn

from spin_bench.core.case import Case
from spin_bench.methods.baselines.blended_diffusion import BlendedDiffusionSettings
from spin_bench.methods.baselines.blended_latent_diffusion import BlendedLatentDiffusionSettings
from spin_bench.methods.baselines.powerpaint import PowerPaintSettings
from spin_bench.methods.baselines.sd_inpaint import SdInpaintSettings
from spin_bench.methods.baselines.uni_paint import UniPaintSettings
from spin_bench.methods.painter import Painter
from spin_bench.methods.registry import methods
from spin_bench.models.stack import Stack
from spin_bench.spin.settings import EmbeddingSettings, SpinSettings
from spin_bench.store.artefacts import Artefacts

# The defaults, but for what costs time.
QUICK: dict[str, Any] = {
    "spin": SpinSettings(steps=4, embedding=EmbeddingSettings(iterations=2)),
    "blended_diffusion": BlendedDiffusionSettings(steps=4, aug_num=2),
    "blended_latent_diffusion": BlendedLatentDiffusionSettings(steps=4),
    "sd_inpaint": SdInpaintSettings(steps=3),
    "powerpaint": PowerPaintSettings(steps=3),
    "uni_paint": UniPaintSettings(steps=3, iterations=2),
}
SEEDED = [name for name, method in methods().items() if method.seeded and not method.needs]  # described is SD-inpaint


def _paint(name: str, stack: Stack, artefacts: Artefacts) -> Painter:
    return methods()[name].painter(QUICK[name], stack.keeping(artefacts))


def _modules(stack: Stack) -> Iterator[nn.Module]:
    yield from (stack.vae, stack.unet, stack.text_encoder, stack.inpaint_unet, stack.pixel.unet)
    yield from (stack.powerpaint.unet, stack.powerpaint.text_encoder)


def _state(stack: Stack) -> list[Any]:
    """Every weight, flag and hook that a method could leave behind."""
    found: list[Any] = []
    for module in _modules(stack):
        sha = hashlib.sha256()
        for tensor in module.state_dict().values():
            sha.update(tensor.numpy().tobytes())
        found += [sha.hexdigest(), module.training, [p.requires_grad for p in module.parameters()]]
        found.append([p.grad is None for p in module.parameters()])
        found.append([len(m._forward_hooks) + len(m._forward_pre_hooks) for m in module.modules()])
        if hasattr(module, "attn_processors"):
            found.append({place: type(processor) for place, processor in module.attn_processors.items()})
    return found


def _levels(a: Image.Image, b: Image.Image) -> int:
    return int(np.abs(np.asarray(a, np.int16) - np.asarray(b, np.int16)).max())


def test_every_method_is_covered():
    assert set(QUICK) == set(SEEDED)


@pytest.mark.parametrize("name", SEEDED)
def test_order_and_company_do_not_matter(name: str, stack: Stack, cases: list[Case], artefacts: Artefacts):
    before = _state(stack)
    first, second, third = cases[0], cases[1], cases[3]
    paint = _paint(name, stack, artefacts)
    forwards = {case.id: paint(case, [5, 6])[0].tobytes() for case in (first, second, third)}
    again = _paint(name, stack, artefacts)
    backwards = {case.id: again(case, [5, 6])[0].tobytes() for case in (third, second, first)}
    assert forwards == backwards
    together = paint(first, [4, 6, 5])
    assert _levels(together[1], paint(first, [6])[0]) <= 1  # one level: sums in another order
    assert _levels(together[0], together[1]) > 8
    assert _state(stack) == before


class _Stop(BaseException):
    """Like Ctrl-C: not an `Exception`."""


@pytest.mark.parametrize("error", [RuntimeError, _Stop])
@pytest.mark.parametrize("name", SEEDED)
def test_an_interruption_leaves_nothing_behind(
    name: str,
    error: type[BaseException],
    stack: Stack,
    cases: list[Case],
    artefacts: Artefacts,
    monkeypatch: pytest.MonkeyPatch,
):
    before, paint = _state(stack), _paint(name, stack, artefacts)
    whole = paint(cases[0], [7])[0].tobytes()
    for when in (0, 1, 2):
        with monkeypatch.context() as patch:
            for module in (stack.unet, stack.inpaint_unet, stack.powerpaint.unet, stack.pixel.unet):
                patch.setattr(module, "forward", _failing(module.forward, error, when))
            with pytest.raises(error):
                paint(cases[0], [7])
        assert _state(stack) == before
    assert paint(cases[0], [7])[0].tobytes() == whole


def _failing(function: Callable[..., Any], error: type[BaseException], calls: int) -> Callable[..., Any]:
    """`function`, until it was called `calls` times."""
    count = 0

    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        count += 1
        if count > calls:
            raise error("stopped here")
        return function(*args, **kwargs)

    return call
