"""Metrics against other libraries' functions, brute-force loops and closed forms, and their properties."""

import io
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from rich.console import Console
from skimage.metrics import structural_similarity
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio

from spin_bench.case import Case
from spin_bench.errors import UserError
from spin_bench.metrics.batch import Batch, context_box, reference_object, square_crop
from spin_bench.metrics.diversity import diversity_crop, mean_pairwise_distance
from spin_bench.metrics.preservation import PSNR_CAP, decibels, levels, mean_squared_error, ssim_outside
from spin_bench.metrics.record import Record
from spin_bench.metrics.registry import CASE_METRICS, METRICS, metrics_table
from spin_bench.stack import Stack

REACH = 5  # px on each side of an SSIM window's centre


def _values(name: str, cases: list[Case], pictures: list[Image.Image], stack: Stack) -> torch.Tensor:
    with torch.no_grad():
        return METRICS[name].compute(Batch(cases, pictures, stack))


def _noisy(picture: Image.Image, seed: int = 0, sigma: float = 12.0) -> Image.Image:
    noise = np.random.default_rng(seed).normal(0, sigma, (*picture.size[::-1], 3))
    return Image.fromarray((np.array(picture) + noise).clip(0, 255).astype(np.uint8))


def _scene(seed: int, side: int = 24) -> tuple[Tensor, Tensor, Tensor]:
    """Two noise pictures (3, side, side) of 8-bit levels over 255, and a mask of a random box's outside."""
    random = np.random.default_rng(seed)
    a, b = (torch.from_numpy(random.integers(0, 256, (3, side, side))).double() / 255 for _ in range(2))
    keep = torch.ones(1, side, side).double()
    top, left = random.integers(0, side // 2, 2)
    height, width = random.integers(1, 6, 2)
    keep[:, top : top + height, left : left + width] = 0
    return a, b, keep


def test_identical_pictures(stack: Stack, cases: list[Case]):
    truths = [case.truth for case in cases]
    torch.testing.assert_close(_values("clip_i_truth", cases, truths, stack), torch.ones(len(cases)))
    backgrounds = [case.background for case in cases]
    for name in ("lpips_bg", "lpips_bg@tficon", "mse_bg", "mse_bg@brushnet", "mse_bg@piebench"):
        assert _values(name, cases, backgrounds, stack).abs().max() < 1e-9
    for name in ("ssim_bg", "ssim_bg@piebench"):
        torch.testing.assert_close(_values(name, cases, backgrounds, stack), torch.ones(len(cases)).double())
    for name, most in (("psnr_bg", PSNR_CAP), ("psnr_bg@piebench", PSNR_CAP), ("psnr_bg@brushnet", 1000)):
        assert (_values(name, cases, backgrounds, stack) == most).all()
    torch.testing.assert_close(_values("coherence_context", cases, backgrounds, stack), torch.ones(len(cases)))


@pytest.mark.parametrize("name", METRICS)
def test_batch_size_and_order_do_not_matter(name: str, stack: Stack, cases: list[Case]):
    pictures = [case.truth.transpose(Image.Transpose.ROTATE_90) for case in cases]
    together = _values(name, cases, pictures, stack)
    alone = torch.cat([_values(name, [c], [p], stack) for c, p in zip(cases, pictures, strict=True)])
    backwards = _values(name, cases[::-1], pictures[::-1], stack).flip(0)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(together, backwards, atol=1e-5, rtol=1e-4)


def test_sixty_four_together_are_sixty_four_alone(stack: Stack, cases: list[Case]):
    many = [replace(case, id=f"{case.id}-{turn}") for case in cases for turn in range(16)]
    pictures = [_noisy(case.truth, seed) for seed, case in enumerate(many)]
    for name in ("clip_i_crop", "lpips_fg", "ssim_bg"):
        together = _values(name, many, pictures, stack)
        for i in (0, 17, 63):
            torch.testing.assert_close(together[[i]], _values(name, [many[i]], [pictures[i]], stack), atol=1e-5, rtol=0)


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
    for name in METRICS:
        if "_bg" in name:
            assert _values(name, [full], [full.truth], stack).isnan().all(), name
    frame = Image.new("L", (64, 64), 255)
    frame.paste(0, (20, 20, 30, 64))  # no 11 px window fits into what is left
    narrow = replace(cases[0], mask=frame)
    assert _values("ssim_bg", [narrow], [narrow.truth], stack).isnan().all()
    assert not _values("psnr_bg", [narrow], [narrow.truth], stack).isnan().any()
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


def test_psnr_is_the_loop_over_unmasked_bytes(stack: Stack, cases: list[Case]):
    pictures = [_noisy(case.truth, seed) for seed, case in enumerate(cases)]
    found = _values("psnr_bg", cases, pictures, stack)
    errors = _values("mse_bg", cases, pictures, stack)
    for case, picture, psnr, error in zip(cases, pictures, found.tolist(), errors.tolist(), strict=True):
        a, b, mask = (np.array(image).astype(int) for image in (picture, case.background, case.mask))
        squares = [
            (a[y, x, c] - b[y, x, c]) ** 2 for y in range(64) for x in range(64) if mask[y, x] <= 127 for c in range(3)
        ]
        assert error == pytest.approx(np.mean(squares) / 255**2, rel=1e-12)
        assert psnr == pytest.approx(10 * np.log10(255**2 / np.mean(squares)), rel=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_without_a_mask_psnr_and_ssim_are_the_libraries(seed: int):
    a, b, keep = _scene(seed)
    keep.fill_(1)
    psnr = decibels(mean_squared_error(a, b, keep))
    torch.testing.assert_close(
        psnr, peak_signal_noise_ratio(a, b, data_range=1.0), atol=1e-5, rtol=0, check_dtype=False
    )
    pixels = [picture.permute(1, 2, 0).numpy() for picture in (a, b)]
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    assert ssim_outside(a, b, keep).item() == pytest.approx(
        structural_similarity(*pixels, channel_axis=2, **options), abs=1e-9
    )


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_ssim_averages_the_windows_that_the_mask_leaves_whole(seed: int):
    a, b, keep = _scene(seed, side=32)
    pixels = [picture.permute(1, 2, 0).numpy() for picture in (a, b)]
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    _, similarity = structural_similarity(*pixels, channel_axis=2, full=True, **options)
    whole = [
        similarity[y, x].mean()
        for y in range(REACH, 32 - REACH)
        for x in range(REACH, 32 - REACH)
        if keep[0, y - REACH : y + REACH + 1, x - REACH : x + REACH + 1].all()
    ]
    assert ssim_outside(a, b, keep).item() == pytest.approx(np.mean(whole), abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_preservation_does_not_see_the_mask_and_mirrors(seed: int):
    a, b, keep = _scene(seed)
    scribbled = torch.where(keep == 1, a, torch.rand_like(a))
    flipped = [picture.flip(-1) for picture in (a, b, keep)]
    for measure in (mean_squared_error, ssim_outside):
        value = measure(a, b, keep)
        torch.testing.assert_close(measure(scribbled, b, keep), value, atol=1e-12, rtol=0)
        torch.testing.assert_close(measure(*flipped), value, atol=1e-12, rtol=0)
        torch.testing.assert_close(measure(b, a, keep), value, atol=1e-12, rtol=0)
    order = torch.randperm(24 * 24, generator=torch.Generator().manual_seed(seed))
    shuffled = [picture.flatten(1)[:, order].view_as(picture) for picture in (a, b, keep)]
    torch.testing.assert_close(mean_squared_error(*shuffled), mean_squared_error(a, b, keep), atol=1e-12, rtol=0)


def test_bytes_survive_the_way_through_floats():
    every = torch.arange(256, dtype=torch.float32) / 127.5 - 1
    assert torch.equal(levels(every), torch.arange(256).double() / 255)


def test_a_mirrored_case_keeps_its_values(stack: Stack, cases: list[Case]):
    """Of what is compared pixel by pixel, and of the crops' places: the encoders themselves are not symmetric."""
    mirror = ImageOps.mirror
    pictures = [_noisy(case.truth, seed) for seed, case in enumerate(cases)]
    mirrored = [replace(case, background=mirror(case.background), mask=mirror(case.mask)) for case in cases]
    for name in ("psnr_bg", "ssim_bg", "mse_bg@brushnet", "psnr_bg@brushnet", "psnr_bg@piebench", "ssim_bg@piebench"):
        there = _values(name, mirrored, [mirror(picture) for picture in pictures], stack)
        torch.testing.assert_close(there, _values(name, cases, pictures, stack), atol=1e-9, rtol=0)


def test_similarity_variants_are_what_their_names_say(stack: Stack, cases: list[Case]):
    """Each from the stack's networks and PIL crops, without the batch's cached features."""
    pictures = [_noisy(case.truth, seed) for seed, case in enumerate(cases)]
    clip, distance = stack.clip, stack.perceptual
    for case, picture in zip(cases, pictures, strict=True):
        image = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 127.5 - 1
        photo = torch.from_numpy(np.array(case.reference)).permute(2, 0, 1)[None] / 127.5 - 1
        crop, whole = square_crop(image, case.box), square_crop(photo, (0, 0, *case.reference.size))
        with torch.no_grad():
            seen = clip.encode_image(crop)
            expected = {
                "clip_i_photo": seen @ clip.encode_image(whole).T,
                "clip_t_crop": seen @ clip.encode_text([case.prompt]).T,
                "lpips_fg": distance(crop, reference_object(case)),
            }
        for name, value in expected.items():
            assert _values(name, [case], [picture], stack).item() == pytest.approx(value.item(), abs=1e-5), name


def test_diversity_is_the_mean_over_pairs(stack: Stack, cases: list[Case]):
    pictures = [_noisy(cases[0].truth, seed, sigma=40) for seed in range(4)]
    batch = Batch([cases[0]] * 4, pictures, stack)
    with torch.no_grad():
        pairs = [
            stack.perceptual(batch.crops[i : i + 1], batch.crops[j : j + 1]).item()
            for i in range(4)
            for j in range(4)
            if i != j
        ]
        assert diversity_crop(batch) == pytest.approx(np.mean(pairs), rel=1e-5)
        assert np.mean(pairs) > 0.01
        same = Batch([cases[0]] * 3, pictures[:1] * 3, stack)
        assert diversity_crop(same) == pytest.approx(0, abs=1e-9)
        assert np.isnan(diversity_crop(Batch(cases[:1], pictures[:1], stack)))
        backwards = Batch([cases[0]] * 4, pictures[::-1], stack)
        assert diversity_crop(backwards) == pytest.approx(diversity_crop(batch), rel=1e-5)


def test_diversity_of_points_on_a_line():
    class Gap:
        name = "gap"

        def __call__(self, a: Tensor, b: Tensor) -> Tensor:
            return (a - b).abs().flatten(1).mean(1)

    line = torch.arange(32.0).view(32, 1, 1, 1).expand(32, 3, 2, 2)
    assert mean_pairwise_distance(line, Gap()) == pytest.approx(
        33 / 3
    )  # mean gap of 0..k-1 is (k + 1) / 3; 496 pairs: many chunks


def test_diversity_wants_one_case(stack: Stack, cases: list[Case]):
    with pytest.raises(ValueError, match="one case"):
        diversity_crop(Batch(cases[:2], [case.truth for case in cases[:2]], stack))


def test_a_picture_that_does_not_lie_on_its_case_is_refused(stack: Stack, cases: list[Case]):
    case = cases[0]
    with pytest.raises(UserError, match=f"case {case.id}: its picture is 32x32 px, its background 64x64 px"):
        Batch([case], [case.truth.resize((32, 32))], stack)
    with pytest.raises(UserError, match="its mask is 80x64 px"):
        Batch([replace(case, mask=Image.new("L", (80, 64), 255))], [case.truth], stack)
    with pytest.raises(UserError, match="mode F has no fixed white"):
        Batch([case], [Image.fromarray(np.full((64, 64), np.nan, np.float32))], stack)


def _other(value: object) -> object:
    """Something else of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, tuple):
        return (*value, *value) or ("vae",)
    return value + 1 if isinstance(value, int) else f"{value}!"


def test_a_score_is_named_by_its_whole_record(stack: Stack):
    metric = METRICS["clip_i_crop"]
    told = [field.name for field in fields(metric) if field.name not in ("compute", "encoder")]
    changed = [replace(metric, **{name: _other(getattr(metric, name))}) for name in told]
    changed.append(replace(metric, encoder="judge"))
    assert len({metric.key(stack), *(other.key(stack) for other in changed)}) == len(told) + 2
    assert replace(metric, compute=METRICS["clip_t"].compute).key(stack) == metric.key(stack)
    retrained = replace(stack, fingerprint={**stack.fingerprint, "clip": {"model.safetensors": "0"}})
    assert metric.key(retrained) != metric.key(stack)
    assert METRICS["psnr_bg"].key(retrained) == METRICS["psnr_bg"].key(stack)  # no network in it


def test_the_score_of_a_group_is_named_by_its_images(stack: Stack):
    metric = CASE_METRICS["diversity_crop"]
    assert metric.group_key(stack, [0, 1]) == metric.group_key(stack, [1, 0])
    assert len({metric.group_key(stack, ks) for ks in ([0, 1], [0, 2], [0, 1, 2])} | {metric.key(stack)}) == 4


@pytest.mark.parametrize("metric", [*METRICS.values(), *CASE_METRICS.values()], ids=lambda metric: metric.name)
def test_records_are_complete(metric: Record, stack: Stack):
    low, high = metric.range
    assert low < high and metric.version and metric.title and metric.compares and metric.source
    assert metric.encoder in metric.uses if metric.encoder else not metric.uses
    assert all(part in stack.fingerprint or part in ("judge", "perceptual") for part in metric.uses)
    _, _, preset = metric.name.partition("@")
    assert metric.title.endswith(f"@{preset}") == bool(preset)
    assert (metric.source == "spin_bench") <= (not preset)
    assert not metric.fault or preset


def test_values_lie_in_their_ranges(stack: Stack, cases: list[Case]):
    for pictures in ([case.background for case in cases], [ImageOps.invert(case.background) for case in cases]):
        for name, metric in METRICS.items():
            values = _values(name, cases, pictures, stack)
            known = values[~values.isnan()]
            assert ((known >= metric.range[0] - 1e-5) & (known <= metric.range[1] + 1e-5)).all(), name


def test_the_table_tells_every_record(stack: Stack):
    page = io.StringIO()
    Console(file=page, width=200).print(metrics_table(stack))
    text = page.getvalue()
    for metric in [*METRICS.values(), *CASE_METRICS.values()]:
        assert metric.name in text and metric.key(stack)[:12] in text
    for words in ("PSNR-BG@brushnet", "4.77 dB too low", "mini-CLIP", "0 to 100 dB", "lower is better"):
        assert words in text
