"""Metrics against other libraries' functions, brute-force loops and closed forms, and their properties."""

import io
import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from metric_values import noisy, values_of
from PIL import Image, ImageOps
from rich.console import Console

from spin_bench.config.compose import compose
from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.metrics.batch import Batch, context_box, reference_object, square_crop
from spin_bench.metrics.extra_encoders import ENCODERS
from spin_bench.metrics.listing import metrics_table
from spin_bench.metrics.metric import CaseMetric, Metric
from spin_bench.metrics.preservation import PSNR_CAP
from spin_bench.metrics.registry import METRICS, metric_names
from spin_bench.metrics.validation.degradations import LADDERS
from spin_bench.models.stack import Stack

HERE = [
    name for name, metric in METRICS.items() if isinstance(metric, Metric) and not metric.extra
]  # what needs no weights of its own


def test_identical_pictures(stack: Stack, cases: list[Case]):
    truths = [case.truth for case in cases]
    torch.testing.assert_close(values_of("clip_i_truth", cases, truths, stack), torch.ones(len(cases)))
    backgrounds = [case.background for case in cases]
    for name in ("lpips_bg", "lpips_bg@tficon", "mse_bg", "mse_bg@brushnet", "mse_bg@piebench"):
        assert values_of(name, cases, backgrounds, stack).abs().max() < 1e-9
    for name in ("ssim_bg", "ssim_bg@piebench"):
        torch.testing.assert_close(values_of(name, cases, backgrounds, stack), torch.ones(len(cases)).double())
    for name, most in (("psnr_bg", PSNR_CAP), ("psnr_bg@piebench", PSNR_CAP), ("psnr_bg@brushnet", 1000)):
        assert (values_of(name, cases, backgrounds, stack) == most).all()
    torch.testing.assert_close(values_of("coherence_context", cases, backgrounds, stack), torch.ones(len(cases)))


@pytest.fixture(scope="module")
def batches(stack: Stack, cases: list[Case]) -> tuple[Batch, list[Batch], Batch]:
    """Turned truths of all cases: together, one by one, and backwards; each batch keeps what its encoders saw."""
    pictures = [case.truth.transpose(Image.Transpose.ROTATE_90) for case in cases]
    alone = [Batch([case], [picture], stack) for case, picture in zip(cases, pictures, strict=True)]
    return Batch(cases, pictures, stack), alone, Batch(cases[::-1], pictures[::-1], stack)


