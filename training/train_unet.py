"""The embedded text-to-image model: a latent UNet and its text encoder, trained together.

Epsilon-prediction on SD's scaled-linear schedule, min-SNR weighting at 5 (Hang et al. 2023), 10 % empty captions for
classifier-free guidance.
"""

import torch
from diffusers import DDIMScheduler, DDPMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from training.loop import M, StepLoss, autocast

TEXT_WIDTH = 128
EMPTY_CAPTIONS = 0.1
MIN_SNR = 5.0


class TextToImage(nn.Module):
    """The two modules that are trained together, so that one checkpoint holds both."""

    def __init__(self, unet: UNet2DConditionModel, text_encoder: CLIPTextModel):
        super().__init__()
        self.unet = unet
        self.text_encoder = text_encoder


def build_scheduler() -> DDIMScheduler:
    """Stable Diffusion's own schedule."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def build_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            intermediate_size=4 * TEXT_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=tokenizer.model_max_length,
            projection_dim=TEXT_WIDTH,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            attn_implementation="eager",  # the CPU's fused attention is slow backwards
        )
    )


def build_unet(in_channels: int = 4) -> UNet2DConditionModel:
    """11 M parameters; `attention_head_dim` is, in diffusers, the number of heads of each level."""
    unet = UNet2DConditionModel(
        sample_size=16,
        in_channels=in_channels,
        out_channels=4,
        down_block_types=("CrossAttnDownBlock2D",) * 3,
        up_block_types=("CrossAttnUpBlock2D",) * 3,
        block_out_channels=(64, 128, 192),
        layers_per_block=1,
        attention_head_dim=(2, 4, 6),
        cross_attention_dim=TEXT_WIDTH,
        norm_num_groups=16,
    )
    unet.set_attn_processor(AttnProcessor())  # as above
    return unet


def trainable(module: M) -> M:
    """`module` as loaded, ready for another round: all weights learn, attention unfused (slow backwards on the CPU)."""
    if isinstance(module, UNet2DConditionModel):
        module.set_attn_processor(AttnProcessor())
    return module.requires_grad_(True)


def tokenise(tokenizer: CLIPTokenizer, captions: list[str]) -> Tensor:
    """(N, window) token ids, padded and cut as the diffusers pipelines do."""
    return tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids


def min_snr_weights(scheduler: DDIMScheduler | DDPMScheduler, device: torch.device) -> Tensor:
    """Loss weight of every timestep, (T,) (Hang et al. 2023)."""
    alphas = scheduler.alphas_cumprod.to(device)
    snr = alphas / (1 - alphas)
    return snr.clamp(max=MIN_SNR) / snr


def text_to_image_loss(
    model: TextToImage,
    scheduler: DDIMScheduler,
    latents: Tensor,
    token_ids: Tensor,
    empty_ids: Tensor,
    *,
    batch: int,
    device: torch.device,
) -> StepLoss:
    """`latents` (N or a multiple of N, C, h, w) and `token_ids` (N, window) are aligned modulo N."""
    weights = min_snr_weights(scheduler, device)

    def loss(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        chosen = torch.randint(len(latents), (batch,), generator=generator)
        clean = latents[chosen].float().to(device)
        noise = torch.randn(clean.shape, generator=generator).to(device)
        t = torch.randint(scheduler.config.num_train_timesteps, (batch,), generator=generator).to(device)
        empty = torch.rand(batch, generator=generator) < EMPTY_CAPTIONS
        ids = torch.where(empty[:, None], empty_ids, token_ids[chosen % len(token_ids)]).to(device)
        noisy = scheduler.add_noise(clean, noise, t).to(memory_format=torch.channels_last)
        with autocast(device):
            states = model.text_encoder(ids).last_hidden_state
            noise_pred = model.unet(noisy, t, encoder_hidden_states=states).sample
        error = (noise_pred.float() - noise).pow(2).mean((1, 2, 3))
        return (weights[t] * error).mean(), {"mse": float(error.detach().mean())}

    return loss
