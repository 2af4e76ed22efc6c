"""Train the embedded saliency network to find the subject among smaller distractors."""

import torch
import torch.nn.functional as F
from torch import Tensor

from spin_bench.mini.saliency_net import SaliencyNet
from training.corpus import Corpus
from training.loop import StepLoss, autocast
from training.train_vae import as_images


def saliency_loss(net: SaliencyNet, corpus: Corpus, *, batch: int, device: torch.device) -> StepLoss:
    """Cross-entropy a pixel plus soft intersection over union a picture, over the scenes that have a subject."""
    masks = torch.from_numpy(corpus.masks)
    usable = masks.flatten(1).any(1).nonzero().flatten()
    pictures = torch.from_numpy(corpus.pictures)

    def loss(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        chosen = usable[torch.randint(len(usable), (batch,), generator=generator)]
        images = as_images(pictures[chosen]).to(device, memory_format=torch.channels_last)
        target = masks[chosen].float()[:, None].to(device)
        if torch.rand((), generator=generator) < 0.5:
            images, target = images.flip(-1), target.flip(-1)
        with autocast(device):
            logits = net(images)
        logits = logits.float()
        found = logits.sigmoid()
        common = (found * target).sum((1, 2, 3))
        union = (found + target - found * target).sum((1, 2, 3))
        overlap = (common / union).mean()
        return F.binary_cross_entropy_with_logits(logits, target) + 1 - overlap, {"iou": float(overlap.detach())}

    return loss