@pytest.mark.parametrize("name", HERE)
def test_batch_size_and_order_do_not_matter(name: str, batches: tuple[Batch, list[Batch], Batch]):
    together, alone, backwards = batches
    compute = METRICS[name].compute
    with torch.no_grad():
        values = compute(together)
        torch.testing.assert_close(values, torch.cat([compute(batch) for batch in alone]), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(values, compute(backwards).flip(0), atol=1e-5, rtol=1e-4)


def test_sixty_four_together_are_sixty_four_alone(stack: Stack, cases: list[Case]):
    many = [replace(case, id=f"{case.id}-{turn}") for case in cases for turn in range(16)]
    pictures = [noisy(case.truth, seed) for seed, case in enumerate(many)]
    names, together = ("clip_i_crop", "lpips_fg", "ssim_bg"), Batch(many, pictures, stack)
    alone = {i: Batch([many[i]], [pictures[i]], stack) for i in (0, 17, 63)}
    with torch.no_grad():
        for name in names:
            values = METRICS[name].compute(together)
            for i, batch in alone.items():
                torch.testing.assert_close(values[[i]], METRICS[name].compute(batch), atol=1e-5, rtol=0)


def test_the_painted_region_is_invisible_outside_and_the_rest_inside(stack: Stack, cases: list[Case]):
    case = cases[0]
    scribble = Image.composite(Image.effect_noise((64, 64), 90).convert("RGB"), case.background, case.mask)
    assert values_of("lpips_bg", [case], [scribble], stack).item() < 1e-9
    inverse = case.mask.point(lambda level: 255 - level)
    elsewhere = Image.composite(Image.effect_noise((64, 64), 90).convert("RGB"), case.truth, inverse)
    for name in ("clip_i_crop", "judge_i_crop", "clip_i_truth"):
        assert torch.equal(values_of(name, [case], [elsewhere], stack), values_of(name, [case], [case.truth], stack))
    assert values_of("lpips_bg", [case], [elsewhere], stack).item() > 0.05


def test_missing_values_are_nan(stack: Stack, cases: list[Case]):
    full = replace(cases[0], mask=Image.new("L", (64, 64), 255))
    for name in HERE:
        if "_bg" in name:
            assert values_of(name, [full], [full.truth], stack).isnan().all(), name
    frame = Image.new("L", (64, 64), 255)
    frame.paste(0, (20, 20, 30, 64))  # no 11 px window fits into what is left
    narrow = replace(cases[0], mask=frame)
    assert values_of("ssim_bg", [narrow], [narrow.truth], stack).isnan().all()
    assert not values_of("psnr_bg", [narrow], [narrow.truth], stack).isnan().any()
    unknown = replace(cases[0], truth=None)
    assert values_of("clip_i_truth", [unknown], [cases[0].truth], stack).isnan().all()


def test_the_truth_is_nearer_to_its_reference_than_to_others(stack: Stack, cases: list[Case]):
    truths = [case.truth for case in cases]
    swapped = [replace(c, reference=d.reference, reference_mask=d.reference_mask, id=f"{c.id}x")
               for c, d in zip(cases, cases[1:] + cases[:1], strict=True)]  # fmt: skip
    own, foreign = (values_of("clip_i_crop", group, truths, stack) for group in (cases, swapped))
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


def test_a_mirrored_case_keeps_its_values(stack: Stack, cases: list[Case]):
    """Of what is compared pixel by pixel, and of the crops' places: the encoders themselves are not symmetric."""
    mirror = ImageOps.mirror
    pictures = [noisy(case.truth, seed) for seed, case in enumerate(cases)]
    mirrored = [replace(case, background=mirror(case.background), mask=mirror(case.mask)) for case in cases]
    for name in ("psnr_bg", "ssim_bg", "mse_bg@brushnet", "psnr_bg@brushnet", "psnr_bg@piebench", "ssim_bg@piebench"):
        there = values_of(name, mirrored, [mirror(picture) for picture in pictures], stack)
        torch.testing.assert_close(there, values_of(name, cases, pictures, stack), atol=1e-9, rtol=0)


def test_similarity_variants_are_what_their_names_say(stack: Stack, cases: list[Case]):
    """Each from the stack's networks and PIL crops, without the batch's cached features."""
    pictures = [noisy(case.truth, seed) for seed, case in enumerate(cases)]
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
            assert values_of(name, [case], [picture], stack).item() == pytest.approx(value.item(), abs=1e-5), name


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
    told = [field.name for field in fields(metric) if field.name not in ("compute", "encoder", "claims")]
    changed = [replace(metric, **{name: _other(getattr(metric, name))}) for name in told]
    changed.append(replace(metric, encoder="judge"))
    assert len({metric.key(stack), *(other.key(stack) for other in changed)}) == len(told) + 2
    assert replace(metric, compute=METRICS["clip_t"].compute, claims=("blurred",)).key(stack) == metric.key(stack)
    retrained = replace(stack, fingerprint={**stack.fingerprint, "clip": {"model.safetensors": "0"}})
    assert metric.key(retrained) != metric.key(stack)
    assert METRICS["psnr_bg"].key(retrained) == METRICS["psnr_bg"].key(stack)  # no network in it


def test_the_score_of_a_group_is_named_by_its_images(stack: Stack):
    metric = METRICS["diversity_crop"]
    assert metric.group_key(stack, [0, 1]) == metric.group_key(stack, [1, 0])
    assert len({metric.group_key(stack, ks) for ks in ([0, 1], [0, 2], [0, 1, 2])} | {metric.key(stack)}) == 4


@pytest.mark.parametrize("metric", list(METRICS.values()), ids=lambda metric: metric.name)
def test_records_are_complete(metric: Metric | CaseMetric, stack: Stack):
    low, high = metric.range
    assert low < high and metric.version and metric.title and metric.compares and metric.source
    assert metric.encoder in metric.uses if metric.encoder else not metric.uses
    assert all(part in stack.fingerprint or part in ("judge", "perceptual", *ENCODERS) for part in metric.uses)
    assert set(metric.claims) <= set(LADDERS)
    _, _, preset = metric.name.partition("@")
    assert metric.title.endswith(f"@{preset}") == bool(preset)
    assert (metric.source == "spin_bench") <= (not preset)
    assert not metric.fault or preset


def test_values_lie_in_their_ranges(stack: Stack, cases: list[Case]):
    for pictures in ([case.background for case in cases], [ImageOps.invert(case.background) for case in cases]):
        batch = Batch(cases, pictures, stack)
        for name in HERE:
            with torch.no_grad():
                metric, values = METRICS[name], METRICS[name].compute(batch)
            known = values[~values.isnan()]
            assert ((known >= metric.range[0] - 1e-5) & (known <= metric.range[1] + 1e-5)).all(), name


def test_the_table_tells_every_record(stack: Stack):
    page = io.StringIO()
    Console(file=page, width=200).print(metrics_table(stack))
    text = page.getvalue()
    for metric in METRICS.values():
        assert metric.name in text and metric.key(stack)[:12] in text
    for words in ("PSNR-BG@brushnet", "4.77 dB too low", "mini-CLIP", "0 to 100 dB", "lower is better"):
        assert words in text


def test_a_preset_is_chosen_by_its_name():
    names = metric_names(["clip_t", "@piebench", "psnr_bg@piebench", "diversity_crop"])
    assert names == ["clip_t", *[name for name in METRICS if name.endswith("@piebench")], "diversity_crop"]
    with pytest.raises(UserError, match="unknown preset '@tfcion': did you mean '@tficon'"):
        metric_names(["@tfcion"])
    with pytest.raises(UserError, match=r"metrics=\[\]: name one"):
        metric_names([])
    with pytest.raises(UserError, match="unknown metric 'clip_t@tficn': did you mean 'clip_t@tficon'"):
        metric_names(["clip_t@tficn"])


def test_the_main_table_holds_only_metrics_that_keep_their_promises():
    """As far as the committed matrix of ladders says, whose claims are still the records'."""
    folder = Path(__file__).parents[2] / "results" / "reference" / "mini" / "metrics"
    verdicts = json.loads((folder / "matrix.json").read_text())
    assert verdicts["cases"] >= 64 and verdicts["criteria"]["order_of_claimed_at_least"] == 0.95
    main = [name for name in compose(["experiment=table1"]).metrics if name in METRICS]
    assert main and all(verdicts["metrics"][name]["passes"] for name in main)
    for name, verdict in verdicts["metrics"].items():
        assert set(verdict["claims"]) == set(METRICS[name].claims), name
