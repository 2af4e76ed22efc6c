"""Semantic embedding: token vectors that make the frozen model explain the salient part of the reference.

Textual inversion (Gal et al. 2023) with the recipe of the paper's settings, 200 AdamW iterations at 5e-4. What is ours:
the non-salient part is explained by the null text through region attention, and is left out of the loss.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spin_bench.diffusion.region_attention import pair, region_attention
from spin_bench.stack import Stack


@dataclass(frozen=True)
class Slotted:
    """A prompt with free places for learned token vectors."""

    ids: Tensor  # (1, window)
    slots: slice  # where the vectors go


def slotted_prompt(stack: Stack, template: str, vectors: int) -> Slotted:
    """Tokenise `template` with `vectors` free places where it says "{}"; raises `ValueError` where they do not fit."""
    tokenizer = stack.tokenizer
    before, after = template.split("{}")
    head = [tokenizer.bos_token_id, *tokenizer(before.strip(), add_special_tokens=False).input_ids]
    tail = [*tokenizer(after.strip(), add_special_tokens=False).input_ids, tokenizer.eos_token_id]
    window = tokenizer.model_max_length
    padding = window - len(head) - vectors - len(tail)
    if padding < 0:
        raise ValueError(f"{template!r} with {vectors} vectors is {-padding} tokens longer than the window of {window}")
    ids = head + [tokenizer.eos_token_id] * vectors + tail + [tokenizer.pad_token_id] * padding
    return Slotted(torch.tensor([ids]), slice(len(head), len(head) + vectors))


@contextmanager
def _spliced(embedding: nn.Module, slots: slice, vectors: Tensor) -> Iterator[None]:
    def splice(_module: nn.Module, _inputs: tuple, output: Tensor) -> Tensor:
        tokens = vectors.expand(len(output), -1, -1).to(output.dtype)
        return torch.cat([output[:, : slots.start], tokens, output[:, slots.stop :]], dim=1)

    handle = embedding.register_forward_hook(splice)
    try:
        yield
    finally:
        handle.remove()


def encode_slotted(stack: Stack, prompt: Slotted, vectors: Tensor) -> Tensor:
    """Hidden states (N, window, width) of `prompt` with `vectors` (N or 1, n, width) in its slots; differentiable."""
    encoder = stack.text_encoder
    ids = prompt.ids.to(stack.device).expand(len(vectors), -1)
    with _spliced(encoder.get_input_embeddings(), prompt.slots, vectors):
        return encoder(ids).last_hidden_state


@dataclass(frozen=True, eq=False)
class Target:
    """One reference to be explained; maps are (1, 1, h, w) in [0, 1]."""

    latents: Tensor  # (1, C, h, w)
    weight: Tensor  # of each cell in the loss
    region: Tensor  # cells that the embedding speaks for; the null text speaks for the others
    initial: Tensor  # (n, width), where the vectors start
    seed: int


def extract(
    stack: Stack,
    targets: Sequence[Target],
    null: Tensor,
    *,
    template: str,
    iterations: int,
    lr: float,
    batch: int,
    weight_decay: float,
) -> Tensor:
    """Learn token vectors (targets, n, width), for all targets at once and for each as if it were alone.

    The loss of a target is sum(weight * error^2) / sum(weight), whatever the object's size. `batch` noisy copies of
    each are seen in an iteration; timesteps and noise come from the target's own seed. `null` is (1, window, width).
    """
    vectors = torch.stack([target.initial for target in targets]).float().requires_grad_()
    optimizer = torch.optim.AdamW([vectors], lr=lr, weight_decay=weight_decay)
    prompt = slotted_prompt(stack, template, vectors.shape[1])
    generators = [torch.Generator().manual_seed(target.seed) for target in targets]
    latents, weight, region = (
        torch.cat([getattr(target, name) for target in targets]).repeat_interleave(batch, 0)
        for name in ("latents", "weight", "region")
    )
    share = weight / (weight.sum((1, 2, 3), keepdim=True) * batch * latents.shape[1])
    with torch.enable_grad(), region_attention(stack.unet, region):
        for _ in range(iterations):
            t, noise = _draw(generators, batch, latents, stack)
            noisy = stack.scheduler.add_noise(latents, noise, t)
            states = encode_slotted(stack, prompt, vectors).repeat_interleave(batch, 0)
            context = pair(states, null.expand(len(states), -1, -1)).to(noisy.dtype)
            noise_pred = stack.unet(noisy, t, encoder_hidden_states=context).sample
            loss = ((noise_pred.float() - noise.float()).pow(2) * share).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return vectors.detach()


def _draw(generators: Sequence[torch.Generator], batch: int, latents: Tensor, stack: Stack) -> tuple[Tensor, Tensor]:
    """Timesteps (targets * batch,) and noise like `latents`, each target's from its own generator."""
    train_steps = stack.scheduler.config.num_train_timesteps
    drawn = []
    for generator in generators:
        t = torch.randint(train_steps, (batch,), generator=generator)
        drawn.append((t, torch.randn((batch, *latents.shape[1:]), generator=generator)))
    t, noise = (torch.cat(parts) for parts in zip(*drawn, strict=True))
    return t.to(stack.device), noise.to(latents)
