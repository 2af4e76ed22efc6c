"""Pictures whose fault is known: a true composite, made worse in one way at a time and in five strengths.

Every ladder maps a case and a level to a painted picture; the first level leaves the truth as it is. A fault lies
inside the mask, where the pixels outside are the background's at every level, or outside it alone. Lengths in pixels
are those of a canvas of 64 and scale with it. Three ladders re-paint the scene of the embedded world that a case was
made from and apply to its cases alone.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from zlib import crc32

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage.color import hsv2rgb, lab2rgb, rgb2hsv, rgb2lab

from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.metrics.batch import stretched_reference
from spin_bench.mini.benchmark import make_task
from spin_bench.mini.sprites import nouns
from spin_bench.mini.world import CANVAS, DOMAINS, Scene, paint, subject_mask

Pixels = NDArray[np.float64]  # (H, W, 3) in [0, 1]

SEVERITIES = 5  # the truth and four steps away from it
OPACITY = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the fault over the truth
FEATHER = 8  # px from the mask's border to full opacity
EDGE_DEPTH = 2.0  # px inside the mask over which a hard edge falls to 1/e


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """A fault in five strengths."""

    name: str
    levels: tuple[float, ...]  # `SEVERITIES` of them; the first is 0 and leaves the truth as it is
    unit: str  # of the levels
    fault: Callable[[Case, float], Pixels]  # the whole picture; one side of the mask is not used
    outside: bool = False  # the fault lies outside the mask, not inside
    embedded: bool = False  # needs the scene behind a case of the embedded benchmark

    def paint(self, case: Case, severity: int) -> Image.Image:
        """Paint the case with this fault; `UserError` if the case does not know its truth or its scene."""
        pixels = (self.fault(case, self.levels[severity]).clip(0, 1) * 255).round().astype(np.uint8)
        faulty = Image.fromarray(pixels)
        if self.outside and case.truth is not None:
            return Image.composite(case.truth, faulty, case.mask)
        return Image.composite(faulty, case.background, case.mask)


def scene_of(case: Case) -> Scene:
    """Find the scene that the embedded benchmark painted `case` from; `UserError` if it did not."""
    match = re.fullmatch(r"([a-z]+)-([0-9]{4})", case.id)
    if match and match[1] in DOMAINS and case.background.size == (CANVAS, CANVAS):
        scene = make_task(match[1], int(match[2]), version=2 if case.colour else 1).scene
        if np.array_equal(paint(scene.without_objects()), np.asarray(case.background)):
            return scene
    raise UserError(
        f"case {case.id}: not of the embedded benchmark at {CANVAS} px, so its scene cannot be re-painted: "
        "leave out the ladders wrong_style, wrong_object and wrong_hue, or set dataset=mini"
    )


def _truth(case: Case) -> Pixels:
    if case.truth is None:
        raise UserError(f"case {case.id}: no true composite to degrade: add true_bg_fg.png, or set dataset=mini")
    return np.asarray(case.truth, np.float64) / 255


def _inside(case: Case) -> NDArray[np.bool_]:
    return np.asarray(case.mask) > 0


def _px(case: Case, length: float) -> float:
    """A length on a canvas of 64 px, on the case's own."""
    return length * case.mask.width / 64


def _mixed(case: Case, other: Pixels, weight: float | Pixels) -> Pixels:
    return (1 - weight) * _truth(case) + weight * other


def _stretched_reference(case: Case) -> Pixels:
    return np.asarray(stretched_reference(case), np.float64) / 255


def _drawn(case: Case, kind: str, choices: int) -> int:
    """A number below `choices` that depends on the case and the fault alone."""
    return crc32(f"{case.id} {kind}".encode()) % choices


def _depth(case: Case) -> NDArray[np.float64]:
    """Distance of each pixel of the mask from the nearest outside, px; (H, W, 1). The frame is no border."""
    inside = _inside(case)
    depth = ndimage.distance_transform_edt(inside) if not inside.all() else np.full(inside.shape, np.inf)
    return np.asarray(depth)[..., None]


def _copy_paste(case: Case, opacity: float) -> Pixels:
    return _mixed(case, _stretched_reference(case), opacity)


def _feathered_paste(case: Case, opacity: float) -> Pixels:
    cover = (_depth(case) / _px(case, FEATHER)).clip(0, 1)
    return _mixed(case, _stretched_reference(case), opacity * cover)


