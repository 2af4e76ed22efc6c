"""Coherence candidates: closed forms, brute-force loops over pixels and patches, and properties."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from skimage.color import deltaE_cie76, rgb2lab
from torch import Tensor

from spin_bench.core.case import Case
from spin_bench.diffusion.latents import mask_to_tensor, to_pictures
from spin_bench.metrics import coherence_clip, extra_encoders
from spin_bench.metrics.batch import Batch, context_box, square_crop
from spin_bench.metrics.coherence_pixels import grown, shrunk
from spin_bench.metrics.registry import METRICS as ALL
from spin_bench.metrics.validation.degradations import LADDERS, SEVERITIES
from spin_bench.models.stack import Stack

METRICS = {name.removeprefix("coherence_"): metric for name, metric in ALL.items() if name.startswith("coherence")}
SIDE = 64


class WithPatches:
    """The stack's CLIP with patches that can be computed by hand: means of 8 x 8 pixels, brightness of 1 in front."""

    def __init__(self, clip):
        self._clip = clip

    def __getattr__(self, name: str):
        return getattr(self._clip, name)

    def encode_patches(self, images: Tensor) -> Tensor:
        means = F.avg_pool2d(images, images.shape[-1] // 8)
        return torch.cat([torch.ones_like(means[:, :1]), means], 1)

    def encode_with_patches(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self._clip.encode_image(images), self.encode_patches(images)


class WithoutPatches:
    """The stack's CLIP with no more than the house asks of one."""

    def __init__(self, clip):
        self._clip = clip

    def __getattr__(self, name: str):
        if name.endswith("patches"):
            raise AttributeError(name)
        return getattr(self._clip, name)


@pytest.fixture(scope="module")
def patched(stack: Stack) -> Stack:
    clip = WithPatches(stack.clip)
    return replace(stack, loaders=replace(stack.loaders, clip=lambda: clip))


def _values(name: str, cases: list[Case], pictures: list[Image.Image], stack: Stack) -> Tensor:
    with torch.no_grad():
        return METRICS[name].compute(Batch(cases, pictures, stack))


def _case(like: Case, *, box: tuple[int, int, int, int], background: Image.Image) -> Case:
    mask = Image.new("L", (SIDE, SIDE))
    mask.paste(255, box)
    return replace(like, id="drawn", mask=mask, background=background, truth=None)


def _flat(*colour: int) -> Image.Image:
    return Image.new("RGB", (SIDE, SIDE), colour)


def _split(case: Case, inside: tuple[int, int, int], outside: tuple[int, int, int]) -> Image.Image:
    return Image.composite(_flat(*inside), _flat(*outside), case.mask)


@pytest.mark.parametrize("name", METRICS)
def test_batch_size_order_and_range(name: str, patched: Stack, cases: list[Case]):
    pictures = [LADDERS["copy_paste"].paint(case, 3) for case in cases]
    together = _values(name, cases, pictures, patched)
    alone = torch.cat([_values(name, [c], [p], patched) for c, p in zip(cases, pictures, strict=True)])
    backwards = _values(name, cases[::-1], pictures[::-1], patched).flip(0)
    assert together.shape == (len(cases),) and together.dtype == torch.float32
    assert together.unique().numel() > 1 or name == "ring"
    torch.testing.assert_close(together, alone, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(together, backwards, atol=2e-5, rtol=1e-4)
    low, high = METRICS[name].range
    assert low <= together.min() and together.max() <= high


@pytest.mark.parametrize(
    "name, perfect",
    [
        ("scene", 1),
        ("style", 1),
        ("frame", 1),
        ("seam", 0),
        ("style_seam", 0.5),
        ("jump", 0),
        ("ring", 0),
    ],
)
def test_the_untouched_background_agrees_with_itself(name: str, perfect: float, patched: Stack, cases: list[Case]):
    found = _values(name, cases, [case.background for case in cases], patched)
    torch.testing.assert_close(found, torch.full((len(cases),), float(perfect)), atol=1e-5, rtol=0)


def test_a_direction_needs_a_change_and_a_collage_gains_nothing(patched: Stack, cases: list[Case]):
    assert _values("directional", cases, [case.background for case in cases], patched).isnan().all()
    collages = [LADDERS["copy_paste"].paint(case, SEVERITIES - 1) for case in cases]
    assert _values("gain", cases, collages, patched).abs().max() < 1e-5


@pytest.mark.parametrize("name", ["gram", "gradient", "jump", "colour", "seam"])
def test_mirrored_pictures_have_the_same_value(name: str, patched: Stack, cases: list[Case]):
    case, picture = cases[1], LADDERS["copy_paste"].paint(cases[1], 2)
    mirrored = replace(case, background=ImageOps.mirror(case.background), mask=ImageOps.mirror(case.mask), id="mirror")
    there, back = (
        _values(name, [case], [picture], patched),
        _values(name, [mirrored], [ImageOps.mirror(picture)], patched),
    )
    # the strided network samples a mirrored picture half a step elsewhere
    torch.testing.assert_close(there, back, atol=0.05 if name == "gram" else 1e-4, rtol=0)


def test_pixels_against_closed_forms(patched: Stack, cases: list[Case]):
    case = _case(cases[0], box=(20, 24, 44, 40), background=_flat(90, 90, 90))
    red, grey = (200, 60, 40), (90, 90, 90)
    apart = deltaE_cie76(*(rgb2lab(np.array(colour) / 255) for colour in (red, grey)))
    picture = _split(case, red, grey)
    assert _values("jump", [case], [picture], patched).item() == pytest.approx(apart, rel=1e-4)
    assert _values("colour", [case], [picture], patched).item() == pytest.approx(apart, rel=1e-3)
    assert _values("gradient", [case], [picture], patched).item() == 1
    assert _values("gradient", [case], [_flat(*grey)], patched).isnan().all()
    assert _values("colour", [case], [_flat(*grey)], patched).item() == pytest.approx(0, abs=1e-3)


def test_a_seam_that_the_scene_had_before_is_no_fault(patched: Stack, cases: list[Case]):
    empty = _case(cases[0], box=(16, 16, 48, 48), background=_flat(0, 0, 0))
    picture = _split(empty, (200, 60, 40), (90, 90, 90))
    case = replace(empty, background=picture)
    for name in ("jump", "seam"):
        assert abs(_values(name, [case], [picture], patched).item()) < 1e-5
        assert abs(_values(name, [empty], [picture], patched).item()) > 0.1


def test_the_boundary_gradient_against_a_loop_over_pixels(patched: Stack, cases: list[Case]):
    rng = np.random.default_rng(0)
    case = _case(cases[0], box=(0, 10, 30, 50), background=cases[0].background)
    pixels = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    lab = rgb2lab(pixels / 255)

    def step(left: int, top: int, right: int, bottom: int) -> float:
        """Over the box's border; lines on the frame are no border."""
        pairs = [((y, left - 1), (y, left)) for y in range(top, bottom) if left]
        pairs += [((y, right - 1), (y, right)) for y in range(top, bottom)]
        pairs += [((y - 1, x), (y, x)) for y in (top, bottom) for x in range(left, right)]
        return float(np.mean([np.linalg.norm(lab[a] - lab[b]) for a, b in pairs]))

    seam, beside = step(0, 10, 30, 50), (step(0, 8, 32, 52) + step(0, 12, 28, 48)) / 2
    found = _values("gradient", [case], [Image.fromarray(pixels)], patched).item()
    assert found == pytest.approx(seam / (seam + beside), rel=1e-5)


def test_the_patch_seam_against_a_loop_over_patches(patched: Stack, cases: list[Case]):
    case = _case(cases[0], box=(10, 16, 46, 40), background=cases[1].background)
    picture = LADDERS["copy_paste"].paint(cases[0], 4)
    means = [np.asarray(p, float).reshape(8, 8, 8, 8, 3).mean((1, 3)) / 127.5 - 1 for p in (picture, case.background)]
    inside = {(y, x) for y in range(2, 5) for x in range(1, 6)}  # columns 8-15 hold 6 of 8 pixels, 40-47 hold 6
    totals = []
    for grid in means:
        cosines = []
        for y, x in inside:
            for other in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if other not in inside:
                    a, b = np.append(grid[y, x], 1), np.append(grid[other], 1)
                    cosines.append(max(0, a @ b / np.linalg.norm(a) / np.linalg.norm(b)))
        totals.append(np.mean(cosines))
    found = _values("seam", [case], [picture], patched).item()
    assert found == pytest.approx(totals[0] - totals[1], abs=1e-5)


def test_without_patches_the_seam_is_missing_and_nothing_else(stack: Stack, cases: list[Case]):
    clip = WithoutPatches(stack.clip)
    bare = replace(stack, loaders=replace(stack.loaders, clip=lambda: clip))
    for name in METRICS:
        missing = _values(name, cases[:1], [cases[0].truth], bare).isnan().all()
        assert missing == (name in ("seam", "style_seam")), name


def test_gram_matrices_against_a_loop(patched: Stack, cases: list[Case]):
    case, picture = cases[0], cases[0].truth
    batch = Batch([case], [picture], patched)
    distances = []
    for g, s in zip(*(batch.encoders["stages"](p) for p in (batch.images, batch.backgrounds)), strict=True):
        side = g.shape[-1]
        factor = SIDE // side
        weight = np.asarray(case.mask, float).reshape(side, factor, side, factor).mean((1, 3)) / 255
        grams = []
        for features, share in ((g[0].numpy(), weight), (s[0].numpy(), 1 - weight)):
            gram = sum(share[y, x] * np.outer(features[:, y, x], features[:, y, x])
                       for y in range(side) for x in range(side))  # fmt: skip
            grams.append(gram / share.sum())
        distances.append(((grams[0] - grams[1]) ** 2).sum() / ((grams[0] ** 2).sum() + (grams[1] ** 2).sum()))
    found = _values("gram", [case], [picture], patched).item()
    assert found == pytest.approx(np.mean(distances), rel=1e-4)


def test_clip_candidates_against_their_formulas(patched: Stack, cases: list[Case]):
    case, picture = cases[3], LADDERS["copy_paste"].paint(cases[3], 4)
    clip, batch = patched.clip, Batch([cases[3]], [picture], patched)
    with torch.no_grad():
        whole = F.cosine_similarity(clip.encode_image(batch.images), clip.encode_image(batch.backgrounds))
        box = context_box(case.box, SIDE)
        contexts = [clip.encode_image(square_crop(p, box)) for p in (batch.images, batch.backgrounds)]
        styles = []
        for templates in coherence_clip.STYLE_WORDS:
            texts = [clip.encode_text([t.format(thing)])[0] for t in templates for thing in coherence_clip.THINGS]
            styles.append(torch.stack(texts).mean(0) / torch.stack(texts).mean(0).norm())
        axes = torch.stack(styles) - torch.stack(styles).mean(0)
        crops = [clip.encode_image(square_crop(p, case.box))[0] for p in (batch.images, batch.backgrounds)]
        coordinates = [torch.stack([crop @ axis for axis in axes]) for crop in crops]
    local = F.cosine_similarity(*contexts).item()
    values = {
        name: _values(name, [case], [picture], patched).item()
        for name in ("scene", "frame", "style", "seam", "style_seam")
    }
    assert values["scene"] == pytest.approx(whole.item(), abs=1e-5)
    assert values["frame"] == pytest.approx((max(0, whole.item()) + max(0, local)) / 2, abs=1e-5)
    assert values["style"] == pytest.approx(F.cosine_similarity(*coordinates, dim=0).item(), abs=1e-4)
    assert values["style_seam"] == pytest.approx((values["style"] + values["seam"]) / 2, abs=1e-6)


def test_what_lies_under_the_mask_is_not_asked_of_the_surround(patched: Stack, cases: list[Case]):
    case, picture = cases[0], cases[0].truth
    scribbled = replace(case, background=Image.composite(_flat(255, 0, 0), case.background, case.mask), id="scribbled")
    for name in ("in_out", "colour"):
        own, other = (_values(name, [c], [picture], patched) for c in (case, scribbled))
        torch.testing.assert_close(own, other, atol=1e-5, rtol=0)


def test_a_mask_without_outside_has_no_value(patched: Stack, cases: list[Case]):
    full = replace(cases[0], mask=Image.new("L", (SIDE, SIDE), 255), id="full")
    names = ("gram", "statistics", "colour", "gradient", "jump", "ring")
    for name in (*names, "seam"):
        assert _values(name, [full], [full.background], patched).isnan().all(), name


def test_growing_and_shrinking_do_not_cross_the_frame():
    mask = torch.zeros(1, 1, 12, 12)
    mask[..., 3:9, :6] = 1
    assert grown(mask, 2).sum() == 10 * 8 and shrunk(mask, 2).sum() == 2 * 4
    assert shrunk(mask, 2)[..., 5:7, 0].all()


def test_only_bleeding_moves_the_ring(patched: Stack, cases: list[Case]):
    case = cases[0]
    assert _values("ring", [case], [case.truth], patched).item() < 1e-9
    near = to_pictures(grown(mask_to_tensor(case.mask), 2).expand(-1, 3, -1, -1) * 2 - 1)[0].convert("L")
    red_around = Image.composite(_flat(255, 0, 0), case.truth, near)
    bled = Image.composite(case.truth, red_around, case.mask)
    assert _values("ring", [case], [bled], patched).item() > 1e-3


@pytest.mark.parametrize("name", ["gradient", "jump"])
def test_seams_worsen_step_by_step(name: str, patched: Stack, cases: list[Case]):
    for ladder in ("hard_edge", "colour_shift", "copy_paste"):
        means = [_values(name, cases, [LADDERS[ladder].paint(case, s) for case in cases], patched).mean().item()
                 for s in range(SEVERITIES)]  # fmt: skip
        assert means == sorted(set(means)), ladder


@pytest.mark.parametrize("name", ["gram", "statistics", "colour"])
def test_a_style_that_goes_on_inside_the_mask_is_at_distance_0(
    name: str, cases: list[Case], stack: Stack, monkeypatch: pytest.MonkeyPatch
):
    """The colours inside are those outside in the same shares, and the network sees pixels."""
    monkeypatch.setitem(
        extra_encoders.ENCODERS, "stages", replace(extra_encoders.ENCODERS["stages"], load=lambda _: _pixels)
    )
    tile = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    picture = Image.fromarray(np.tile(tile, (4, 4, 1)))
    case = _case(cases[0], box=(16, 16, 48, 32), background=picture)
    assert _values(name, [case], [picture], stack).item() < 1e-5
    brighter = Image.fromarray(np.tile(tile // 2 + 128, (4, 4, 1)))
    assert _values(name, [case], [Image.composite(brighter, picture, case.mask)], stack).item() > 0.01


def _pixels(pictures: Tensor) -> list[Tensor]:
    return [pictures]
