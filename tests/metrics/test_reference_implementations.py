"""The networks as scoring sees them, against lpips, torchmetrics and open_clip called by hand."""

from types import SimpleNamespace

import lpips
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_values import noisy, values_of
from PIL import Image
from skimage import data
from torch import Tensor, nn
from torchmetrics.functional.image.lpips import _LPIPS
from torchmetrics.functional.multimodal.clip_score import _clip_score_update
from torchvision.transforms.functional import normalize, to_tensor

from spin_bench.core.case import Case
from spin_bench.diffusion.latents import to_pictures
from spin_bench.diffusion.latents import to_tensor as of_picture
from spin_bench.metrics.batch import Batch
from spin_bench.metrics.registry import METRICS
from spin_bench.models.published_encoders import Lpips
from spin_bench.models.stack import Stack

MAIN = ("judge_i_crop", "coherence_style_seam", "clip_i_truth", "clip_t", "lpips_bg", "psnr_bg")


def _real(side: int = 64) -> Tensor:
    """Two photographs, (2, 3, side, side) in [-1, 1]."""
    photos = [Image.fromarray(getattr(data, name)()).resize((side, side)) for name in ("astronaut", "chelsea")]
    return torch.cat([of_picture(photo) for photo in photos])


@torch.no_grad()
def test_lpips_is_the_packages_own_and_torchmetrics(monkeypatch: pytest.MonkeyPatch):
    """The calibrated heads are in both packages; the trunk is random here, the same one in all three.

    torchmetrics adds its epsilon elsewhere, which small activations feel.
    """
    torch.manual_seed(0)
    network = lpips.LPIPS(net="vgg", pnet_rand=True, verbose=False).eval()
    monkeypatch.setattr(lpips, "LPIPS", lambda **options: network)
    ours = Lpips("vgg", lambda trunk, file: trunk, torch.device("cpu"))
    theirs = _LPIPS(pretrained=False, net="vgg", pnet_rand=True, eval_mode=True)
    theirs.load_state_dict(network.state_dict(), strict=False)
    for a, b in ((_real(), _real().flip(0)), (torch.rand(2, 3, 64, 64) * 2 - 1, torch.rand(2, 3, 64, 64) * 2 - 1)):
        torch.testing.assert_close(ours(a, b), network(a, b).flatten(), atol=1e-5, rtol=0)
        torch.testing.assert_close(ours(a, b), theirs(a, b).flatten(), atol=1e-3, rtol=0)
        assert ours(a, b).min() > 1e-3 and ours(a, a).abs().max() < 1e-9


@torch.no_grad()
def test_clip_features_are_open_clips_own(stack: Stack, cases: list[Case]):
    model, clip = stack.clip._model, stack.clip
    pictures = [case.truth for case in cases]
    seen = torch.stack([normalize(to_tensor(picture), [0.5] * 3, [0.5] * 3) for picture in pictures])
    by_hand = model.encode_image(seen)
    batch = Batch(cases, pictures, stack)
    unit = by_hand / by_hand.norm(dim=1, keepdim=True)
    torch.testing.assert_close(batch.clip_images, unit, atol=1e-4, rtol=0)
    torch.testing.assert_close(clip.encode_image(batch.images), unit, atol=1e-4, rtol=0)
    torch.testing.assert_close(batch.clip_patches, clip.encode_patches(batch.images), atol=1e-5, rtol=0)
    said = model.encode_text(clip._tokenise([case.prompt for case in cases]))
    torch.testing.assert_close(batch.clip_prompts, said / said.norm(dim=1, keepdim=True), atol=1e-4, rtol=0)


class _AsTransformers(nn.Module):
    """The stack's open_clip under the interface that torchmetrics calls."""

    config = SimpleNamespace()

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def get_image_features(self, pixels: Tensor) -> Tensor:
        return self.model.encode_image(pixels)

    def get_text_features(self, ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.model.encode_text(ids)


@torch.no_grad()
def test_clip_score_is_torchmetrics(stack: Stack, cases: list[Case]):
    def processor(*, return_tensors: str, padding: bool, images=None, text=None) -> dict[str, Tensor]:
        if images is not None:
            return {"pixel_values": torch.stack([image.float() / 127.5 - 1 for image in images])}
        ids = stack.clip._tokenise(text)
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    pictures = [noisy(case.truth, seed) for seed, case in enumerate(cases)]
    levels = [torch.from_numpy(np.array(picture)).permute(2, 0, 1) for picture in pictures]
    prompts = [case.prompt for case in cases]
    score, _ = _clip_score_update(levels, prompts, _AsTransformers(stack.clip._model), processor)
    torch.testing.assert_close(
        values_of("clip_t@brushnet", cases, pictures, stack), score.clamp(min=0), atol=1e-2, rtol=0
    )
    torch.testing.assert_close(values_of("clip_t", cases, pictures, stack), score / 100, atol=1e-4, rtol=0)


def test_thread_count_and_the_way_through_floats_do_not_matter(stack: Stack, cases: list[Case]):
    cases, threads = cases[:1], torch.get_num_threads()
    pictures = [noisy(case.truth, seed) for seed, case in enumerate(cases)]
    expected = {name: values_of(name, cases, pictures, stack) for name in MAIN}
    try:
        torch.set_num_threads(2 if threads == 1 else 1)
        for name in MAIN:
            torch.testing.assert_close(values_of(name, cases, pictures, stack), expected[name], atol=1e-5, rtol=0)
    finally:
        torch.set_num_threads(threads)
    floats = to_pictures(torch.cat([of_picture(picture) for picture in pictures]))
    assert all(np.array_equal(float_picture, picture) for float_picture, picture in zip(floats, pictures, strict=True))


@settings(max_examples=3, deadline=None)
@given(order=st.permutations(range(4)))
def test_the_order_of_pictures_is_the_order_of_values(stack: Stack, cases: list[Case], order: list[int]):
    pictures = [noisy(case.truth, seed) for seed, case in enumerate(cases)]
    there, here = Batch(cases, pictures, stack), Batch([cases[i] for i in order], [pictures[i] for i in order], stack)
    for name in MAIN:
        with torch.no_grad():
            values, turned = METRICS[name].compute(there), METRICS[name].compute(here)
        torch.testing.assert_close(turned, values[order], atol=1e-5, rtol=1e-4)
