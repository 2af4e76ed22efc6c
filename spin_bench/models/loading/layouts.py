"""The published architectures, as code: what weights are checked against, counted with, and drawn at random for.

Numbers are those of the checkpoints' own config.json files; `PARAMETERS` are the published sizes, and a test holds the
two together. Build under `bare`, so that nothing is allocated or initialised.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from accelerate import init_empty_weights
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

VOCABULARY = 49408  # CLIP's
WINDOW = 77  # tokens


def bare() -> AbstractContextManager[None]:
    """Within, modules get parameters of the meta device, without memory; their buffers are real."""
    return init_empty_weights(include_buffers=False)


@dataclass(frozen=True)
class Layout:
    """The networks of one generation of Stable Diffusion."""

    unet: Callable[[int], UNet2DConditionModel]  # of so many input channels: 4, or 9 for inpainting
    text_encoder: Callable[[], CLIPTextModel]
    pad_token: str  # of the tokenizer


def _unet_v1(in_channels: int) -> UNet2DConditionModel:
    return UNet2DConditionModel(sample_size=64, in_channels=in_channels, cross_attention_dim=768)


def _unet_v2(in_channels: int) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=64,
        in_channels=in_channels,
        cross_attention_dim=1024,
        attention_head_dim=(5, 10, 20, 20),  # heads: 64 channels each
        use_linear_projection=True,
    )


def _text_encoder_v1() -> CLIPTextModel:
    """CLIP ViT-L/14's."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=VOCABULARY,
            hidden_size=768,
            intermediate_size=3072,
            num_hidden_layers=12,
            num_attention_heads=12,
            max_position_embeddings=WINDOW,
            hidden_act="quick_gelu",
            projection_dim=768,
        )
    )


def _text_encoder_v2() -> CLIPTextModel:
    """OpenCLIP ViT-H/14's, without its last layer."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=VOCABULARY,
            hidden_size=1024,
            intermediate_size=4096,
            num_hidden_layers=23,
            num_attention_heads=16,
            max_position_embeddings=WINDOW,
            hidden_act="gelu",
            projection_dim=512,
        )
    )


LAYOUTS: dict[str, Layout] = {
    "sd1": Layout(_unet_v1, _text_encoder_v1, pad_token="<|endoftext|>"),
    "sd2": Layout(_unet_v2, _text_encoder_v2, pad_token="!"),
}


def build_vae() -> AutoencoderKL:
    """The autoencoder of both generations: factor 8, 4 channels."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        latent_channels=4,
        sample_size=512,
    )


def build_scheduler() -> DDIMScheduler:
    """Both generations were trained with it; epsilon is predicted, also by the 512-px models of the second."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


# Published sizes. Million: 859.5, 859.5, 123.1, 865.9, 865.9, 340.4, 83.7, 552.8.
PARAMETERS: dict[str, int] = {
    "sd1.unet": 859_520_964,
    "sd1.inpaint_unet": 859_535_364,
    "sd1.text_encoder": 123_060_480,
    "sd2.unet": 865_910_724,
    "sd2.inpaint_unet": 865_925_124,
    "sd2.text_encoder": 340_387_840,
    "vae": 83_653_863,
    "pixel": 552_814_086,
}
