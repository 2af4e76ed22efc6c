"""Mini-CLIP as a fair judge of individuals: it tells looks apart, and one look stays itself under damage.

Three cross-entropies: pictures with words and words with pictures, where a text fits every picture of which all that it
says is true; and subjects with damaged views of themselves, among a batch of other nouns and other looks.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPTokenizer

from spin_bench.mini.backgrounds import PLACES
from spin_bench.mini.captions import bare_place, in_words, template
from spin_bench.mini.clip_net import clip_token_ids
from spin_bench.mini.looks import Look
from spin_bench.mini.world import Instance
from training.corpus import Corpus
from training.judge_views import damaged, pasted_elsewhere
from training.loop import StepLoss, autocast
from training.train_clip import GREYED, crop_to_subjects, short_template
from training.train_vae import as_images

CROPPED = 0.65  # share of pictures cut to their subject
VIEWS_WEIGHT = 1.0
UNSAID, UNSEEN = -1, -2  # facts that a text leaves out, and that a picture does not show
LEVELS = ((True, True), (True, False), (False, True), (False, False))  # colour and pattern said or not


@dataclass(frozen=True, eq=False)
class Facts:
    """What is true of N scenes, as numbers: domain, noun, colour, pattern, place."""

    rows: Tensor  # (N, 5) int64

    @classmethod
    def of(cls, corpus: Corpus) -> "Facts":
        columns = [corpus.domains, corpus.nouns, corpus.colours, corpus.patterns, corpus.places]
        known = [sorted(set(column)) for column in columns]
        ids = [[words.index(word) for word in column] for words, column in zip(known, columns, strict=True)]
        return cls(torch.tensor(ids).T.contiguous())


def fits(texts: Tensor, pictures: Tensor) -> Tensor:
    """(n, m) bool: all that text j says is true of picture i; rows of facts (m, 5) and (n, 5)."""
    return ((texts[None] == UNSAID) | (texts[None] == pictures[:, None])).all(-1)


def _texts(corpus: Corpus, place_said: bool) -> list[list[str]]:
    """Each scene's text at every level, (N)(LEVELS)."""
    out = []
    for noun, colour, pattern, place, domain in zip(
        corpus.nouns, corpus.colours, corpus.patterns, corpus.places, corpus.domains, strict=True
    ):
        instance = Instance(noun, look=Look(colour, pattern)) if noun else None
        row = []
        for index, (c, p) in enumerate(LEVELS):
            words = in_words(instance, colour=c, pattern=p) if instance else ""
            if place_said:
                content = f"{words} {PLACES[place]}" if instance else bare_place(place)
                row.append(template(domain, index).format(content))
            else:
                row.append(short_template(domain).format(words))
        out.append(row)
    return out


def _ids(tokenizer: CLIPTokenizer, texts: list[list[str]]) -> Tensor:
    flat = clip_token_ids(tokenizer, [text for row in texts for text in row])
    return flat.unflatten(0, (len(texts), len(LEVELS)))


def _agreement(features: Tensor, others: Tensor, scale: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy both ways of (n, w) and (m, w) features, where `target` (n, m) says who belongs to whom."""
    logits, target = scale.float() * features.float() @ others.float().T, target.float()
    rows, columns = target.sum(1), target.sum(0)
    forth = F.cross_entropy(logits[rows > 0], target[rows > 0] / rows[rows > 0, None])
    back = F.cross_entropy(logits.T[columns > 0], target.T[columns > 0] / columns[columns > 0, None])
    return (forth + back) / 2


def judge_loss(
    clip: nn.Module, corpus: Corpus, tokenizer: CLIPTokenizer, *, batch: int, device: torch.device
) -> StepLoss:
    pictures, masks = torch.from_numpy(corpus.pictures), torch.from_numpy(corpus.masks)
    whole, short = _ids(tokenizer, _texts(corpus, True)), _ids(tokenizer, _texts(corpus, False))
    facts, has_subject = Facts.of(corpus).rows, masks.flatten(1).any(1)
    said = torch.tensor([[True, True, c, p, True] for c, p in LEVELS])

    def loss(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        chosen = torch.randint(len(pictures), (batch,), generator=generator)
        images, subject, shown = as_images(pictures[chosen]), masks[chosen], has_subject[chosen]
        cropped = (torch.rand(batch, generator=generator) < CROPPED) & shown
        greyed = (torch.rand(batch, generator=generator) < GREYED) & cropped
        cut = cropped[:, None, None, None]
        views = torch.where(cut, crop_to_subjects(images, subject, greyed, generator), images)
        mirrored = torch.rand(batch, generator=generator) < 0.5
        views = torch.where(mirrored[:, None, None, None], views.flip(-1), views)
        elsewhere = pasted_elsewhere(images, subject, images.roll(1, 0), generator)
        moved = (torch.rand(batch, generator=generator) < 0.6)[:, None, None, None]
        again = torch.where(moved & cut, elsewhere, images)
        again = torch.where(cut, crop_to_subjects(again, subject, torch.zeros_like(greyed), generator), again)
        level = torch.randint(len(LEVELS), (batch,), generator=generator)
        ids = torch.where(cropped[:, None], short[chosen, level], whole[chosen, level])
        seen = facts[chosen].clone()
        spoken = torch.where(said[level] | ~shown[:, None], seen, UNSAID)
        spoken[cropped, 4] = UNSAID
        seen[cropped, 4] = UNSEEN
        same = (facts[chosen][:, None, 1:4] == facts[chosen][None, :, 1:4]).all(-1) & shown[:, None] & shown[None]
        with autocast(device):
            both = torch.cat([damaged(views, generator), damaged(again, generator)])
            pixels, words, scale = clip(both.to(device, memory_format=torch.channels_last), ids.to(device))
        one, other = pixels.chunk(2)
        naming = _agreement(one, words, scale, fits(spoken, seen).to(device))
        staying = _agreement(one[cropped], other[cropped], scale, same[cropped][:, cropped].to(device))
        parts = {"naming": float(naming.detach()), "staying": float(staying.detach()), "scale": float(scale.detach())}
        return naming + VIEWS_WEIGHT * staying, parts

    return loss
