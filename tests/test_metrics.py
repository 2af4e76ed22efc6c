"""Metrics: closed-form cases and properties."""

from dataclasses import replace

import pytest
import torch
from PIL import Image

from spin_bench.case import Case
from spin_bench.metrics.batch import Batch, context_box, reference_object, square_crop
from spin_bench.metrics.registry import METRICS
from spin_bench.stack import Stack


def _values(name: str, cases: list[Case], pictures: list[Image.Image], stack: Stack) -> torch.Tensor:
    with torch.no_grad():
        return METRICS[name].compute(Batch(cases, pictures, stack))


def test_identical_pictures(stack: Stack, cases: list[Case]):
    truths = [case.truth for case in cases]
    torch.testing.assert_close(_values("clip_i_truth", cases, truths, stack), torch.ones(len(cases)))
    backgrounds = [case.background for case in cases]
    assert _values("lpips_bg", cases, backgrounds, stack).abs().max() < 1e-9
    torch.testing.assert_close(_values("coherence_context", cases, backgrounds, stack), torch.ones(len(cases)))


@pytest.mark.parametrize("name", METRICS)
def test_batch_size_and_order_do_not_matter(name: str, stack: Stack, cases: list[Case]):
    pictures = [case.truth.transpose(Image.Transpose.ROTATE_90) for case in cases]
    together = _values(name, cases, pictures, stack)
    alone = torch.cat([_values(name, [c], [p], stack) for c, p in zip(cases, pictures, strict=True)])
    backwards = _values(name, cases[::-1], pictures[::-1], stack).flip(0)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(together, backwards, atol=1e-5, rtol=1e-4)


def test_the_painted_region_is_invisible_outside_and_the_rest_inside(stack: Stack, cases: list[Case]):
    case = cases[0]
    scribble = Image.composite(Image.effect_noise((64, 64), 90).convert("RGB"), case.background, case.mask)
    assert _values("lpips_bg", [case], [scribble], stack).item() < 1e-9
    inverse = case.mask.point(lambda level: 255 - level)
    elsewhere = Image.composite(Image.effect_noise((64, 64), 90).convert("RGB"), case.truth, inverse)
    for name in ("clip_i_crop", "judge_i_crop", "clip_i_truth"):
        assert torch.equal(_values(name, [case], [elsewhere], stack), _values(name, [case], [case.truth], stack))
    assert _values("lpips_bg", [case], [elsewhere], stack).item() > 0.05


def test_missing_values_are_nan(stack: Stack, cases: list[Case]):
    full = replace(cases[0], mask=Image.new("L", (64, 64), 255))
    assert _values("lpips_bg", [full], [full.background], stack).isnan().all()
    unknown = replace(cases[0], truth=None)
    assert _values("clip_i_truth", [unknown], [cases[0].truth], stack).isnan().all()


def test_the_truth_is_nearer_to_its_reference_than_to_others(stack: Stack, cases: list[Case]):
    truths = [case.truth for case in cases]
    swapped = [replace(c, reference=d.reference, reference_mask=d.reference_mask, id=f"{c.id}x")
               for c, d in zip(cases, cases[1:] + cases[:1], strict=True)]  # fmt: skip
    own, foreign = (_values("clip_i_crop", group, truths, stack) for group in (cases, swapped))
    assert (own > foreign).all()


def test_a_crop_is_padded_to_a_square_not_squashed():
    image = torch.full((1, 3, 20, 40), -1.0)
    image[..., 5:15, 10:30] = 1.0
    crop = square_crop(image, (10, 5, 30, 15))
    size = crop.shape[-1]
    assert crop[..., size // 2, size // 2].mean() > 0.95
    assert crop[..., 4, :].abs().max() < 0.05  # padded with mid-grey above
    assert crop[..., size // 2, 2].mean() > 0.9  # and not at the sides


def test_context_boxes_stay_inside():
    assert context_box((0, 0, 10, 10), 64) == (0, 0, 12, 12)
    assert context_box((20, 20, 40, 30), 64) == (15, 18, 45, 32)


def test_reference_object_without_a_mask_is_the_photo(cases: list[Case]):
    masked, whole = reference_object(cases[0]), reference_object(replace(cases[0], reference_mask=None))
    assert not torch.equal(masked, whole)
    empty = replace(cases[0], reference_mask=Image.new("L", cases[0].reference.size))
    assert torch.equal(reference_object(empty), whole)


def test_a_score_is_named_by_its_whole_protocol(stack: Stack):
    metric = METRICS["clip_i_crop"]
    assert metric.key(stack) == metric.key(stack)
    changed = [replace(metric, version="2"), replace(metric, protocol="other"), replace(metric, name="other")]
    assert len({metric.key(stack), *(other.key(stack) for other in changed)}) == 4
