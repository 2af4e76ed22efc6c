"""open_clip behind the harness's own interface, the same for published and embedded weights."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BATCH = 256
RESNET_STAGES = 5  # of open_clip's ModifiedResNet: the stem and four layers


class OpenClipModel:
    """Unit-length features of pictures in [-1, 1] and of texts; see `spin_bench.models.stack.ClipModel`."""

    def __init__(
        self,
        model: Any,  # open_clip's CLIP or CustomTextCLIP
        tokenise: Callable[[list[str]], Tensor],
        *,
        name: str,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        device: torch.device,
    ):
        self.name = name
        self._model = model.requires_grad_(False).eval().to(device, torch.float32)
        self._tokenise = tokenise
        self._device = device
        self.mean = torch.tensor(mean, device=device).view(1, 3, 1, 1)
        self.std = torch.tensor(std, device=device).view(1, 3, 1, 1)
        self._words: tuple[tuple[str, ...], Tensor] | None = None

    @property
    def towers(self) -> dict[str, nn.Module]:
        """The two networks, by what they read."""
        return {"image": self._model.visual, "text": self._model.transformer}

    @property
    def side(self) -> int:
        size = self._model.visual.image_size
        return size[0] if isinstance(size, tuple) else size

    def encode_image(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1], resized (bicubic, antialiased) to the model's side, to (N, width)."""
        return self.encode_normalised(self._seen(images))

    def encode_normalised(self, pixels: Tensor) -> Tensor:
        """(N, 3, side, side) as the network itself sees pictures, mean and deviation taken out, to (N, width)."""
        return self._model.encode_image(pixels, normalize=True)

    def encode_patches(self, images: Tensor) -> Tensor:
        """The same pictures to the features of their patches at a quarter of the image tower's depth, (N, C, h, w)."""
        outputs = self._model.visual.forward_intermediates(
            self._seen(images), indices=[self._depth // 4], stop_early=True, intermediates_only=True
        )
        return outputs["image_intermediates"][0]

    def encode_with_patches(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """What `encode_image` and `encode_patches` return, from one pass."""
        outputs = self._model.visual.forward_intermediates(
            self._seen(images), indices=[self._depth // 4, self._depth - 1]
        )
        return F.normalize(outputs["image_features"], dim=-1), outputs["image_intermediates"][0]

    @property
    def _depth(self) -> int:
        """Blocks of the image tower."""
        visual = self._model.visual
        return len(visual.transformer.resblocks) if hasattr(visual, "transformer") else RESNET_STAGES

    def _seen(self, images: Tensor) -> Tensor:
        """At the model's side, with its mean and deviation taken out."""
        images = images.to(self._device, torch.float32)
        if images.shape[-2:] != (self.side, self.side):
            images = F.interpolate(images, (self.side, self.side), mode="bicubic", antialias=True).clamp(-1, 1)
        return ((images + 1) / 2 - self.mean) / self.std

    def encode_text(self, texts: list[str]) -> Tensor:
        chunks = [texts[i : i + BATCH] for i in range(0, len(texts), BATCH)]
        encoded = [self._model.encode_text(self._tokenise(chunk).to(self._device), normalize=True) for chunk in chunks]
        return torch.cat(encoded)

    def lost_words(self, text: str) -> str:
        """The words of `text` that its window has no room for; "" where it has."""
        words, seen = text.split(), self._tokenise([text])
        keep = len(words)
        while keep and torch.equal(self._tokenise([" ".join(words[: keep - 1])]), seen):
            keep -= 1
        return " ".join(words[keep:])

    def encode_words(self, words: list[str]) -> Tensor:
        if self._words is None or self._words[0] != tuple(words):
            texts = [f"a photo of a {word}" for word in words]
            encoded = [self._encode_short(texts[i : i + BATCH]) for i in range(0, len(texts), BATCH)]
            self._words = tuple(words), torch.cat(encoded)
        return self._words[1]

    def _encode_short(self, texts: list[str]) -> Tensor:
        """`encode_text` without the padding: a causal tower never looks ahead, and the feature is that of a text's end.

        A vocabulary of words is a seventh of the window long, and many.
        """
        ids = self._tokenise(texts).to(self._device)
        length = int(ids.argmax(-1).max()) + 1  # a text's end has the largest id
        model = self._model
        cut = {
            "positional_embedding": model.positional_embedding[:length],
            "attn_mask": model.attn_mask[:length, :length],
        }
        return torch.func.functional_call(model, cut, (None, ids[:, :length]))[1]
