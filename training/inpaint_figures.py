"""How well the embedded inpainting models paint what they are asked for, and remove what they are not, as figures.

On held-out scenes of the world's own mixture. Each mask is the subject's box with a margin, as in the benchmark, and
mini-CLIP judges (`zero_shot`). A grid shows scenes by the row of sixteen: with their holes, then as painted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from torch import Tensor

from spin_bench.core.progress import watched
from spin_bench.diffusion.inpainting import InpaintPipeline, inpaint, inpaint_pipeline
from spin_bench.diffusion.latents import to_tensor
from spin_bench.diffusion.text import encode_prompt
from spin_bench.methods.baselines.powerpaint import PROMPTS, encode_task
from spin_bench.mini.captions import benchmark_prompt
from spin_bench.mini.looks import SHIPPED_WORLD
from spin_bench.mini.sprites import nouns
from spin_bench.mini.world import CANVAS, DOMAINS, Scene, paint, sample_scene, subject_mask
from spin_bench.models.stack import Stack
from training import corpus
from training.inpaint_masks import filled, subject_boxes
from training.train_vae import as_images
from training.zero_shot import judged_empty, object_hits

MARGIN = CANVAS * 8 // 100  # px on every side of the box: the middle of the benchmark's
COLUMNS, SHOWN = 16, 48  # of the grid


@dataclass(frozen=True)
class Sampling:
    """How many scenes, and how they are painted."""

    scenes: int = 192
    steps: int = 50
    guidance_scale: float = 7.5
    batch: int = 16


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Scenes that no model was trained on."""

    scenes: list[Scene]
    masks: Tensor  # (N, H, W) bool, the subject's box with its margin

    @classmethod
    def drawn(cls, count: int) -> "HeldOut":
        rng = np.random.Generator(np.random.PCG64([SHIPPED_WORLD, corpus.HELD_OUT, 2]))
        domains = rng.choice(DOMAINS, count, p=corpus.DOMAIN_SHARES)
        scenes = [sample_scene(rng, nouns("train"), str(domain)) for domain in domains]
        subjects = torch.from_numpy(np.stack([subject_mask(scene) for scene in scenes]) > 0)
        return cls(scenes, filled(subject_boxes(subjects) + MARGIN * torch.tensor([-1, -1, 1, 1]), CANVAS))

    @property
    def subjects(self) -> list[str]:
        return [scene.objects[-1].instance.noun for scene in self.scenes]

    @property
    def prompts(self) -> list[str]:
        return [benchmark_prompt(scene) for scene in self.scenes]

    def pictures(self) -> NDArray[np.uint8]:
        return np.stack([paint(scene) for scene in self.scenes])

    def backgrounds(self) -> NDArray[np.uint8]:
        return np.stack([paint(scene.without_objects()) for scene in self.scenes])

    def judged_empty(self, images: Tensor, stack: Stack) -> Tensor:
        places, domains = [scene.place for scene in self.scenes], [scene.domain for scene in self.scenes]
        return judged_empty(images, places, domains, stack)


def _painted(
    pipeline: InpaintPipeline,
    pictures: NDArray[np.uint8],
    masks: Tensor,
    positive: Tensor,
    negative: Tensor,
    sampling: Sampling,
    console: Console,
    label: str,
) -> Tensor:
    """(N, 3, H, W) in [-1, 1]; picture i has seed i. The texts' hidden states are (N, tokens, width)."""
    starts = range(0, len(pictures), sampling.batch)
    painted: list[Image.Image] = []
    for start in watched(starts, total=len(starts), label=label, console=console):
        rows = range(start, min(start + sampling.batch, len(pictures)))
        painted += inpaint(
            pipeline,
            [Image.fromarray(pictures[i]) for i in rows],
            [Image.fromarray(masks[i].numpy()).convert("L") for i in rows],
            rows,
            positive=positive[rows.start : rows.stop],
            negative=negative[rows.start : rows.stop],
            steps=sampling.steps,
            guidance_scale=sampling.guidance_scale,
        )
    return torch.cat([to_tensor(picture) for picture in painted])


