"""What `bench/overhead.py` holds a painting against: the method's own passes, all of them, in their order."""

from collections import Counter
from typing import Any

import pytest
import torch
from recording import Backward, Forward, recording, replay
from torch import nn

from spin_bench.core.case import Case
from spin_bench.cost.passes import networks
from spin_bench.methods.baselines.blended_diffusion import BlendedDiffusionSettings
from spin_bench.methods.baselines.blended_latent_diffusion import BlendedLatentDiffusionSettings
from spin_bench.methods.baselines.powerpaint import PowerPaintSettings
from spin_bench.methods.baselines.sd_inpaint import SdInpaintSettings
from spin_bench.methods.baselines.uni_paint import UniPaintSettings
from spin_bench.methods.registry import methods
from spin_bench.models.stack import Stack
from spin_bench.spin.references import EmbeddingSettings
from spin_bench.spin.settings import SpinSettings
from spin_bench.store.artefacts import Artefacts

# settings, forwards and backwards through the UNet that the method paints with
SMALL: dict[str, tuple[Any, str, int, int]] = {
    "spin": (SpinSettings(steps=3, embedding=EmbeddingSettings(iterations=2, saliency="none")), "unet", 3 + 2, 2),
    "blended_diffusion": (BlendedDiffusionSettings(steps=4, aug_num=2), "pixel", 3, 2),
    "blended_latent_diffusion": (BlendedLatentDiffusionSettings(steps=4), "unet", 3, 0),
    "sd_inpaint": (SdInpaintSettings(steps=3), "inpaint_unet", 3, 0),
    "powerpaint": (PowerPaintSettings(steps=3), "powerpaint", 3, 0),
    "uni_paint": (UniPaintSettings(steps=3, iterations=2), "unet", 3 + 2, 2),
}


def _unet(stack: Stack, part: str) -> nn.Module:
    found = getattr(stack, part)
    return found if isinstance(found, nn.Module) else found.unet


@pytest.mark.parametrize("name", SMALL)
def test_every_pass_is_recorded_and_can_be_called_again(
    name: str, stack: Stack, cases: list[Case], artefacts: Artefacts
):
    settings, part, forwards, backwards = SMALL[name]
    unet, modules = _unet(stack, part), list(dict.fromkeys(networks(stack).values()))
    paint = methods()[name].painter(settings, stack.keeping(artefacts))
    with recording(modules) as recorded:
        paint(cases[0], [1])
    here = [call for call in recorded if isinstance(call, Forward) and call.module is unet]
    back = [call for call in recorded if isinstance(call, Backward)]
    assert len(here) == forwards
    assert sum(call.forward in here for call in back) == backwards
    assert all(call.gradient.abs().sum() > 0 for call in back)

    called = Counter[nn.Module]()
    hooks = [module.register_forward_hook(lambda module, *_: called.update([module])) for module in modules]
    weights = [p.clone() for p in unet.parameters()]
    processors = dict(stack.unet.attn_processors)
    seconds, update_seconds = replay(recorded)
    for hook in hooks:
        hook.remove()
    assert called == Counter(call.module for call in recorded if isinstance(call, Forward))
    assert seconds > 0
    assert (update_seconds > 0) == (name == "uni_paint")  # the one that tunes weights
    assert all(torch.equal(a, b) and not b.requires_grad for a, b in zip(weights, unet.parameters(), strict=True))
    assert stack.unet.attn_processors == processors
    assert not any("forward" in vars(module) for module in modules)


def test_a_backward_comes_when_the_method_asks_for_it(stack: Stack, cases: list[Case], artefacts: Artefacts):
    """Blended's way back leads through CLIP to the pixel network, whose graph waits meanwhile."""
    paint = methods()["blended_diffusion"].painter(SMALL["blended_diffusion"][0], stack.keeping(artefacts))
    visual = stack.guide._model.visual  # type: ignore[attr-defined]
    with recording([stack.pixel.unet, visual]) as recorded:
        paint(cases[0], [1])

    def told(call: Forward | Backward) -> str:
        if isinstance(call, Backward):
            return "back " + told(call.forward)
        return "clip" if call.module is visual else "pixel"

    guided = ["pixel", "clip", "back clip", "back pixel"]
    assert [told(call) for call in recorded] == [*guided, *guided, "pixel", "clip"]  # the last of them ranks
