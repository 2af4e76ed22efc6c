"""How good the embedded models are, on scenes that none of them was trained on: `make mini-report`.

Writes results/reference/mini/models.json, models.md and a picture grid for each model.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from rich.console import Console
from torch import Tensor

from spin_bench.core.errors import unknown
from spin_bench.core.files import write_whole
from spin_bench.core.paths import cache_folder
from spin_bench.mini.looks import SHIPPED_WORLD
from spin_bench.models.config import StackConfig
from spin_bench.models.loading.load import load_stack
from spin_bench.models.stack import Stack
from training import corpus
from training.inpaint_figures import inpaint_figures, powerpaint_figures, removal_figures
from training.model_figures import clip_figures, saliency_figures, text_to_image_figures, vae_figures
from training.perceptual_figures import perceptual_figures
from training.photographs import photographs
from training.pixel_figures import KID_MARGIN, NOISE_SCALE, pixel_figures
from training.train_vae import as_images

SCENES = 1000  # held-out, for VAE, CLIP and saliency

COLUMNS = {"pixel": 8}  # of a grid, where it is not sixteen

# What each figure should reach; short of it, the true figure is shipped and said.
AIMS = {
    "vae_psnr_db": 25.0,
    "clip_object_top1": 0.90,
    "clip_background_top1": 0.90,
    "clip_domain_top1": 0.95,
    "t2i_object": 0.75,
    "t2i_background": 0.85,
    "saliency_iou": 0.85,
    "inpaint_object": 0.75,
    "powerpaint_object": 0.75,
    "removal_clean": 0.80,
    "pixel_kid_room": 0.0,
    "perceptual_mean_rises": 1.0,
}

_PAGE = """# The embedded models, measured

On scenes never trained on, by `make mini-report`. Whoever names something here is mini-CLIP, zero-shot, among all it
knows.

{table}

- VAE: the worst domain's mean PSNR, then each domain's.
- Text-to-image: 256 pictures, CFG 5, 50 DDIM steps; noun and place of the whole picture.
- SD-inpaint and PowerPaint: 192 empty places, masked as the benchmark does, CFG 7.5, 50 steps; the noun in the mask's
  box. `removal_clean`: the scene looks more like its bare place than like the place with any noun;
  `removal_judge_misses` and `removal_judge_alarms` say how often that judge errs on true full and true empty scenes.
- Pixel model: 256 unconditional samples, 250 respaced steps (as guided-diffusion's own figures), the larger of the two
  fixed variances, the early steps' noise times {noise_scale} (EDM's S_noise); kernel distance (KID, mini-CLIP features,
  at 32 px) to held-out photographs of objects, which are what it was trained on, beside that of the VAE's
  reconstructions. Samples may lie {margin} above it; `pixel_kid_room` is what is left of that.
- Perceptual distance: five strengths of five kinds of damage on 64 scenes; the share of neighbouring strengths ranked
  right picture by picture, and 1 where the mean rises at every strength of every kind.

{pictures}
"""


@dataclass(frozen=True, eq=False)
class HeldOutScenes:
    """What is measured on."""

    scenes: corpus.Corpus
    images: Tensor  # (N, 3, H, W) in [-1, 1]

    @property
    def photographs(self) -> Tensor:
        """Those of the real domain with an object in them."""
        return as_images(torch.from_numpy(photographs(self.scenes)))


# Figures, and pictures to look at where there are any.
Measure = Callable[[Stack, HeldOutScenes, Console], tuple[dict[str, float], Tensor | None]]

MEASURES: dict[str, Measure] = {
    "vae": lambda stack, held_out, console: vae_figures(held_out.images, held_out.scenes, stack),
    "clip": lambda stack, held_out, console: (clip_figures(held_out.images, held_out.scenes, stack), None),
    "saliency": lambda stack, held_out, console: saliency_figures(stack),
    "text_to_image": lambda stack, held_out, console: text_to_image_figures(stack, console),
    "inpaint": lambda stack, held_out, console: inpaint_figures(stack, console),
    "powerpaint": lambda stack, held_out, console: powerpaint_figures(stack, console),
    "removal": lambda stack, held_out, console: removal_figures(stack, console),
    "pixel": lambda stack, held_out, console: pixel_figures(stack, held_out.photographs, console),
    "perceptual": lambda stack, held_out, console: (perceptual_figures(stack, held_out.images[:64]), None),
}


def picture_grid(images: Tensor, *, columns: int) -> Image.Image:
    """(n, 3, H, W) in [-1, 1], row by row, enlarged twice."""
    n, _, height, width = images.shape
    rows = n // columns
    tiles = images[: rows * columns].reshape(rows, columns, 3, height, width).permute(0, 3, 1, 4, 2)
    levels = ((tiles.reshape(rows * height, columns * width, 3) + 1) * 127.5).round().clamp(0, 255).byte()
    return Image.fromarray(levels.cpu().numpy()).resize(
        (columns * width * 2, rows * height * 2), Image.Resampling.BICUBIC
    )


def models_page(figures: dict[str, float], pictures: list[str]) -> str:
    lines = ["| figure | value | aim | |", "|---|---:|---:|---|"]
    for name, value in figures.items():
        aim = AIMS.get(name)
        verdict = "" if aim is None else "reached" if value >= aim else "short"
        lines.append(f"| {name} | {value:.3f} | {'' if aim is None else f'{aim:.2f}'} | {verdict} |")
    shown = "\n".join(f"![{name}]({name}.png)" for name in pictures)
    return _PAGE.format(table="\n".join(lines), margin=KID_MARGIN, noise_scale=NOISE_SCALE, pictures=shown)


def held_out_scenes() -> HeldOutScenes:
    folder = cache_folder() / "mini" / f"corpus-{SHIPPED_WORLD}"
    for _ in corpus.render(folder, start=corpus.HELD_OUT, count=SCENES, workers=2):
        pass
    scenes = corpus.load(folder, start=corpus.HELD_OUT, count=SCENES)
    return HeldOutScenes(scenes, as_images(torch.from_numpy(scenes.pictures)))


@torch.no_grad()
def main(names: list[str]) -> None:
    """Measure `names` anew (default: everything); the figures of the others stay as they were."""
    console, folder = Console(), Path("results/reference/mini")
    stack, held_out = load_stack(StackConfig(name="mini", canvas=64, device="cpu")), held_out_scenes()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "models.json"
    known: dict[str, float] = json.loads(path.read_text()) if names and path.exists() else {}
    for name in names or MEASURES:
        found, grid = MEASURES[name](stack, held_out, console)
        known |= found
        if grid is not None:
            picture_grid(grid, columns=COLUMNS.get(name, 16)).save(folder / f"{name}.png")
        write_whole(path, (json.dumps(known, indent=2) + "\n").encode())
    page = models_page(known, [name for name in MEASURES if (folder / f"{name}.png").exists()])
    write_whole(folder / "models.md", page.encode())
    console.print(page, markup=False)


if __name__ == "__main__":
    for given in sys.argv[1:]:
        if given not in MEASURES:
            raise SystemExit(str(unknown("figures", given, list(MEASURES))))
    main(sys.argv[1:])
