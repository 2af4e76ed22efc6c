"""The embedded inpainting model: nine input channels, fine-tuned from the text-to-image UNet.

The UNet alone learns: to denoise a whole scene, told its caption, where a mask is and what the scene shows outside it.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel

from training.corpus import Corpus
from training.inpaint_masks import inpaint_masks
from training.loop import StepLoss, autocast
from training.train_unet import EMPTY_CAPTIONS, min_snr_weights
from training.train_vae import as_images


@torch.no_grad()
def widened(unet: UNet2DConditionModel, in_channels: int = 9) -> UNet2DConditionModel:
    """A copy of `unet` that reads further input channels, with weight 0 at first, as SD's inpainting model began."""
    wide = UNet2DConditionModel.from_config(unet.config, in_channels=in_channels)
    state = unet.state_dict()
    narrow = state["conv_in.weight"]
    state["conv_in.weight"] = torch.zeros(len(narrow), in_channels, *narrow.shape[2:])
    state["conv_in.weight"][:, : narrow.shape[1]] = narrow
    wide.load_state_dict(state)
    return wide


@dataclass(frozen=True, eq=False)
class Scenes:
    """The corpus and its latents: row i of N + i is scene i mirrored, in every column."""

    pictures: Tensor  # (N, H, W, 3) uint8
    subjects: Tensor  # (N, H, W) bool
    latents: Tensor  # (2N, C, h, w) float16, scaled: of the pictures, then of their mirror images

    @classmethod
    def of(cls, corpus: Corpus, latents: Tensor) -> "Scenes":
        return cls(torch.from_numpy(corpus.pictures), torch.from_numpy(corpus.masks), latents)

    def images(self, chosen: Tensor) -> Tensor:
        """Rows `chosen` of 2N as (B, 3, H, W) float32 in [-1, 1]."""
        return self._mirrored(as_images(self.pictures[chosen % len(self.pictures)]), chosen)

    def masks(self, chosen: Tensor) -> Tensor:
        """Where the subjects are, (B, H, W) bool."""
        return self._mirrored(self.subjects[chosen % len(self.subjects)], chosen)

    def _mirrored(self, columns: Tensor, chosen: Tensor) -> Tensor:
        second = (chosen >= len(self.pictures)).view(-1, *[1] * (columns.dim() - 1))
        return torch.where(second, columns.flip(-1), columns)


@torch.no_grad()
def known(vae: AutoencoderKL, images: Tensor, masks: Tensor, device: torch.device) -> Tensor:
    """What the UNet is told beside the latents: mask and masked picture's latents, (B, 1 + C, h, w) float32.

    `images` are (B, 3, H, W) in [-1, 1], `masks` (B, 1, H, W) in {0, 1}; the hole is grey, the mask goes to latent size
    by nearest neighbour, both as in diffusers' pipeline.
    """
    holed = (images * (masks < 0.5)).to(device, memory_format=torch.channels_last)
    with autocast(device):
        latents = vae.encode(holed).latent_dist.mean.float() * vae.config.scaling_factor
    return torch.cat([F.interpolate(masks, latents.shape[-2:]).to(device), latents], 1)


def noise_error(
    unet: UNet2DConditionModel,
    scheduler: DDIMScheduler,
    clean: Tensor,
    beside: Tensor,
    states: Tensor,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Mean squared error of the predicted noise (B,), and the timesteps (B,) that were drawn.

    `clean` is (B, C, h, w) float32, `beside` the UNet's further channels, `states` (B, tokens, width).
    """
    noise = torch.randn(clean.shape, generator=generator).to(clean)
    t = torch.randint(scheduler.config.num_train_timesteps, (len(clean),), generator=generator).to(clean.device)
    inputs = torch.cat([scheduler.add_noise(clean, noise, t), beside], 1).to(memory_format=torch.channels_last)
    with autocast(clean.device):
        noise_pred = unet(inputs, t, encoder_hidden_states=states).sample
    return (noise_pred.float() - noise).pow(2).mean((1, 2, 3)), t


def inpaint_loss(
    unet: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    vae: AutoencoderKL,
    scheduler: DDIMScheduler,
    corpus: Corpus,
    latents: Tensor,
    token_ids: Tensor,
    empty_ids: Tensor,
    *,
    batch: int,
    device: torch.device,
) -> StepLoss:
    """`latents` (2N, C, h, w) are of the corpus, then of its mirror images; `token_ids` (N, window) of its captions."""
    scenes, weights = Scenes.of(corpus, latents), min_snr_weights(scheduler, device)

    def loss(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        chosen = torch.randint(len(latents), (batch,), generator=generator)
        masks = inpaint_masks(scenes.masks(chosen), generator)
        beside = known(vae, scenes.images(chosen), masks, device)
        empty = torch.rand(batch, generator=generator) < EMPTY_CAPTIONS
        ids = torch.where(empty[:, None], empty_ids, token_ids[chosen % len(token_ids)]).to(device)
        with torch.no_grad(), autocast(device):
            states = text_encoder(ids).last_hidden_state
        error, t = noise_error(unet, scheduler, latents[chosen].float().to(device), beside, states, generator)
        return (weights[t] * error).mean(), {"mse": float(error.detach().mean())}

    return loss
