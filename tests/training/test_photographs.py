"""The pixel-space model's pictures: which scenes they are of, how they are made smaller, and how they are kept."""

import numpy as np
import torch
import torch.nn.functional as F

from spin_bench.mini.world import paint
from training import photographs
from training.corpus import Corpus, training_scene
from training.photographs import SIDE, small_photographs


def test_only_photographs_of_objects_are_taken_from_a_corpus():
    pictures = np.arange(4, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    scenes = Corpus(
        pictures=pictures,
        masks=np.zeros((4, 2, 2), bool),
        captions=[""] * 4,
        nouns=["cat", "", "dog", "cow"],
        places=[""] * 4,
        domains=["real", "real", "sketch", "real"],
    )
    assert photographs.photographs(scenes)[:, 0, 0, 0].tolist() == [0, 3]


def test_small_photographs_are_the_scenes_own_averaged_down():
    """Against torch's averaging of the same scenes: equal but for the rounding to 8 bits."""
    scenes = [training_scene(index)[0] for index in range(20)]
    shown = [paint(scene) for scene in scenes if scene.objects and scene.domain == "real"]
    assert 0 < len(shown) < 20
    expected = F.adaptive_avg_pool2d(torch.from_numpy(np.stack(shown)).permute(0, 3, 1, 2).float(), SIDE)
    small = small_photographs(0, 20)
    assert small.dtype == np.uint8
    torch.testing.assert_close(torch.from_numpy(small).permute(0, 3, 1, 2).float(), expected, atol=1, rtol=0)


def test_shards_join_to_one_rendering_and_are_made_once(tmp_path, monkeypatch):
    monkeypatch.setattr(photographs, "SHARD", 10)
    assert list(photographs.render(tmp_path, scenes=25, workers=1)) == [1, 2, 3]
    assert (photographs.load(tmp_path, scenes=25) == small_photographs(0, 25)).all()
    (tmp_path / "00000010.npy").unlink()  # as after a kill
    first = (tmp_path / "00000000.npy").stat().st_mtime_ns
    assert list(photographs.render(tmp_path, scenes=25, workers=1)) == [3]
    assert (tmp_path / "00000000.npy").stat().st_mtime_ns == first
    assert (photographs.load(tmp_path, scenes=25) == small_photographs(0, 25)).all()


def test_a_shard_without_a_photograph_is_empty(monkeypatch):
    drawn = next(index for index in range(100) if training_scene(index)[0].domain == "sketch")
    assert small_photographs(drawn, 1).shape == (0, SIDE, SIDE, 3)
