"""A stack of random weights in SD 1.4's exact layout at reduced width: good for shapes and dtypes, not for pictures."""

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel, UNet2DModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from spin_bench.mini.clip_net import build_clip, clip_token_ids
from spin_bench.models.open_clip_model import OpenClipModel
from spin_bench.models.perceptual import ImageNetJudge, UncalibratedPerceptual
from spin_bench.models.stack import Loaders, PixelDiffusion, PowerPaint, Stack
from spin_bench.models.task_tokens import task_tokenizer, with_room_for_tasks
from training.tokenizer import build_tokenizer
from training.train_pixel import build_pixel_scheduler
from training.train_unet import build_scheduler

CANVAS, WINDOW, TEXT_WIDTH = 128, 77, 32


def _vae() -> AutoencoderKL:
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 16, 32, 32),
        layers_per_block=2,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=CANVAS,
    )


def _unet(in_channels: int) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=CANVAS // 8,
        in_channels=in_channels,
        block_out_channels=(16, 32, 32, 32),
        attention_head_dim=4,
        cross_attention_dim=TEXT_WIDTH,
        norm_num_groups=8,
    )


def _pixel_unet(out_channels: int) -> UNet2DModel:
    return UNet2DModel(
        sample_size=CANVAS // 2,
        out_channels=out_channels,  # 6: guided-diffusion's learned variance
        block_out_channels=(16, 32, 32),
        down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        attention_head_dim=16,
        norm_num_groups=8,
        layers_per_block=1,
    )


def _tokenizer() -> CLIPTokenizer:
    tokenizer = build_tokenizer()
    tokenizer.model_max_length = WINDOW
    return tokenizer


def _text_encoder() -> CLIPTextModel:
    tokenizer = _tokenizer()
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            intermediate_size=2 * TEXT_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=WINDOW,
            projection_dim=TEXT_WIDTH,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def random_stack(dtype: torch.dtype = torch.float32, *, learned_variance: bool = True) -> Stack:
    """The same weights at every call."""
    device = torch.device("cpu")

    def seeded(build):
        def load():
            torch.manual_seed(0)
            return build()

        return load

    def powerpaint() -> PowerPaint:
        tokenizer = task_tokenizer(_tokenizer())
        return PowerPaint(_unet(9), with_room_for_tasks(_text_encoder(), tokenizer), tokenizer)

    def pixel() -> PixelDiffusion:
        scheduler = build_pixel_scheduler()
        if learned_variance:
            scheduler.register_to_config(variance_type="learned_range")
            scheduler.variance_type = "learned_range"
        return PixelDiffusion(_pixel_unet(6 if learned_variance else 3), scheduler)

    def clip() -> OpenClipModel:
        half = (0.5, 0.5, 0.5)
        return OpenClipModel(
            seeded(build_clip)(),
            lambda texts: clip_token_ids(build_tokenizer(), texts),
            name="random CLIP",
            mean=half,
            std=half,
            device=device,
        )

    loaders = Loaders(
        vae=seeded(_vae),
        unet=seeded(lambda: _unet(4)),
        text_encoder=seeded(_text_encoder),
        tokenizer=_tokenizer,
        scheduler=lambda: DDIMScheduler.from_config(build_scheduler().config),
        clip=clip,
        perceptual=lambda: UncalibratedPerceptual(device),
        judge=lambda: ImageNetJudge(device),
        inpaint_unet=seeded(lambda: _unet(9)),
        powerpaint=seeded(powerpaint),
        pixel=seeded(pixel),
    )
    return Stack("random", CANVAS, device, dtype, {"unet": {"weights": "random"}}, loaders)
