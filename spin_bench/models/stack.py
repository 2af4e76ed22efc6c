"""The frozen models of one scale, loaded when first asked for; everything above is written against this class."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import torch
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, UNet2DConditionModel, UNet2DModel
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from spin_bench.core.errors import UserError
from spin_bench.models.placement import Placement


class ClipModel(Protocol):
    """CLIP as the harness uses it; features have unit length."""

    name: str  # architecture and weights, for the table's legend
    mean: Tensor  # (1, 3, 1, 1), of pictures in [0, 1]: what `encode_image` subtracts
    std: Tensor  # and divides by

    @property
    def side(self) -> int:
        """Of the pictures that the network itself sees, px."""

    def encode_image(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1], any size, to (N, width) float32; differentiable."""

    def encode_normalised(self, pixels: Tensor) -> Tensor:
        """The same for what the network itself sees: (N, 3, side, side) of [0, 1] less `mean`, over `std`."""

    def encode_text(self, texts: list[str]) -> Tensor:
        """Texts to (N, width) float32."""

    def lost_words(self, text: str) -> str:
        """The end of `text` that `encode_text` does not read, since its window is full; "" where it reads all."""

    def encode_words(self, words: list[str]) -> Tensor:
        """Words, each as "a photo of a {word}", to (N, width) float32; the last answer is kept."""


class Perceptual(Protocol):
    """A distance map in the manner of LPIPS."""

    name: str

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """Two (N, 3, H, W) batches in [-1, 1] to their distance (N,), 0 for equal pictures."""


class Features(Protocol):
    """An image encoder that nobody here trained."""

    name: str

    def __call__(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] to (N, width) float32 of unit length."""


@dataclass(frozen=True, eq=False)
class PowerPaint:
    """A nine-channel UNet and the text encoder that knows its task tokens (`diffusion.task_tokens`)."""

    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer


@dataclass(frozen=True, eq=False)
class PixelDiffusion:
    """An unconditional model of pictures in [-1, 1], smaller than the canvas; `unet.config.sample_size` is its side."""

    unet: UNet2DModel
    scheduler: DDPMScheduler

    @property
    def dtype(self) -> torch.dtype:
        """The network's precision; `unet.dtype` walks through all modules each time, which every step would feel."""
        return next(self.unet.parameters()).dtype


OPTIONAL = ("inpaint_unet", "powerpaint", "pixel")  # parts that a stack may lack, and some methods need


@dataclass(frozen=True)
class Loaders:
    """How each module is made; `None` where a stack does not have it."""

    vae: Callable[[], AutoencoderKL]
    unet: Callable[[], UNet2DConditionModel]
    text_encoder: Callable[[], CLIPTextModel]
    tokenizer: Callable[[], CLIPTokenizer]
    scheduler: Callable[[], DDIMScheduler]
    clip: Callable[[], ClipModel]
    perceptual: Callable[[], Perceptual]
    judge: Callable[[], Features]
    guide: Callable[[], ClipModel] | None = None  # a CLIP of its own for guidance, where the metrics' is another
    saliency: Callable[[], nn.Module] | None = None
    inpaint_unet: Callable[[], UNet2DConditionModel] | None = None
    powerpaint: Callable[[], PowerPaint] | None = None
    pixel: Callable[[], PixelDiffusion] | None = None


@dataclass(frozen=True, eq=False)
class Stack:
    """Models of one scale; `fingerprint` names the weights of every part by revision or hash."""

    name: str
    canvas: int  # px
    device: torch.device
    dtype: torch.dtype
    fingerprint: dict[str, dict[str, str]]  # part -> file or repository -> hash or revision
    loaders: Loaders = field(repr=False)
    placement: Placement = field(default_factory=Placement)
    numerics: dict[str, str] = field(default_factory=dict)  # torch's switches, a record of every picture
    random: bool = False  # weights of a dry run: its pictures mean nothing

    def weights(self, parts: Collection[str] | None = None) -> dict[str, dict[str, str]]:
        """The fingerprint of `parts` (None: of all): what a result that used them is named by."""
        return {part: found for part, found in self.fingerprint.items() if parts is None or part in parts}

    def missing(self, parts: Collection[str] = OPTIONAL) -> list[str]:
        """Those of the optional `parts` that this stack does not have."""
        return [part for part in OPTIONAL if part in parts and getattr(self.loaders, part) is None]

    @cached_property
    def vae(self) -> AutoencoderKL:
        return self.placement.settle_vae(self.loaders.vae(), self.device, self.dtype)

    @cached_property
    def unet(self) -> UNet2DConditionModel:
        return self._unet(self.loaders.unet())

    @cached_property
    def text_encoder(self) -> CLIPTextModel:
        return self._frozen(self.loaders.text_encoder())

    @cached_property
    def tokenizer(self) -> CLIPTokenizer:
        return self.loaders.tokenizer()

    @cached_property
    def scheduler(self) -> DDIMScheduler:
        return self.loaders.scheduler()

    @cached_property
    def clip(self) -> ClipModel:
        return self.loaders.clip()

    @cached_property
    def guide(self) -> ClipModel:
        """What guides Blended; the metrics' own CLIP where the stack has no other."""
        return self.loaders.guide() if self.loaders.guide else self.clip

    @cached_property
    def perceptual(self) -> Perceptual:
        return self.loaders.perceptual()

    @cached_property
    def judge(self) -> Features:
        return self.loaders.judge()

    @cached_property
    def saliency(self) -> nn.Module | None:
        return self._frozen(self.loaders.saliency()) if self.loaders.saliency else None

    @cached_property
    def inpaint_unet(self) -> UNet2DConditionModel:
        """The UNet of nine input channels: latents, mask, masked latents; `UserError` where the stack has none."""
        return self._unet(self._required("inpaint_unet", self.loaders.inpaint_unet))

    @cached_property
    def powerpaint(self) -> PowerPaint:
        loaded = self._required("powerpaint", self.loaders.powerpaint)
        return PowerPaint(self._unet(loaded.unet), self._frozen(loaded.text_encoder), loaded.tokenizer)

    @cached_property
    def pixel(self) -> PixelDiffusion:
        loaded = self._required("pixel", self.loaders.pixel)
        return PixelDiffusion(self._unet(loaded.unet), loaded.scheduler)

    @property
    def latent_side(self) -> int:
        return self.canvas // 2 ** (len(self.vae.config.block_out_channels) - 1)

    @property
    def latent_channels(self) -> int:
        return self.vae.config.latent_channels

    def _required(self, name: str, load: Callable[[], Any] | None) -> Any:
        if load is None:
            raise UserError(f"stack {self.name!r} has no {name} model: set stack.{name}, or leave out what needs it")
        return load()

    def _unet(self, network: Any) -> Any:
        return self.placement.settle_unet(network, self.device, self.dtype)

    def _frozen(self, network: Any) -> Any:
        return self.placement.settle(network, self.device, self.dtype)
