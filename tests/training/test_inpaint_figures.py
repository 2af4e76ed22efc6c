"""The figures of the inpainting models: held-out scenes, a judge that is right where the truth is known, the grid."""

import pytest
import torch
from PIL import Image
from rich.console import Console

from spin_bench.core.case import Case
from spin_bench.diffusion.inpainting import inpaint_pipeline
from spin_bench.diffusion.latents import to_tensor
from spin_bench.methods.baselines.powerpaint import PowerPaintSettings, powerpaint
from spin_bench.methods.baselines.sd_inpaint import SdInpaintSettings, sd_inpaint
from spin_bench.mini.world import subject_mask
from spin_bench.models.stack import Stack
from spin_bench.store.artefacts import Artefacts
from training.inpaint_figures import (
    HeldOut,
    Sampling,
    inpaint_figures,
    powerpaint_figures,
    removal_figures,
)
from training.train_vae import as_images
from training.zero_shot import object_hits

QUICK = Sampling(scenes=18, steps=1, batch=5)
QUIET = Console(quiet=True)
ONE_LEVEL = 2 / 255 + 1e-6  # sums in another order


def test_masks_cover_the_subject_with_a_margin():
    held_out = HeldOut.drawn(12)
    for scene, mask in zip(held_out.scenes, held_out.masks, strict=True):
        subject = torch.from_numpy(subject_mask(scene)) > 0
        assert mask[subject].all()
        rows, columns = mask.nonzero().unbind(1)
        assert mask.sum() == (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
        top, bottom = subject.any(1).nonzero()[[0, -1], 0].tolist()
        assert (int(rows.min()), int(rows.max())) == (max(0, top - 5), min(63, bottom + 5))
    assert held_out.scenes == HeldOut.drawn(12).scenes


@torch.no_grad()
def test_the_judge_is_right_where_the_truth_is_known(stack: Stack):
    held_out = HeldOut.drawn(48)
    full, empty = (as_images(torch.from_numpy(x)) for x in (held_out.pictures(), held_out.backgrounds()))
    assert object_hits(full, held_out.masks, held_out.subjects, stack).float().mean() > 0.85
    assert object_hits(empty, held_out.masks, held_out.subjects, stack).float().mean() < 0.15
    assert held_out.judged_empty(empty, stack).float().mean() > 0.9
    assert held_out.judged_empty(full, stack).float().mean() < 0.1


@pytest.mark.parametrize("name", ["inpaint", "powerpaint", "removal"])
def test_figures_are_shares_and_the_grid_shows_what_the_baseline_paints(name: str, stack: Stack, artefacts: Artefacts):
    figures, names, paint = {
        "inpaint": (inpaint_figures, {"inpaint_object"}, sd_inpaint(SdInpaintSettings(steps=1), stack)),
        "powerpaint": (
            powerpaint_figures,
            {"powerpaint_object"},
            powerpaint(PowerPaintSettings(steps=1), stack),
        ),
        "removal": (
            removal_figures,
            {"removal_clean", "removal_judge_misses", "removal_judge_alarms"},
            powerpaint(PowerPaintSettings(steps=1, task="removal"), stack),
        ),
    }[name]
    shares, grid = figures(stack, QUIET, QUICK)
    assert set(shares) == names
    for share in shares.values():
        assert 0 <= share <= 1
        assert share * QUICK.scenes == pytest.approx(round(share * QUICK.scenes), abs=1e-4)
    held_out = HeldOut.drawn(QUICK.scenes)
    pictures = held_out.pictures() if name == "removal" else held_out.backgrounds()
    assert grid.shape == (32, 3, 64, 64)
    holes = held_out.masks[:16, None].expand(-1, 3, -1, -1)
    assert torch.equal(grid[:16][~holes], as_images(torch.from_numpy(pictures[:16]))[~holes])
    assert (grid[:16][holes] == 0).all()
    for i in (0, 11):
        picture = Image.fromarray(pictures[i])
        mask = Image.fromarray(held_out.masks[i].numpy()).convert("L")
        case = Case(f"held-out-{i}", held_out.scenes[i].domain, held_out.prompts[i], picture, mask, picture, None)
        assert (to_tensor(paint(case, [i])[0])[0] - grid[16 + i]).abs().max() <= ONE_LEVEL


def test_a_scene_s_picture_is_the_same_in_any_batch(stack: Stack):
    grids = [inpaint_figures(stack, QUIET, Sampling(scenes=16, steps=1, batch=batch))[1][16:] for batch in (16, 3)]
    assert (grids[0] - grids[1]).abs().max() <= ONE_LEVEL


def test_the_pipeline_shares_the_stack_s_modules(stack: Stack):
    pipeline = inpaint_pipeline(stack, stack.inpaint_unet, stack.text_encoder, stack.tokenizer)
    assert pipeline.unet is stack.inpaint_unet
    assert pipeline.vae is stack.vae
    assert pipeline.scheduler is stack.scheduler
