"""SD-inpaint (Rombach et al., CVPR 2022): diffusers' own `StableDiffusionInpaintPipeline` over the stack's modules.

Quirks of the pipeline, kept: the posterior of the masked picture is sampled, with the image's own generator, after its
starting noise; the mask goes to latent size by nearest neighbour; a blurred mask is binarised again, so `blur_factor`
only rounds its corners; nothing is pasted back, so the background shifts by the VAE's round trip.

`unet: text_to_image` takes the pipeline's other path, for a UNet of four channels: after each step the known latents
are put back, noised to the *next* timestep with one fixed noise, which at strength 1 is also where the image starts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from spin_bench.core.case import Case
from spin_bench.core.errors import unknown
from spin_bench.core.limits import Share, Steps, WholeNumber
from spin_bench.diffusion.inpainting import expect_steps, inpaint, inpaint_pipeline
from spin_bench.diffusion.text import encode_prompt
from spin_bench.diffusion.unets import UNETS, expect_channels
from spin_bench.methods.method import Method
from spin_bench.methods.painter import Painter
from spin_bench.models.stack import Stack

VERSION = "1"


@dataclass(frozen=True)
class SdInpaintSettings:
    """Defaults of the pipeline; the scheduler is the stack's DDIM."""

    unet: Literal["inpaint", "text_to_image"] = (
        "inpaint"  # inpaint (published): nine channels | text_to_image: four, the known latents put back
    )
    steps: Steps = 50
    guidance_scale: float = 7.5
    negative_prompt: str = ""
    strength: Share = 1.0  # below 1 the image starts from the noised picture instead of pure noise
    blur_factor: WholeNumber = 0  # px, Gaussian; rounds the corners of the mask
    padding_mask_crop: WholeNumber | None = None  # px by which the mask's box grows; it is painted at full canvas size
    paste_back: bool = False  # the known pixels over the decoded picture

    def __post_init__(self) -> None:
        expect_steps(self.steps, self.strength)


def sd_inpaint(settings: SdInpaintSettings, stack: Stack) -> Painter:
    """Build a painter that sees background, mask and prompt, never the reference.

    Raises `UserError` if the UNet is unknown or reads other channels.
    """
    if settings.unet not in UNETS:
        raise unknown("UNet of sd_inpaint", settings.unet, list(UNETS))
    unet, mend = UNETS[settings.unet](stack), "set stack.inpaint to an inpainting model"
    expect_channels(unet, settings.unet, stack, method="sd_inpaint", mend=mend)
    pipeline = inpaint_pipeline(stack, unet, stack.text_encoder, stack.tokenizer)

    def paint(case: Case, seeds: Sequence[int]) -> list[Image.Image]:
        mask = pipeline.mask_processor.blur(case.mask, settings.blur_factor) if settings.blur_factor else case.mask
        positive, negative = (
            encode_prompt(stack.tokenizer, stack.text_encoder, text) for text in (case.prompt, settings.negative_prompt)
        )
        return inpaint(
            pipeline,
            [case.background] * len(seeds),
            [mask] * len(seeds),
            seeds,
            positive=positive,
            negative=negative,
            steps=settings.steps,
            guidance_scale=settings.guidance_scale,
            strength=settings.strength,
            padding_mask_crop=settings.padding_mask_crop,
            paste_back=settings.paste_back,
        )

    return paint


METHOD = Method(
    "SD-inpaint",
    SdInpaintSettings,
    sd_inpaint,
    VERSION,
    uses=("vae", "unet", "text_encoder", "tokenizer", "scheduler", "inpaint_unet"),
    colour="#009E73",
)
