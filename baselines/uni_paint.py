"""Uni-paint (Yang et al., ACM MM 2023): a text-to-image UNet tuned on one case, then told to paint its exemplar.

Masked fine-tuning of every weight; t and eps are drawn anew and apart for either term,

    L = MSE((eps_hat(z_xm, t | "") - eps) (1 - z_m)) + MSE((eps_hat(z_ref, t' | "#") - eps') M_ref).

z_xm is the background with a grey hole, z_m its mask, z_ref the exemplar shrunk into the mask's box, M_ref the square
where it is, "#" a placeholder: the vector of the word that CLIP finds nearest to the exemplar, never optimised.

Quirks of the authors' code, kept: nothing tells the exemplar's object from its own background, which is learned, too;
it is stretched to a square and put down with x and y swapped (`swap_axes`); the latent mask is a cell wider than the
mask; encodings are sampled; the background is blended in *before* the UNet sees the latents, with fresh noise each
time, and not after the last step, nor is anything pasted back; when painting, and only then, attention is masked after
its softmax without renormalising (`renormalise`), in both halves of guidance.

Ours: the nearest word is sought among whole words, each as "a photo of a ...", where the authors try every bare token;
tuning runs in float32 on copies of the weights, painting in the stack's dtype, where the authors autocast.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from spin_bench.core.case import Case
from spin_bench.core.errors import BadSetting, PaintingError, unknown
from spin_bench.core.identity import derive_seed
from spin_bench.core.limits import Rate, Steps, WholeNumber
from spin_bench.diffusion.blending import blend_background
from spin_bench.diffusion.exemplar import draw_placement, mask_box, place, stretched
from spin_bench.diffusion.finetuning import finetuning
from spin_bench.diffusion.guidance import classifier_free
from spin_bench.diffusion.latents import decode, latent_mask, mask_to_tensor, to_pictures, to_tensor
from spin_bench.diffusion.masked_attention import masked_attention
from spin_bench.diffusion.noise import NoiseSource
from spin_bench.diffusion.placeholders import Slotted, encode_slotted
from spin_bench.diffusion.sampler import ddim, timesteps
from spin_bench.diffusion.text import encode_prompt, tokenise
from spin_bench.diffusion.unets import expect_channels
from spin_bench.diffusion.vocabulary import INITIAL, initial_vectors
from spin_bench.methods.method import Method
from spin_bench.methods.painter import Painter
from spin_bench.models.stack import Stack

VERSION = "1"

TRAIN_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class UniPaintSettings:
    """Defaults of inpaint_with_exemplar.ipynb."""

    mode: Literal["exemplar", "text", "mix"] = (
        "exemplar"  # exemplar (published for references) | text: the prompt, first term only | mix: both
    )
    template: str = "{}, {prompt}"  # what `mix` says: {} is the placeholder, {prompt} the case's prompt
    init: Literal["nearest_word", "mean_token", "class_noun"] = (
        "nearest_word"  # nearest_word (published) | mean_token: the placeholder's vector
    )
    iterations: WholeNumber = 100
    lr: Rate = 1e-5
    train_dtype: Literal["float32", "bfloat16"] = (
        "float32"  # float32 (published) | bfloat16: autocast over weights that stay float32
    )
    swap_axes: bool = True  # True (published): the exemplar is put down with x and y swapped
    steps: Steps = 50
    guidance_scale: float = 8.0
    renormalise: bool = False  # False (published): masked attention's weights no longer sum to one

    def __post_init__(self) -> None:
        if self.template.count("{}") != 1:
            raise BadSetting(f"template={self.template!r}: say {{}} once, where the placeholder goes")


class Term(NamedTuple):
    """One term of the loss: clean latents, the weight of each cell, and the text that the UNet reads."""

    latents: Tensor  # (1, C, h, w)
    weight: Tensor  # (1, 1, h, w) in [0, 1]
    context: Tensor  # (1, window, width)


def uni_paint(settings: UniPaintSettings, stack: Stack) -> Painter:
    """Build a painter that tunes the UNet on every case, once for all its seeds, and restores it bit for bit.

    Raises `UserError` if a setting is unknown, or the UNet is no text-to-image one.
    """
    choices = {"mode": list(CONTEXTS), "train_dtype": list(TRAIN_DTYPES), "init": list(INITIAL)}
    for name, known in choices.items():
        if getattr(settings, name) not in known:
            raise unknown(f"{name} of uni_paint", getattr(settings, name), known)
    mend = "set stack.diffusion to a text-to-image model"
    expect_channels(stack.unet, "text_to_image", stack, method="uni_paint", mend=mend)

    def paint(case: Case, seeds: Sequence[int]) -> list[Image.Image]:
        # The case's own: an image must not depend on the seeds beside it.
        generator = torch.Generator().manual_seed(derive_seed(0, case.digest, 0))
        mask = mask_to_tensor(case.mask).to(stack.device)
        cells = F.max_pool2d(latent_mask(case.mask, stack.vae).to(stack.device), 3, stride=1, padding=1)
        hollow = encode_sampled(to_tensor(case.background).to(stack.device) * (1 - mask), generator, stack)
        scene = Term(hollow, 1 - cells, encode_prompt(stack.tokenizer, stack.text_encoder, ""))
        terms = [lambda: scene]
        if settings.mode != "text":
            terms.append(exemplar_term(case, generator, settings, stack))
        context = CONTEXTS[settings.mode](case, settings, stack)
        with finetuning(stack.unet, torch.float32):
            tune(terms, generator, settings, stack)
            nn.Module.to(stack.unet, stack.dtype)  # diffusers' own `to` would warn of an empty list
            with torch.no_grad(), masked_attention(stack.unet, mask, renormalise=settings.renormalise):
                latents = sample(seeds, scene, context, settings, stack)
        return to_pictures(decode(stack.vae, latents))

    return paint


def exemplar_term(
    case: Case, generator: torch.Generator, settings: UniPaintSettings, stack: Stack
) -> Callable[[], Term]:
    """Build the second term; every call draws the exemplar's size and place anew, and whether it is mirrored."""
    exemplar, box = stretched(case.reference, stack.canvas).to(stack.device), mask_box(case.mask)
    context = _placeholder(case, settings, stack)

    def term() -> Term:
        canvas, cover = place(exemplar, draw_placement(box, generator, swap_axes=settings.swap_axes))
        latents = encode_sampled(canvas, generator, stack)
        return Term(latents, F.interpolate(cover, latents.shape[-2:], mode="bilinear"), context)

    return term