def _poisson(case: Case, opacity: float) -> Pixels:
    """Gradient-domain paste (Perez et al., SIGGRAPH 2003), by OpenCV."""
    pad = 2  # the clone needs known pixels on every side of the mask
    source, target = (
        cv2.copyMakeBorder((picture * 255).round().astype(np.uint8), pad, pad, pad, pad, cv2.BORDER_REPLICATE)
        for picture in (_stretched_reference(case), np.asarray(case.background, np.float64) / 255)
    )
    mask = np.pad(np.asarray(case.mask), pad)
    left, top, right, bottom = case.box
    centre = (pad + left + (right - left) // 2, pad + top + (bottom - top) // 2)
    cloned = cv2.seamlessClone(source, target, mask, centre, cv2.NORMAL_CLONE)
    return _mixed(case, cloned[pad:-pad, pad:-pad].astype(np.float64) / 255, opacity)


def _untouched(case: Case, opacity: float) -> Pixels:
    return _mixed(case, np.asarray(case.background, np.float64) / 255, opacity)


def _hard_edge(case: Case, amplitude: float) -> Pixels:
    """A frame along the mask's inner border, dark on bright pictures and bright on dark ones."""
    truth = _truth(case)
    sign = -1 if truth[_inside(case)].mean() > 0.5 else 1
    return truth + sign * amplitude / 255 * np.exp(-(_depth(case) - 1) / _px(case, EDGE_DEPTH))


def _colour_shift(case: Case, distance: float) -> Pixels:
    """Every pixel moved by `distance` in CIELAB's a*b* plane, in a direction of the case's own; cut to sRGB."""
    angle = 2 * np.pi * _drawn(case, "colour", 360) / 360
    shift = distance * np.array([0, np.cos(angle), np.sin(angle)])
    return lab2rgb(rgb2lab(_truth(case)) + shift)


def _blurred(case: Case, sigma: float) -> Pixels:
    return ndimage.gaussian_filter(_truth(case), _px(case, sigma), axes=(0, 1))


def _noisy(case: Case, sigma: float) -> Pixels:
    noise = np.random.default_rng(_drawn(case, "noise", 2**31)).normal(size=(*case.background.size[::-1], 3))
    return _truth(case) + sigma / 255 * noise


def _shifted(case: Case, distance: float) -> Pixels:
    """The content moved along an axis of the case's own under a mask that stays."""
    axis, sign = divmod(_drawn(case, "shift", 4), 2)
    moves = np.zeros(3)
    moves[axis] = (2 * sign - 1) * round(_px(case, distance))
    return ndimage.shift(_truth(case), moves, order=0, mode="nearest")


def _subject(case: Case, scene: Scene) -> Pixels:
    return (subject_mask(scene) > 0)[..., None].astype(np.float64)


def _wrong_style(case: Case, opacity: float) -> Pixels:
    """The object in another domain's style, on its own scene."""
    scene = scene_of(case)
    others = [domain for domain in DOMAINS if domain != scene.domain]
    foreign = paint(replace(scene, domain=others[_drawn(case, "style", len(others))])) / 255.0
    return _mixed(case, foreign, opacity * _subject(case, scene))


def _wrong_object(case: Case, opacity: float) -> Pixels:
    """Another object in the same place and style."""
    scene = scene_of(case)
    subject = scene.objects[-1]
    others = [noun for noun in nouns("train") if noun != subject.instance.noun]
    instance = replace(subject.instance, noun=others[_drawn(case, "object", len(others))])
    foreign = paint(replace(scene, objects=(replace(subject, instance=instance),))) / 255.0
    return _mixed(case, foreign, opacity)


def _wrong_hue(case: Case, degrees: float) -> Pixels:
    """The object's hue turned after it was painted: the world itself turns by 30 degrees at most."""
    truth, subject = _truth(case), _subject(case, scene_of(case))
    turned = rgb2hsv(truth)
    turned[..., 0] = (turned[..., 0] + degrees / 360) % 1
    return truth * (1 - subject) + hsv2rgb(turned) * subject


LADDERS: dict[str, Ladder] = {
    ladder.name: ladder
    for ladder in (
        Ladder(name="copy_paste", levels=OPACITY, unit="opacity", fault=_copy_paste),
        Ladder(name="feathered_paste", levels=OPACITY, unit="opacity", fault=_feathered_paste),
        Ladder(name="poisson", levels=OPACITY, unit="opacity", fault=_poisson),
        Ladder(name="hard_edge", levels=(0, 8, 16, 32, 64), unit="grey levels", fault=_hard_edge),
        Ladder(name="colour_shift", levels=(0, 5, 10, 20, 40), unit="CIELAB units", fault=_colour_shift),
        Ladder(name="wrong_style", levels=OPACITY, unit="opacity", fault=_wrong_style, embedded=True),
        Ladder(name="blurred", levels=(0, 0.5, 1, 2, 4), unit="px (sigma)", fault=_blurred),
        Ladder(name="shifted", levels=(0, 1, 2, 4, 8), unit="px", fault=_shifted),
        Ladder(name="wrong_object", levels=OPACITY, unit="opacity", fault=_wrong_object, embedded=True),
        Ladder(name="wrong_hue", levels=(0, 20, 45, 90, 180), unit="degrees", fault=_wrong_hue, embedded=True),
        Ladder(name="untouched", levels=OPACITY, unit="opacity", fault=_untouched),
        Ladder(name="scene_noise", levels=(0, 4, 8, 16, 32), unit="grey levels (sigma)", fault=_noisy, outside=True),
        Ladder(name="scene_blurred", levels=(0, 0.5, 1, 2, 4), unit="px (sigma)", fault=_blurred, outside=True),
    )
}