def _grid(pictures: NDArray[np.uint8], masks: Tensor, painted: Tensor) -> Tensor:
    """Rows of `COLUMNS` masked scenes over rows of what was painted, (n, 3, H, W) in [-1, 1]."""
    count = min(SHOWN, len(painted)) // COLUMNS * COLUMNS
    holed = torch.where(masks[:count, None], 0.0, as_images(torch.from_numpy(pictures[:count])))
    pairs = torch.stack([rows.unflatten(0, (-1, COLUMNS)) for rows in (holed, painted[:count])], 1)
    return pairs.flatten(0, 2)


def _of_tasks(stack: Stack, task: str, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """PowerPaint's hidden states for `prompts`, positive and negative, (N, tokens, width) each."""
    encoded = [
        encode_task(PROMPTS[task](prompt, ""), stack.powerpaint, fitting_degree=1.0, keep_task_token=False)
        for prompt in prompts
    ]
    positive, negative = zip(*encoded, strict=True)
    return torch.cat(positive), torch.cat(negative)


@torch.no_grad()
def inpaint_figures(stack: Stack, console: Console, sampling: Sampling = Sampling()) -> tuple[dict[str, float], Tensor]:
    """SD-inpaint, told to paint each scene's object into its empty place."""
    held_out = HeldOut.drawn(sampling.scenes)
    backgrounds = held_out.backgrounds()
    texts = [encode_prompt(stack.tokenizer, stack.text_encoder, text) for text in [*held_out.prompts, ""]]
    positive, negative = torch.cat(texts[:-1]), texts[-1].expand(len(texts) - 1, -1, -1)
    pipeline = inpaint_pipeline(stack, stack.inpaint_unet, stack.text_encoder, stack.tokenizer)
    painted = _painted(
        pipeline, backgrounds, held_out.masks, positive, negative, sampling, console, "SD-inpaint: objects"
    )
    hits = object_hits(painted, held_out.masks, held_out.subjects, stack)
    return {"inpaint_object": float(hits.float().mean())}, _grid(backgrounds, held_out.masks, painted)


@torch.no_grad()
def powerpaint_figures(
    stack: Stack, console: Console, sampling: Sampling = Sampling()
) -> tuple[dict[str, float], Tensor]:
    """PowerPaint with P_obj, on the same scenes."""
    held_out, model = HeldOut.drawn(sampling.scenes), stack.powerpaint
    backgrounds = held_out.backgrounds()
    pipeline = inpaint_pipeline(stack, model.unet, model.text_encoder, model.tokenizer)
    texts = _of_tasks(stack, "object", held_out.prompts)
    painted = _painted(pipeline, backgrounds, held_out.masks, *texts, sampling, console, "PowerPaint: objects")
    hits = object_hits(painted, held_out.masks, held_out.subjects, stack)
    return {"powerpaint_object": float(hits.float().mean())}, _grid(backgrounds, held_out.masks, painted)


@torch.no_grad()
def removal_figures(stack: Stack, console: Console, sampling: Sampling = Sampling()) -> tuple[dict[str, float], Tensor]:
    """PowerPaint with P_ctxt, told to remove each scene's object, and how often the judge errs where it is known.

    `removal_judge_misses` is the share of true full scenes that it calls empty, `removal_judge_alarms` of true empty
    ones that it calls full.
    """
    held_out, model = HeldOut.drawn(sampling.scenes), stack.powerpaint
    pictures = held_out.pictures()
    pipeline = inpaint_pipeline(stack, model.unet, model.text_encoder, model.tokenizer)
    texts = _of_tasks(stack, "removal", [""] * len(pictures))
    painted = _painted(pipeline, pictures, held_out.masks, *texts, sampling, console, "PowerPaint: removal")
    full, empty = (as_images(torch.from_numpy(truth)) for truth in (pictures, held_out.backgrounds()))
    figures = {
        "removal_clean": held_out.judged_empty(painted, stack),
        "removal_judge_misses": held_out.judged_empty(full, stack),
        "removal_judge_alarms": ~held_out.judged_empty(empty, stack),
    }
    shares = {name: float(verdicts.float().mean()) for name, verdicts in figures.items()}
    return shares, _grid(pictures, held_out.masks, painted)
