"""The embedded world and benchmark: the same pictures everywhere, and nothing novel in training."""

from hashlib import sha256

import numpy as np
import pytest

from spin_bench.core.case import DOMAINS as CASE_DOMAINS
from spin_bench.core.case import Case
from spin_bench.datasets.tficon import RELEASED
from spin_bench.mini.backgrounds import BACKGROUNDS, PLACES
from spin_bench.mini.benchmark import COUNTS, make_task, write_case
from spin_bench.mini.captions import bare_place, benchmark_prompt
from spin_bench.mini.raster import downsample
from spin_bench.mini.sprites import nouns, pixels, sprites
from spin_bench.mini.world import DOMAINS, Instance, Placement, Scene, paint, rotate_hue
from training.corpus import HELD_OUT, training_scene

CAT = Scene("grass", 5, "real", (Placement(Instance("cat", hue=2, saturation=90), 120, 130, 150),))

# Pictures made on the machine that made the shipped models; another machine must paint the same bytes.
PAINTED = {
    "real": "5130e0ceecdd931a",
    "cartoon": "6dff250a0af339e3",
    "painting": "31c219be2b42fd60",
    "sketch": "e2d9a1d0c89f649c",
}


def test_the_world_is_as_large_as_promised():
    assert len(sprites()) >= 64
    assert len(nouns("novel")) >= 12
    assert len(BACKGROUNDS) >= 8
    assert set(PLACES) == set(BACKGROUNDS)
    assert DOMAINS == CASE_DOMAINS
    assert COUNTS == RELEASED
    for noun in sprites():
        assert pixels(noun).shape == (224, 224, 4)


@pytest.mark.parametrize("domain", DOMAINS)
def test_painting_gives_the_same_bytes_on_every_machine(domain: str):
    scene = Scene(CAT.place, CAT.seed, domain, CAT.objects)
    assert sha256(paint(scene).tobytes()).hexdigest()[:16] == PAINTED[domain]


@pytest.mark.parametrize("place", BACKGROUNDS)
def test_every_place_is_painted_full_and_varies(place: str):
    one, other = (paint(Scene(place, seed, "real")) for seed in (1, 2))
    assert one.shape == (64, 64, 3)
    assert one.std() > 3
    assert np.abs(one.astype(int) - other).mean() > 1


def test_downsampling_is_the_rounded_mean():
    picture = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    blocks = picture.reshape(64, 4, 64, 4, 3).mean((1, 3))
    assert np.abs(downsample(picture, 64) - blocks).max() <= 0.5


@pytest.mark.parametrize("steps", [-5, -2, 1, 4])
def test_hue_turns_around_the_grey_axis(steps: int):
    """Rodrigues' rotation about (1, 1, 1), in floating point."""
    colours = np.random.default_rng(0).integers(60, 196, (500, 3)).astype(np.int64)
    axis = np.ones(3) / 3**0.5
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / 3**0.5
    angle = np.deg2rad(6 * steps)
    rotation = np.cos(angle) * np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * np.outer(axis, axis)
    assert np.abs(rotate_hue(colours, steps) - colours @ rotation.T).max() < 2
    greys = np.repeat(np.arange(256)[:, None], 3, axis=1)
    assert np.abs(rotate_hue(greys, steps) - greys).max() <= 2


def test_training_never_sees_a_novel_object():
    novel = set(nouns("novel"))
    for index in [*range(400), *range(HELD_OUT, HELD_OUT + 100)]:
        scene, text = training_scene(index)
        assert not novel & {placement.instance.noun for placement in scene.objects}
        assert not any(f" {noun} " in f" {text} " for noun in novel)


def test_a_case_shows_one_individual_in_two_places():
    for domain in COUNTS:
        for index in range(1, 6):
            task = make_task(domain, index)
            assert task == make_task(domain, index)
            assert task.scene.objects[-1].instance == task.photo.objects[-1].instance
            assert task.scene.place != task.photo.place
            assert task.photo.domain == "real"
            assert len(task.photo.objects) >= 2
            assert task.novel == (task.scene.objects[-1].instance.noun in nouns("novel"))


def test_the_benchmark_has_enough_novel_objects():
    tasks = [make_task(domain, index) for domain, count in COUNTS.items() for index in range(1, count + 1)]
    shown = {task.scene.objects[-1].instance.noun for task in tasks if task.novel}
    assert shown == set(nouns("novel"))
    assert 0.15 < np.mean([task.novel for task in tasks]) < 0.35


def test_cases_keep_the_benchmark_s_quirks(benchmark_root, cases: list[Case]):
    for case in cases:
        assert case.reference.size != case.background.size
        left, top, right, bottom = case.mask.getbbox()
        assert np.asarray(case.mask).sum() == 255 * (right - left) * (bottom - top)  # a filled rectangle after loading
        assert case.reference_mask.size == case.reference.size
        outside = np.asarray(case.mask) == 0
        assert np.array_equal(np.asarray(case.truth)[outside], np.asarray(case.background)[outside])
    assert len({mask.stat().st_size for mask in benchmark_root.glob("*/*/mask_bg_fg.jpg")}) > 1


def test_a_case_is_written_the_same_twice(tmp_path):
    for name in ("a", "b"):
        write_case(tmp_path / name, "painting", 3)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) == 7
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)


def test_prompts_are_worded_as_the_benchmark_s():
    assert benchmark_prompt(CAT) == "a professional photograph of a cat on the grass, ultra realistic"
    assert benchmark_prompt(Scene("sea", 1, "sketch")) == "a pencil drawing of the sea"
    assert bare_place("brick wall") == "a brick wall"
