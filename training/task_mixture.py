"""What the embedded PowerPaint is taught on: scenes, masks and texts by task.

The published mixture (Zhuang et al. 2024): 40 % random masks with P_ctxt, half of them without a text; 60 % object
masks, half of these boxes with P_obj, half shapes with the mix alpha E(P_shape) + (1 - alpha) E(P_ctxt), where alpha is
the object's share of its dilated mask. A tenth of the texts is dropped; their task token stays.

What is ours, since no model of the web stands behind this one: two of the app's phrases have to be taught. Holes that
show no object are called "empty scene blur" half of the time that P_ctxt has no text, and a dropped text is replaced by
the quality words half of the time, which in a world without bad pictures say nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import CLIPTokenizer

from spin_bench.methods.baselines.powerpaint import EMPTY, QUALITY
from spin_bench.mini.sprites import sprites
from spin_bench.models.task_tokens import CONTEXT, OBJECT, SHAPE, TASKS, spelled_out, task_tokenizer
from training.corpus import Corpus
from training.inpaint_masks import brushes, dilated, filled, rectangles, subject_boxes
from training.train_inpaint import Scenes
from training.train_unet import EMPTY_CAPTIONS, tokenise

MIXTURE = {CONTEXT: 0.4, SHAPE: 0.3, OBJECT: 0.3}  # in the order of TASKS
CAPTIONED = 0.5  # of the random masks have the scene's caption, the others no text
NAMED = 0.5  # of the object masks have the object's name for a text, the others the scene's caption
WARPED = 0.5  # of the boxes
WARP_SIZE, WARP_PATCH = 0.1, 0.3  # of the square root of the object's area: displacement, and distance between two
DILATIONS, RADIUS, PUBLISHED_CANVAS = 9, (1, 11), 512  # so many times, kernels of 3 to 23 px, at so many px


class Wording:
    """The token ids of texts before each task's token."""

    def __init__(self, texts: Sequence[str], tokenizer: CLIPTokenizer):
        unique = list(dict.fromkeys(texts))
        self._index = {text: index for index, text in enumerate(unique)}
        extended = task_tokenizer(tokenizer)
        # (tasks, texts, window)
        self.ids = torch.stack(
            [tokenise(extended, [spelled_out(f"{text} {task}") for text in unique]) for task in TASKS]
        )

    def indices(self, texts: Sequence[str]) -> Tensor:
        """Where `texts` stand on the second axis of `ids`."""
        return torch.tensor([self._index[text] for text in texts])


@dataclass(frozen=True, eq=False)
class TaskBatch:
    """What a batch is told and has to paint; tasks are indices into TASKS, texts into a `Wording`."""

    chosen: Tensor  # (B,) rows of the scenes and their mirror images
    tasks: Tensor  # (B,)
    texts: Tensor  # (B,)
    masks: Tensor  # (B, 1, H, W) float32 in {0, 1}
    alpha: Tensor  # (B,) share of the task's own embedding against P_ctxt's


def warped(boxes: Tensor, areas: Tensor, generator: torch.Generator) -> Tensor:
    """Masks (N, H, W) bool with ragged edges: each box and what a smooth random displacement of it covers."""
    n, side = len(boxes), boxes.shape[-1]
    scale = areas.float().sqrt().clamp(min=1)
    patch = max(1.0, WARP_PATCH * float(scale.mean()))  # one grid for the batch, at its mean object
    cells = max(2, round(side / patch))
    shift = F.interpolate(torch.randn(n, 2, cells, cells, generator=generator), (side, side), mode="bicubic")
    shift = shift * (WARP_SIZE * scale * 2 / side)[:, None, None, None]  # px to the units of grid_sample
    identity = F.affine_grid(torch.eye(2, 3).expand(n, -1, -1), [n, 1, side, side], align_corners=False)
    moved = F.grid_sample(boxes[:, None].float(), identity + shift.permute(0, 2, 3, 1), align_corners=False)
    return boxes | (moved[:, 0] > 0.5)


def _task_masks(tasks: Tensor, subjects: Tensor, generator: torch.Generator) -> Tensor:
    """(B, H, W) bool, each by its task's rule."""
    n, side = len(subjects), subjects.shape[-1]

    def coin(share: float) -> Tensor:
        return (torch.rand(n, generator=generator) < share)[:, None, None]

    anywhere = torch.where(coin(0.5), rectangles(n, side, generator), brushes(n, side, generator))
    boxes = filled(subject_boxes(subjects), side)
    boxes = torch.where(coin(WARPED), warped(boxes, subjects.sum((1, 2)), generator), boxes)
    radius = torch.randint(RADIUS[0], RADIUS[1] + 1, (n,), generator=generator)
    times = torch.randint(DILATIONS + 1, (n,), generator=generator)
    # Dilating k times by a square is dilating once by one of k times its radius.
    shapes = dilated(subjects, (radius * times * side / PUBLISHED_CANVAS).round().long())
    of_task = {CONTEXT: anywhere, SHAPE: shapes, OBJECT: boxes}
    return torch.stack([of_task[task] for task in TASKS])[tasks, torch.arange(n)]


class TaskMixture:
    """Draws batches of the published mixture from a corpus."""

    def __init__(self, corpus: Corpus, scenes: Scenes, tokenizer: CLIPTokenizer):
        names = [sprites()[noun].with_article if noun else "" for noun in corpus.nouns]
        self.wording = Wording([*corpus.captions, *names, "", EMPTY, QUALITY], tokenizer)
        self._captions, self._names = self.wording.indices(corpus.captions), self.wording.indices(names)
        self._nothing, self._empty, self._quality = self.wording.indices(["", EMPTY, QUALITY])
        self._scenes = scenes
        has_subject = scenes.subjects.flatten(1).any(1)
        self._with_subject = torch.cat([has_subject, has_subject]).nonzero()[:, 0]

    def draw(self, batch: int, generator: torch.Generator) -> TaskBatch:
        """Object tasks take scenes with an object, the random masks any."""
        shares = torch.tensor([MIXTURE[task] for task in TASKS])
        tasks = torch.multinomial(shares, batch, replacement=True, generator=generator)
        anything = torch.randint(len(self._scenes.latents), (batch,), generator=generator)
        something = torch.randint(len(self._with_subject), (batch,), generator=generator)
        of_context = tasks == TASKS.index(CONTEXT)
        chosen = torch.where(of_context, anything, self._with_subject[something])
        subjects = self._scenes.masks(chosen)
        masks = _task_masks(tasks, subjects, generator)
        share = subjects.sum((1, 2)) / masks.sum((1, 2))
        alpha = torch.where(tasks == TASKS.index(SHAPE), share, 1.0)
        texts = self._texts(chosen, of_context, ~(masks & subjects).flatten(1).any(1), generator)
        return TaskBatch(chosen, tasks, texts, masks[:, None].float(), alpha)

    def _texts(self, chosen: Tensor, of_context: Tensor, shows_none: Tensor, generator: torch.Generator) -> Tensor:
        def coin(share: float) -> Tensor:
            return torch.rand(len(chosen), generator=generator) < share

        rows = chosen % len(self._captions)
        captions = self._captions[rows]
        free = torch.where(shows_none & coin(0.5), self._empty, self._nothing)
        of_random = torch.where(coin(CAPTIONED), captions, free)
        of_object = torch.where(coin(NAMED), self._names[rows], captions)
        dropped = torch.where(coin(0.5), self._quality, self._nothing)
        return torch.where(coin(EMPTY_CAPTIONS), dropped, torch.where(of_context, of_random, of_object))
