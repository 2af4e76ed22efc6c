"""The frozen models of one scale, loaded when first asked for; everything above is written against this class."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol

import torch
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, UNet2DConditionModel, UNet2DModel
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from spin_bench.core.errors import UserError, unknown
from spin_bench.models.placement import Placement
from spin_bench.store.artefacts import Artefacts


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
    """A nine-channel UNet and the text encoder that knows its task tokens (`models.task_tokens`)."""

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
    """How each part of a stack is made, by its name; None if the stack does not have it."""

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


PARTS = tuple(part.name for part in fields(Loaders))


@dataclass(frozen=True, eq=False)
class Stack:
    """Models of one scale, each loaded when it is first asked for; `fingerprint` names the weights of every part."""

    name: str
    canvas: int  # px
    device: torch.device
    dtype: torch.dtype
    fingerprint: dict[str, dict[str, str]]  # part -> file or repository -> hash or revision
    loaders: Loaders = field(repr=False)
    placement: Placement = field(default_factory=Placement)
    numerics: dict[str, str] = field(default_factory=dict)  # torch's switches, a record of every picture
    random: bool = False  # weights of a dry run: its pictures mean nothing
    artefacts: Artefacts = field(default_factory=Artefacts, repr=False)  # what its painters share between cases
    borrower: str = ""  # the method that it is lent to
    allowed: frozenset[str] = frozenset(PARTS)  # parts that the borrower may touch
    _loaded: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def lent(self, borrower: str, parts: Collection[str] | None) -> "Stack":
        """The same loaded models for one method, which may touch no part but `parts` (None: it may touch all).

        Touching another one raises `UserError`, and so does a part in `parts` that no stack has.
        """
        return self._view(borrower=borrower, allowed=frozenset(PARTS if parts is None else _known(parts)))

    def keeping(self, artefacts: Artefacts) -> "Stack":
        """The same loaded models, whose painters keep in `artefacts` what they share."""
        return self._view(artefacts=artefacts)

    def weights(self, parts: Collection[str] | None = None) -> dict[str, dict[str, str]]:
        """The fingerprint of `parts` (None: of all): what a result that used them is named by.

        A part that ships with a library, such as the metrics' judge, has none. Raises `UserError` for an unknown part.
        """
        wanted = self.fingerprint if parts is None else _known(parts)
        return {part: weights for part, weights in self.fingerprint.items() if part in wanted}

    def missing(self, parts: Collection[str] = OPTIONAL) -> list[str]:
        """Those of the optional `parts` that this stack does not have; raises `UserError` for an unknown part."""
        wanted = _known(parts)
        return [part for part in OPTIONAL if part in wanted and getattr(self.loaders, part) is None]

    @property
    def vae(self) -> AutoencoderKL:
        return self._part("vae", self.placement.settle_vae)

    @property
    def unet(self) -> UNet2DConditionModel:
        return self._part("unet", self.placement.settle_unet)

    @property
    def text_encoder(self) -> CLIPTextModel:
        return self._part("text_encoder", self.placement.settle)

    @property
    def tokenizer(self) -> CLIPTokenizer:
        return self._part("tokenizer")

    @property
    def scheduler(self) -> DDIMScheduler:
        return self._part("scheduler")

    @property
    def clip(self) -> ClipModel:
        return self._part("clip")

    @property
    def guide(self) -> ClipModel:
        """What guides Blended; the metrics' own CLIP if the stack has no other."""
        return self._part("guide") if self.loaders.guide else self.clip

    @property
    def perceptual(self) -> Perceptual:
        return self._part("perceptual")

    @property
    def judge(self) -> Features:
        return self._part("judge")

    @property
    def saliency(self) -> nn.Module | None:
        """A network of saliency; None if the stack has none."""
        return self._part("saliency", self.placement.settle) if self.loaders.saliency else None

    @property
    def inpaint_unet(self) -> UNet2DConditionModel:
        """The UNet of nine input channels: latents, mask, masked latents; `UserError` if the stack has none."""
        return self._part("inpaint_unet", self.placement.settle_unet)

    @property
    def powerpaint(self) -> PowerPaint:
        return self._part("powerpaint", self._settle_powerpaint)

    @property
    def pixel(self) -> PixelDiffusion:
        return self._part("pixel", self._settle_pixel)

    @property
    def latent_side(self) -> int:
        return self.canvas // 2 ** (len(self.vae.config.block_out_channels) - 1)

    @property
    def latent_channels(self) -> int:
        return self.vae.config.latent_channels

    def _view(self, **changes: Any) -> "Stack":
        view = replace(self, **changes)
        object.__setattr__(view, "_loaded", self._loaded)
        return view

    def _part(self, name: str, settle: Callable[[Any, torch.device, torch.dtype], Any] | None = None) -> Any:
        """The part, loaded once for this stack and all that are lent of it, and settled on its device."""
        if name not in self.allowed:
            raise UserError(
                f"{self.borrower} touches stack.{name} without saying so: add {name!r} to its record's uses"
            )
        if name not in self._loaded:
            load = getattr(self.loaders, name)
            if load is None:
                raise UserError(
                    f"stack {self.name!r} has no {name} model: set stack.{name}, or leave out what needs it"
                )
            self._loaded[name] = settle(load(), self.device, self.dtype) if settle else load()
        return self._loaded[name]

    def _settle_powerpaint(self, part: PowerPaint, device: torch.device, dtype: torch.dtype) -> PowerPaint:
        unet = self.placement.settle_unet(part.unet, device, dtype)
        return PowerPaint(unet, self.placement.settle(part.text_encoder, device, dtype), part.tokenizer)

    def _settle_pixel(self, part: PixelDiffusion, device: torch.device, dtype: torch.dtype) -> PixelDiffusion:
        return PixelDiffusion(self.placement.settle_unet(part.unet, device, dtype), part.scheduler)


def _known(parts: Collection[str]) -> Collection[str]:
    for part in parts:
        if part not in PARTS:
            raise unknown("part of the stack", part, list(PARTS))
    return parts
