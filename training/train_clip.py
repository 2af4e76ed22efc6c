"""The embedded CLIP: open_clip's own model, small, trained contrastively on the embedded world.

Half of the pictures are cut to their subject, some with everything else greyed out, because that is how the metrics
look at pictures. Rows of a batch with the same words count as each other's positives.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPTokenizer

from spin_bench.mini.clip_net import clip_token_ids
from spin_bench.mini.sprites import sprites
from training.corpus import Corpus
from training.loop import StepLoss, autocast
from training.train_vae import as_images

CROPPED = 0.5  # share of pictures cut to their subject
GREYED = 0.4  # of those, share that lose their surroundings

_STYLE_WORDS = {"real": "photo", "cartoon": "cartoon", "painting": "painting", "sketch": "drawing"}


def _windows(masks: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A square window with up to 20 % margin around every subject: centre (N, 2), half side (N,), units of [-1, 1]."""
    n, side = masks.shape[0], masks.shape[-1]
    grid = torch.arange(side)
    spans = []
    for axis in (1, 2):  # columns, then rows
        covered = masks.any(axis)
        low = torch.where(covered, grid, side).amin(1).float()
        high = torch.where(covered, grid + 1, 0).amax(1).float()
        spans.append((low, high))
    (left, right), (top, bottom) = spans
    centre = torch.stack([left + right, top + bottom], 1) / side - 1
    half = torch.maximum(right - left, bottom - top) / side * (1 + 0.2 * torch.rand(n, generator=generator))
    return centre, half


def crop_to_subjects(images: Tensor, masks: Tensor, greyed: Tensor, generator: torch.Generator) -> Tensor:
    """Cut (N, 3, H, W) pictures in [-1, 1] to their subjects (N, H, W bool); `greyed` (N,) rows keep nothing else."""
    images = torch.where(greyed[:, None, None, None] & ~masks[:, None], 0.0, images)
    centre, half = _windows(masks, generator)
    theta = torch.zeros(len(images), 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = half
    theta[:, :, 2] = centre
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def short_template(domain: str) -> str:
    return f"a {_STYLE_WORDS[domain]} of {{}}"


def short_caption(noun: str, domain: str) -> str:
    return short_template(domain).format(sprites()[noun].with_article) if noun else ""


def clip_loss(
    clip: nn.Module, corpus: Corpus, tokenizer: CLIPTokenizer, *, batch: int, device: torch.device
) -> StepLoss:
    pictures, masks = torch.from_numpy(corpus.pictures), torch.from_numpy(corpus.masks)
    whole = clip_token_ids(tokenizer, corpus.captions)
    short = clip_token_ids(
        tokenizer, [short_caption(*facts) for facts in zip(corpus.nouns, corpus.domains, strict=True)]
    )
    has_subject = masks.flatten(1).any(1)

    def loss(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        chosen = torch.randint(len(pictures), (batch,), generator=generator)
        images, subject = as_images(pictures[chosen]), masks[chosen]
        cropped = (torch.rand(batch, generator=generator) < CROPPED) & has_subject[chosen]
        greyed = (torch.rand(batch, generator=generator) < GREYED) & cropped
        images = torch.where(cropped[:, None, None, None], crop_to_subjects(images, subject, greyed, generator), images)
        mirrored = torch.rand(batch, generator=generator) < 0.5
        images = torch.where(mirrored[:, None, None, None], images.flip(-1), images)
        ids = torch.where(cropped[:, None], short[chosen], whole[chosen])
        same = (ids[:, None] == ids[None]).all(-1).float().to(device)
        target = same / same.sum(1, keepdim=True)
        with autocast(device):
            pixels, words, scale = clip(images.to(device, memory_format=torch.channels_last), ids.to(device))
        logits = scale.float() * pixels.float() @ words.float().T
        value = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
        return value, {"scale": float(scale.detach())}

    return loss
