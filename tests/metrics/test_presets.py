"""Published protocols: each fault, and the corrected value, on cases with an answer in closed form."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from spin_bench.core.case import Case
from spin_bench.metrics.batch import Batch
from spin_bench.metrics.presets import hdpainter, pbe
from spin_bench.metrics.presets.piebench import edited
from spin_bench.metrics.registry import METRICS
from spin_bench.models.stack import Stack

SIDE = 64
STEP = 10  # grey levels between background and painted picture
ERROR = (STEP / 255) ** 2  # of every pixel and channel


def _masked(case: Case, box: tuple[int, int, int, int]) -> Case:
    mask = Image.new("L", (SIDE, SIDE))
    mask.paste(255, box)
    return replace(case, mask=mask)


def _flat(case: Case, box: tuple[int, int, int, int]) -> tuple[Case, Image.Image]:
    """A grey scene and a picture that is STEP levels lighter everywhere."""
    case = replace(_masked(case, box), background=Image.new("RGB", (SIDE, SIDE), (100,) * 3))
    return case, Image.new("RGB", (SIDE, SIDE), (100 + STEP,) * 3)


def _value(name: str, case: Case, picture: Image.Image, stack: Stack) -> float:
    with torch.no_grad():
        return METRICS[name].compute(Batch([case], [picture], stack)).item()


def _tensor(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)[None].float() / 127.5 - 1


@pytest.mark.parametrize("box", [(20, 20, 30, 30), (8, 8, 56, 56), (0, 0, 64, 40)])
def test_brushnet_counts_pixels_where_it_sums_channels(box, stack: Stack, cases: list[Case]):
    case, picture = _flat(cases[0], box)
    assert _value("mse_bg", case, picture, stack) == pytest.approx(ERROR, rel=1e-12)
    assert _value("mse_bg@brushnet", case, picture, stack) == pytest.approx(3 * ERROR, rel=1e-12)
    right, wrong = (_value(name, case, picture, stack) for name in ("psnr_bg", "psnr_bg@brushnet"))
    assert right == pytest.approx(-10 * np.log10(ERROR), rel=1e-12)
    assert right - wrong == pytest.approx(10 * np.log10(3), rel=1e-12)


def test_brushnet_counts_an_untouched_background_as_a_thousand(stack: Stack, cases: list[Case]):
    case = cases[0]
    assert _value("psnr_bg@brushnet", case, case.background, stack) == 1000
    assert _value("psnr_bg", case, case.background, stack) == 100


@pytest.mark.parametrize("half", [5, 15, 25])
def test_piebench_grows_with_the_mask(half: int, stack: Stack, cases: list[Case]):
    case, picture = _flat(cases[0], (32 - half, 32 - half, 32 + half, 32 + half))
    share = ((2 * half) ** 2 + 4 * (SIDE - 1)) / SIDE**2  # the mask and the outermost pixels
    assert _value("psnr_bg", case, picture, stack) == pytest.approx(-10 * np.log10(ERROR), rel=1e-12)
    assert _value("mse_bg@piebench", case, picture, stack) == pytest.approx((1 - share) * ERROR, rel=1e-12)
    excess = _value("psnr_bg@piebench", case, picture, stack) - _value("psnr_bg", case, picture, stack)
    assert excess == pytest.approx(10 * np.log10(1 / (1 - share)), rel=1e-9)


def test_piebench_ssim_is_the_librarys_of_two_blackened_pictures_and_grows(stack: Stack, cases: list[Case]):
    random = np.random.default_rng(0)
    picture = Image.fromarray(random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))
    values = []
    for half in (5, 12, 20):
        case = _masked(cases[0], (32 - half, 32 - half, 32 + half, 32 + half))
        keep = np.array(case.mask) == 0
        keep[[0, -1]] = keep[:, [0, -1]] = False
        black = [torch.from_numpy(np.array(p) * keep[..., None] / 255).permute(2, 0, 1)[None] for p in
                 (picture, case.background)]  # fmt: skip
        expected = structural_similarity_index_measure(*black, data_range=1.0).item()
        values.append(_value("ssim_bg@piebench", case, picture, stack))
        assert values[-1] == pytest.approx(expected, abs=1e-6)
        assert _value("ssim_bg", case, picture, stack) < 0.1  # noise, whatever the mask (NaN would fail here)
    assert values == sorted(values) and values[-1] > 0.3


def test_piebench_counts_the_outermost_pixels_as_edited(stack: Stack, cases: list[Case]):
    case = _masked(cases[0], (20, 20, 40, 40))
    framed = case.background.copy()
    for box in ((0, 0, 64, 1), (0, 63, 64, 64), (0, 0, 1, 64), (63, 0, 64, 64)):
        framed.paste((255, 0, 255), box)
    assert _value("mse_bg@piebench", case, framed, stack) == 0
    assert _value("mse_bg", case, framed, stack) > 0.001
    assert edited(torch.zeros(1, 1, 6, 6)).sum() == 20


def test_black_surrounds_are_seen(stack: Stack, cases: list[Case]):
    """`clip_t_edit@piebench` and `lpips_bg@tficon`, pixel by pixel."""
    case = _masked(cases[0], (10, 20, 40, 50))
    picture, scene = np.array(case.truth), np.array(case.background)
    inside = np.array(case.mask)[..., None] > 0
    rim = inside.copy()
    rim[[0, -1]] = rim[:, [0, -1]] = True
    with torch.no_grad():
        seen = stack.clip.encode_image(_tensor(Image.fromarray(picture * rim)))
        cosine = (seen @ stack.clip.encode_text([case.prompt]).T).item()
        black = [_tensor(Image.fromarray(pixels * ~inside)) for pixels in (picture, scene)]
        distance = stack.perceptual(*black).item()
    assert _value("clip_t_edit@piebench", case, case.truth, stack) == pytest.approx(100 * max(0, cosine), abs=1e-4)
    assert _value("lpips_bg@tficon", case, case.truth, stack) == pytest.approx(distance, abs=1e-6)


def test_lpips_bg_differs_by_what_stands_in_for_the_mask(stack: Stack, cases: list[Case]):
    """Black against a bright scene is an edge that mid-grey is not: the two protocols do not agree."""
    case = cases[0]
    noise = np.random.default_rng(0).normal(0, 25, (SIDE, SIDE, 3))
    picture = Image.fromarray((np.array(case.background) + noise).clip(0, 255).astype(np.uint8))
    ours, theirs = (_value(name, case, picture, stack) for name in ("lpips_bg", "lpips_bg@tficon"))
    assert abs(ours - theirs) > 0.01 * ours


def test_tficon_compares_the_squashed_crop_with_the_raw_reference(stack: Stack, cases: list[Case]):
    box = (10, 20, 50, 40)  # twice as wide as high
    reference = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 36, 3), dtype=np.uint8))
    case = replace(_masked(cases[0], box), reference=reference, reference_mask=Image.new("L", (36, 48), 255))
    crop = torch.nn.functional.interpolate(
        _tensor(case.truth.crop(box)), (48, 36), mode="bicubic", antialias=True
    ).clamp(-1, 1)
    with torch.no_grad():
        features = [stack.clip.encode_image(picture) for picture in (crop, _tensor(reference))]
        distance = stack.perceptual(crop, _tensor(reference)).item()
    assert _value("clip_i@tficon", case, case.truth, stack) == pytest.approx(
        100 * (features[0] @ features[1].T).item(), abs=1e-4
    )
    assert _value("lpips_fg@tficon", case, case.truth, stack) == pytest.approx(distance, abs=1e-6)
    unmasked = replace(case, reference_mask=None)  # the raw reference, so its mask says nothing
    assert _value("clip_i@tficon", unmasked, case.truth, stack) == _value("clip_i@tficon", case, case.truth, stack)


def test_a_perfect_crop_of_the_references_shape_is_perfect_for_tficon(stack: Stack, cases: list[Case]):
    reference = cases[1].reference.convert("RGB").resize((24, 24))
    case = replace(_masked(cases[0], (20, 20, 44, 44)), reference=reference, reference_mask=None)
    picture = case.background.copy()
    picture.paste(reference, (20, 20))
    assert _value("clip_i@tficon", case, picture, stack) == pytest.approx(100, abs=1e-3)
    assert _value("lpips_fg@tficon", case, picture, stack) == pytest.approx(0, abs=1e-6)


def test_a_clip_score_is_a_hundred_times_a_cosine_and_never_negative(stack: Stack, cases: list[Case]):
    prompts = {case.prompt for case in cases}
    negative = 0
    for case in cases:
        for prompt in prompts:
            asked = replace(case, prompt=prompt)
            cosine = _value("clip_t", asked, case.truth, stack)
            assert _value("clip_t@tficon", asked, case.truth, stack) == pytest.approx(100 * cosine, abs=1e-4)
            score = _value("clip_t@brushnet", asked, case.truth, stack)
            assert score == pytest.approx(100 * max(0, cosine), abs=1e-4)
            negative += cosine < 0
    assert negative  # or the clamp was not tried


def test_paint_by_example_loses_the_last_row_and_column(stack: Stack, cases: list[Case]):
    case = _masked(cases[0], (10, 20, 50, 41))
    assert case.box == (10, 20, 50, 41)
    assert pbe.first_to_last(case.mask) == (10, 20, 49, 40)
    spoilt = case.truth.copy()
    spoilt.paste((255, 0, 255), (49, 20, 50, 41))
    spoilt.paste((255, 0, 255), (10, 40, 50, 41))
    assert _value("clip_i@pbe", case, spoilt, stack) == _value("clip_i@pbe", case, case.truth, stack)
    assert _value("clip_i_crop", case, spoilt, stack) != _value("clip_i_crop", case, case.truth, stack)


def test_paint_by_example_sees_part_of_a_mask_that_is_no_box(stack: Stack, cases: list[Case]):
    """Of a disc the first and the last row start near the same column: a sliver, or nothing, is left."""
    y, x = np.mgrid[:SIDE, :SIDE]
    disc = replace(cases[0], mask=Image.fromarray(((x - 32) ** 2 + (y - 32) ** 2 <= 20**2).astype(np.uint8) * 255))
    left, top, right, bottom = pbe.first_to_last(disc.mask)
    assert disc.box == (12, 12, 53, 53) and (left, top, right, bottom) == (32, 12, 32, 52)
    assert np.isnan(_value("clip_i@pbe", disc, disc.truth, stack))
    assert not np.isnan(_value("clip_i_crop", disc, disc.truth, stack))
    together = METRICS["clip_i@pbe"].compute(Batch([disc, cases[1]], [disc.truth, cases[1].truth], stack))
    assert together.isnan().tolist() == [True, False]  # one missing value spoils no other


def test_paint_by_example_squashes_both(stack: Stack, cases: list[Case]):
    box, side = (10, 20, 50, 41), stack.clip.side
    case = _masked(cases[0], box)
    inner = np.array(case.truth)[20:40, 10:49]
    crop = _tensor(Image.fromarray(cv2.resize(inner, (side, side), interpolation=cv2.INTER_LINEAR)))
    ours = pbe.crop(case, _tensor(case.truth)[0], side)
    assert (ours - crop).abs().max() <= 1.01 / 127.5  # OpenCV rounds to 8 bits
    reference = _tensor(case.reference.resize((side, side), Image.Resampling.BICUBIC))
    with torch.no_grad():
        cosine = (stack.clip.encode_image(ours) @ stack.clip.encode_image(reference).T).item()
    assert _value("clip_i@pbe", case, case.truth, stack) == pytest.approx(100 * cosine, abs=1e-4)


@pytest.mark.parametrize("box", [(10, 20, 50, 41), (30, 5, 37, 60), (12, 12, 28, 28)])
def test_hdpainter_pads_with_black_and_resizes_like_opencv(box, stack: Stack, cases: list[Case]):
    case, side = _masked(cases[0], box), stack.clip.side
    cut = np.array(case.truth.crop(box))
    high, wide = cut.shape[:2]
    square = np.zeros((max(high, wide), max(high, wide), 3), np.uint8)
    above, before = (square.shape[0] - high) // 2, (square.shape[1] - wide) // 2
    square[above : above + high, before : before + wide] = cut
    expected = _tensor(Image.fromarray(cv2.resize(square, (side, side), interpolation=cv2.INTER_CUBIC)))
    ours = hdpainter.crop(case, _tensor(case.truth)[0], side)
    assert (ours - expected).abs().max() <= 1.01 / 127.5  # OpenCV's fixed-point rounding
    assert (ours - expected).abs().mean() < 0.1 / 127.5
    with torch.no_grad():
        cosine = (stack.clip.encode_image(ours) @ stack.clip.encode_text([case.prompt]).T).item()
    found = _value("clip_t_crop@hdpainter", case, case.truth, stack)
    assert found == pytest.approx(100 * max(0, cosine), abs=1e-4)


def test_every_preset_names_its_source():
    presets = {name.partition("@")[2] for name in METRICS if "@" in name}
    assert presets == {"tficon", "pbe", "brushnet", "piebench", "hdpainter"}
    faulty = {name for name, metric in METRICS.items() if metric.fault}
    assert {name for name in METRICS if "@" in name} - faulty == {"clip_t@tficon", "clip_t@brushnet"}
