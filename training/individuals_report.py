"""How good models are in the world of individuals, on scenes that none was trained on.

`python -m training.individuals_report <zoo> [figures ...]` prints them as JSON; a zoo is what the export stage
of `training.make_individuals` writes. The corpus must have been rendered.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from rich.console import Console
from transformers import CLIPTextModel, CLIPTokenizer

from spin_bench.core.errors import unknown
from spin_bench.core.paths import cache_folder
from spin_bench.models.config import StackConfig
from spin_bench.models.loading.load import load_stack
from spin_bench.models.stack import Stack
from training import corpus
from training.corpus import Corpus, individuals, subset
from training.look_figures import clip_look_figures, judge_figures, pattern_judge_of
from training.model_figures import clip_figures, vae_figures
from training.report import picture_grid
from training.told_figures import WORLD, text_to_image_look_figures
from training.train_unet import build_scheduler
from training.train_vae import as_images
from training.words_gain import Painter, words_gain_figures

GAIN_SCENES, FITTED_SCENES, SCENES = 256, 4000, 1000


@dataclass(frozen=True, eq=False)
class Subject:
    """What is measured, and on what."""

    zoo: Path
    stack: Stack
    held_out: Corpus
    trained_on: Corpus  # that the judge of patterns is fitted to

    @property
    def pictures(self) -> torch.Tensor:
        return as_images(torch.from_numpy(self.held_out.pictures))


def _gain(subject: Subject) -> dict[str, float]:
    zoo = subject.zoo
    painter = Painter(
        UNet2DConditionModel.from_pretrained(zoo / "unet", torch_dtype=torch.float32),
        CLIPTextModel.from_pretrained(zoo / "text_encoder", torch_dtype=torch.float32),
        AutoencoderKL.from_pretrained(zoo / "vae", torch_dtype=torch.float32),
        build_scheduler(),
        CLIPTokenizer.from_pretrained(zoo / "tokenizer"),
    )
    return words_gain_figures(painter, subset(individuals(subject.held_out), range(GAIN_SCENES)))


def _told(subject: Subject) -> dict[str, float]:
    judge = pattern_judge_of(subject.trained_on)
    figures, pictures = text_to_image_look_figures(subject.stack, judge, Console())
    picture_grid(pictures, columns=16).save(subject.zoo.parent / "told.png")
    return figures


FIGURES: dict[str, Callable[[Subject], dict[str, float]]] = {
    "vae": lambda s: vae_figures(s.pictures, s.held_out, s.stack)[0],
    "words_gain": _gain,
    "clip": lambda s: clip_figures(s.pictures, s.held_out, s.stack) | clip_look_figures(s.held_out, s.stack),
    "judges": lambda s: judge_figures(s.held_out, pattern_judge_of(s.trained_on)),
    "told": _told,
}


@torch.no_grad()
def main(zoo: Path, names: list[str]) -> None:
    for name in names:
        if name not in FIGURES:
            raise SystemExit(str(unknown("figures", name, list(FIGURES))))
    scenes = cache_folder() / f"mini-{WORLD}" / f"corpus-{WORLD}"
    subject = Subject(
        zoo,
        load_stack(StackConfig(name="mini", canvas=64, device="cpu", root=str(zoo))),
        corpus.load(scenes, start=corpus.HELD_OUT, count=SCENES),
        corpus.load(scenes, start=0, count=FITTED_SCENES),
    )
    for name in names or FIGURES:
        print(json.dumps({key: round(value, 4) for key, value in FIGURES[name](subject).items()}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
