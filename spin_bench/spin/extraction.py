"""Learning an embedding that lets the frozen model predict the noise over the salient part of the reference.

Textual inversion (Gal et al. 2023) with the paper's settings, 200 AdamW iterations at 5e-4. Ours: the non-salient part
reads the null text, through region attention, and is left out of the loss.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spin_bench.diffusion.placeholders import slotted_prompt
from spin_bench.diffusion.region_attention import pair, region_attention
from spin_bench.diffusion.unets import UNETS
from spin_bench.models.stack import Stack
from spin_bench.spin.backbone import seeing
from spin_bench.spin.embedding import LEARNED
from spin_bench.spin.settings import EmbeddingSettings

VARIED = ("a picture of {}", "a close photo of {}", "a good photo of {}", "the photo of one {}", "{}")

# (`template`) to the templates of which every iteration draws one
TEMPLATES: dict[str, Callable[[str], tuple[str, ...]]] = {
    "one": lambda template: (template,),
    "varied": lambda template: (template, *VARIED),
}


@dataclass(frozen=True, eq=False)
class Target:
    """One reference in V views; maps are in [0, 1]."""

    latents: Tensor  # (V, C, h, w)
    weight: Tensor  # (V, 1, h, w) of the cells in the loss
    region: Tensor  # (V, 1, h, w), cells that read the embedding; the others read the null text
    initial: Tensor  # (n, width), where the vectors start
    seed: int
    known: Tensor | None = None  # (V, C', h, w), what an inpainting backbone reads behind the latents


def extract(
    stack: Stack, targets: Sequence[Target], null: Tensor, settings: EmbeddingSettings, *, backbone: str
) -> Tensor:
    """Learn the embeddings of all targets in one batch, each as if it were alone: (targets, vectors or window, width).

    The loss of a target is sum(weight * error^2) / sum(weight), whatever the object's size, over `settings.batch` noisy
    copies per iteration. Timesteps, noise and views come from the target's own seed, templates from a sequence that all
    share. `null` is the null text, (1, window, width). Raises `UserError` if a template does not fit the text encoder.
    """
    learned, unet = LEARNED[settings.learns], UNETS[backbone](stack)
    templates = TEMPLATES[settings.templates](settings.template)
    prompts = [slotted_prompt(stack, template, settings.vectors) for template in templates]
    initial = torch.stack([target.initial for target in targets])
    with torch.no_grad():
        variable = learned.start(stack, prompts[0], initial).float().clone()
    variable.requires_grad_()
    optimizer = torch.optim.AdamW([variable], lr=settings.lr, weight_decay=settings.weight_decay)
    generators = [torch.Generator().manual_seed(target.seed) for target in targets]
    order = torch.Generator().manual_seed(0)
    latents, weight, regions = (_stacked(targets, name).float() for name in ("latents", "weight", "region"))
    known = None if targets[0].known is None else _stacked(targets, "known")
    rows = torch.arange(len(targets)).repeat_interleave(settings.batch)
    region = regions[rows, 0]
    with torch.enable_grad(), region_attention(unet, region):
        for _ in range(settings.iterations):
            t, noise, views = _draw(generators, settings.batch, latents, stack)
            clean, cells = latents[rows, views], weight[rows, views]
            region.copy_(regions[rows, views])
            prompt = prompts[_choice(len(prompts), order)]
            states = learned.states(stack, prompt, variable).repeat_interleave(settings.batch, 0)
            noisy = stack.scheduler.add_noise(clean, noise, t).to(stack.dtype)
            context = pair(states, null.expand(len(states), -1, -1)).to(noisy.dtype)
            denoise = seeing(unet, None if known is None else known[rows, views])
            noise_pred = denoise(noisy, t, encoder_hidden_states=context).sample
            share = cells / (cells.sum((1, 2, 3), keepdim=True) * settings.batch * clean.shape[1])
            loss = ((noise_pred.float() - noise).pow(2) * share).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return variable.detach()


def _stacked(targets: Sequence[Target], name: str) -> Tensor:
    """(targets, V, ., h, w)."""
    return torch.stack([getattr(target, name) for target in targets])


def _choice(count: int, generator: torch.Generator) -> int:
    return int(torch.randint(count, (1,), generator=generator)) if count > 1 else 0


def _draw(
    generators: Sequence[torch.Generator], batch: int, latents: Tensor, stack: Stack
) -> tuple[Tensor, Tensor, Tensor]:
    """Timesteps and views (targets * batch,), and noise like their latents, each target's from its own generator."""
    train_steps, count = stack.scheduler.config.num_train_timesteps, latents.shape[1]
    drawn = []
    for generator in generators:
        t = torch.randint(train_steps, (batch,), generator=generator)
        noise = torch.randn((batch, *latents.shape[2:]), generator=generator)
        views = torch.tensor([_choice(count, generator) for _ in range(batch)])
        drawn.append((t, noise, views))
    t, noise, views = (torch.cat(parts) for parts in zip(*drawn, strict=True))
    return t.to(stack.device), noise.to(latents), views