@torch.enable_grad()
def tune(
    terms: Sequence[Callable[[], Term]], generator: torch.Generator, settings: UniPaintSettings, stack: Stack
) -> None:
    """Tune all weights of the UNet by Adam. The terms share one pass, which is quicker than two."""
    unet, train_steps = stack.unet, stack.scheduler.config.num_train_timesteps
    optimizer = torch.optim.Adam(unet.parameters(), lr=settings.lr, fused=True)
    autocast = torch.autocast(stack.device.type, TRAIN_DTYPES[settings.train_dtype], settings.train_dtype != "float32")
    for _ in range(settings.iterations):
        parts = zip(*(term() for term in terms), strict=True)
        latents, weight, context = (torch.cat(part).float() for part in parts)
        t = torch.randint(train_steps, (len(latents),), generator=generator).to(stack.device)
        noise = torch.randn(latents.shape, generator=generator).to(stack.device)
        with autocast:
            noisy = stack.scheduler.add_noise(latents, noise, t)
            noise_pred = unet(noisy, t, encoder_hidden_states=context).sample
        loss = ((noise_pred.float() - noise) * weight).pow(2).mean((1, 2, 3)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    unet.zero_grad()  # frees the gradients before painting


def sample(seeds: Sequence[int], scene: Term, context: Tensor, settings: UniPaintSettings, stack: Stack) -> Tensor:
    """Sample clean latents (images, C, h, w) by DDIM from pure noise, the background blended in before each pass."""
    source, shape = NoiseSource(seeds, stack.device, stack.dtype), scene.latents.shape[1:]
    cells = (1 - scene.weight).to(stack.dtype)

    def blended(latents: Tensor, t: int) -> Tensor:
        noise = source.normal(*shape)
        return blend_background(latents, scene.latents, cells, noise, scheduler=stack.scheduler, t=t)

    predict = classifier_free(stack.unet, scene.context, context, settings.guidance_scale)
    latents = blended(source.normal(*shape), timesteps(stack.scheduler, settings.steps)[0])
    for step in ddim(predict, stack.scheduler, latents, steps=settings.steps):
        if step.t_next >= 0:  # before the next pass is after this step; the last step's result stays as it is
            step.latents = blended(step.latents, step.t_next)
        latents = step.latents
    return latents


@torch.no_grad()
def encode_sampled(images: Tensor, generator: torch.Generator, stack: Stack) -> Tensor:
    """Encode (1, 3, H, W) in [-1, 1] to scaled latents (1, C, h, w) drawn from the posterior."""
    return stack.vae.encode(images.to(stack.dtype)).latent_dist.sample(generator) * stack.vae.config.scaling_factor


@torch.no_grad()
def _placeholder(case: Case, settings: UniPaintSettings, stack: Stack, template: str = "{}") -> Tensor:
    before, after = (part.replace("{prompt}", case.prompt) for part in template.split("{}"))
    ids = tokenise(stack.tokenizer, f"{before} a {after}")  # "a" is one token: it holds the place
    slot = len(stack.tokenizer(before).input_ids) - 1
    if slot >= ids.shape[1] - 1:
        raise PaintingError(f"template={template!r}: no room behind so long a prompt: put {{}} before {{prompt}}")
    vector = initial_vectors(stack, stretched(case.reference, stack.canvas), init=settings.init, vectors=1)
    return encode_slotted(stack, Slotted(ids, slice(slot, slot + 1)), vector[None])


def _prompt(case: Case, settings: UniPaintSettings, stack: Stack) -> Tensor:
    return encode_prompt(stack.tokenizer, stack.text_encoder, case.prompt)


def _mix(case: Case, settings: UniPaintSettings, stack: Stack) -> Tensor:
    return _placeholder(case, settings, stack, settings.template)


# (case, settings, stack) to the text that is painted, (1, window, width)
CONTEXTS: dict[str, Callable[[Case, UniPaintSettings, Stack], Tensor]] = {
    "exemplar": _placeholder,
    "text": _prompt,
    "mix": _mix,
}


METHOD = Method(
    "Uni",
    UniPaintSettings,
    uni_paint,
    VERSION,
    uses=("vae", "unet", "text_encoder", "tokenizer", "scheduler", "clip"),
    colour="#E69F00",
)
