"""The figures of the embedded models: their arithmetic, and that they notice what they claim to notice."""

import numpy as np
import pytest
import torch

from spin_bench.mini.world import paint
from spin_bench.models.stack import Stack
from training import report
from training.corpus import HELD_OUT, training_scene
from training.perceptual_figures import DAMAGES, STRENGTHS, perceptual_figures
from training.report import AIMS, models_page, picture_grid
from training.train_vae import as_images


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    scenes = [training_scene(HELD_OUT + i)[0] for i in range(12)]
    return as_images(torch.from_numpy(np.stack([paint(scene) for scene in scenes])))


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_grows_with_its_strength(name: str, images: torch.Tensor):
    errors = [float((DAMAGES[name](images, strength) - images).pow(2).mean()) for strength in STRENGTHS]
    assert errors == sorted(errors)
    assert errors[0] > 0
    assert DAMAGES[name](images, 5).abs().max() <= 1.0001


def test_the_perceptual_distance_ranks_damage(images: torch.Tensor, stack: Stack):
    with torch.no_grad():
        figures = perceptual_figures(stack, images)
    assert figures.pop("perceptual_mean_rises") == 1
    assert set(figures) == {f"perceptual_{name}" for name in DAMAGES}
    assert min(figures.values()) > 0.8


def test_the_page_says_what_is_short():
    page = models_page({"vae_psnr_db": 26.0, "t2i_object": 0.5, "other": 0.1}, ["vae"])
    assert "| vae_psnr_db | 26.000 | 25.00 | reached |" in page
    assert "| t2i_object | 0.500 | 0.75 | short |" in page
    assert "| other | 0.100 |  |  |" in page
    assert "![vae](vae.png)" in page
    assert set(AIMS) >= {"inpaint_object", "powerpaint_object", "removal_clean"}


def test_a_grid_is_read_row_by_row(images: torch.Tensor):
    grid = picture_grid(images[:6], columns=3)
    assert grid.size == (3 * 128, 2 * 128)
    corner = np.asarray(grid.crop((128, 128, 256, 256)).resize((64, 64)), np.float32) / 127.5 - 1
    assert np.abs(corner - images[4].permute(1, 2, 0).numpy()).mean() < 0.1


def test_every_measure_has_a_name_that_its_picture_takes():
    assert set(report.COLUMNS) <= set(report.MEASURES)
