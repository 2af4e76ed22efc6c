"""How many network passes a method makes for one case: formulas, held to the code by counting hooks in the tests.

A pass is one row of a batch through one network, so guidance costs two a step. Backward passes through frozen weights
cost about one forward; those that also give the weights' gradients, which only Uni's tuning needs, two.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from spin_bench.methods.baselines.blended_diffusion import BlendedDiffusionSettings
from spin_bench.methods.baselines.blended_latent_diffusion import BlendedLatentDiffusionSettings
from spin_bench.methods.baselines.powerpaint import PROMPTS, PowerPaintSettings
from spin_bench.methods.baselines.sd_inpaint import SdInpaintSettings
from spin_bench.methods.baselines.uni_paint import UniPaintSettings
from spin_bench.spin.context import speaks_of_style
from spin_bench.spin.painter import SpinSettings

UNET, INPAINT, POWERPAINT, PIXEL = "unet", "inpaint_unet", "powerpaint.unet", "pixel"
ENCODER, DECODER = "vae.encoder", "vae.decoder"
TEXT, POWERPAINT_TEXT = "text_encoder", "powerpaint.text_encoder"
CLIP, GUIDE, GUIDE_TEXT, SALIENCY = "clip.image", "guide.image", "guide.text", "saliency"


@dataclass
class Passes:
    """By network: rows forward, rows backward, and rows backward that give the weights' gradients, too."""

    forward: Counter[str] = field(default_factory=Counter)
    backward: Counter[str] = field(default_factory=Counter)
    weights: Counter[str] = field(default_factory=Counter)


def spin(settings: SpinSettings, images: int) -> Passes:
    """Once a reference: the embedding. Once a case: background and texts. Once an image: guided steps and decoding.

    Of a photograph: a scene in another style has its text read once more, by `style_words`.
    """
    reference = settings.embedding
    rows = reference.iterations * reference.batch
    styled = sum(
        settings.style_start <= index / settings.steps < settings.style_stop for index in range(settings.steps)
    )
    exact = styled if settings.style_strength > 0 and settings.style_exact else 0
    texts = 0 if reference.learns == "conditioning" else reference.iterations
    passes = Passes(backward=Counter({UNET: rows + 2 * exact * images, TEXT: texts}))
    passes.forward = Counter(
        {
            UNET: rows + 2 * (settings.steps + exact) * images,
            TEXT: 1 + texts + 3,  # null; each iteration; null, the outside's text and the embedding
            ENCODER: 2,
            DECODER: images,
            CLIP: int(reference.init == "nearest_word") + int(speaks_of_style(settings)),
            SALIENCY: int(reference.saliency == "learned"),
        }
    )
    return passes


def blended_diffusion(settings: BlendedDiffusionSettings, images: int) -> Passes:
    """Whole batches; all steps but DDPM's last are guided, each view through CLIP; then one look to rank."""
    rows = settings.batch * ceil(images / settings.batch)
    steps = settings.steps - int(settings.steps * settings.skip_share)
    guided = steps if settings.ddim else steps - 1
    views = settings.aug_num if settings.clip_guidance_lambda else 0
    return Passes(
        Counter({PIXEL: rows * steps, GUIDE: rows * (views * guided + 1), GUIDE_TEXT: 1}),
        Counter({PIXEL: rows * guided, GUIDE: rows * views * guided}),
    )


def blended_latent_diffusion(settings: BlendedLatentDiffusionSettings, images: int) -> Passes:
    """At the published settings: no blending of pixels, nothing tuned afterwards."""
    steps = settings.steps - int(settings.steps * settings.blending_start_percentage)
    return Passes(Counter({UNET: 2 * steps * images, TEXT: 2, ENCODER: 1, DECODER: images}))


def sd_inpaint(settings: SdInpaintSettings, images: int) -> Passes:
    """The masked picture is encoded anew for every image; below strength 1 so is the picture."""
    network = {"inpaint": INPAINT, "text_to_image": UNET}[settings.unet]
    return Passes(_inpainting(settings, images, network) + Counter({TEXT: 2}))


def powerpaint(settings: PowerPaintSettings, images: int) -> Passes:
    """As SD-inpaint, but for its texts: `shape` mixes two on either side."""
    texts = len(set(PROMPTS[settings.task]("prompt", settings.negative_prompt)))
    return Passes(_inpainting(settings, images, POWERPAINT) + Counter({POWERPAINT_TEXT: texts}))


def uni_paint(settings: UniPaintSettings, images: int) -> Passes:
    """Once a case: tuning on two terms, each exemplar encoded anew. Once an image: guided steps and decoding."""
    terms = {"text": 1, "exemplar": 2, "mix": 2}[settings.mode]
    rows = terms * settings.iterations
    looks = 0 if settings.mode == "text" or settings.init != "nearest_word" else 2  # for the term, for what is painted
    return Passes(
        Counter(
            {
                UNET: rows + 2 * settings.steps * images,
                TEXT: 1 + terms,
                ENCODER: 1 + (terms - 1) * settings.iterations,
                DECODER: images,
                CLIP: looks,
            }
        ),
        Counter({UNET: rows}),
        Counter({UNET: rows}),
    )


def _inpainting(settings: SdInpaintSettings | PowerPaintSettings, images: int, network: str) -> Counter[str]:
    steps = int(settings.steps * settings.strength)
    guided = 2 if settings.guidance_scale > 1 else 1
    encoded = 1 + int(settings.strength < 1 or network == UNET)
    return Counter({network: guided * steps * images, ENCODER: encoded * images, DECODER: images})


# (a method's settings, images of one case) to its passes; a method that is not here has not said what it costs.
PASSES: dict[str, Callable[[Any, int], Passes]] = {
    "spin": spin,
    "blended_diffusion": blended_diffusion,
    "blended_latent_diffusion": blended_latent_diffusion,
    "sd_inpaint": sd_inpaint,
    "powerpaint": powerpaint,
    "uni_paint": uni_paint,
}
