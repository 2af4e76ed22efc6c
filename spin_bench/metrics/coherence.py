"""How well the painted object belongs to its scene: a record for every formula that was tried, the headline first.

`docs/metrics.md` tells by which evidence it was chosen among them.
"""

from dataclasses import replace

from spin_bench.metrics import coherence_clip as clip
from spin_bench.metrics import coherence_pixels as pixels
from spin_bench.metrics.record import COSINE, Metric

_SHARES = (0.0, 1.0)
_CIELAB = (0.0, 100.0)  # from black to white; a saturated pair can lie farther apart
_PASTES = ("copy_paste", "feathered_paste")
_SEAMS = (*_PASTES, "hard_edge", "colour_shift")
_STYLES = (*_PASTES, "colour_shift", "wrong_style")
_SPOILT = ("scene_noise", "scene_blurred")
_LINES = (*_SEAMS, "blurred", "shifted", *_SPOILT)
_BOTH = (*_SEAMS, "wrong_style")

_BOX = "tight box of the mask, padded to a square with mid-grey"
_CONTEXT = "box of the mask enlarged 1.5 times inside the picture, padded to a square with mid-grey"
_CROPPED = "bicubic, antialiased, to 128 px, then the encoder's own"
_NO_OUTSIDE = "where the mask leaves no pixel"

_BY_CLIP = Metric(
    name="coherence_scene",
    title="scene agreement",
    higher_is_better=True,
    range=COSINE,
    encoder="clip",
    uses=("clip",),
    compares="painted picture and background, whole",
    claims=_BOTH,
    compute=clip.scene_agreement,
)
_BY_TEXT = replace(_BY_CLIP, uses=("clip", "tokenizer"))
_BY_PIXELS = Metric(
    name="coherence_colour",
    title="colour gap",
    higher_is_better=False,
    range=_CIELAB,
    digits=2,
    compares="mean and deviation of CIELAB, painted picture in the mask with background out of it",
    resize="none",
    mask="inside and outside",
    missing=_NO_OUTSIDE,
    claims=_STYLES,
    compute=pixels.colour_gap,
)
_BY_STAGES = replace(
    _BY_PIXELS,
    range=_SHARES,
    digits=3,
    encoder="stages",
    uses=("stages",),
    mask="inside and outside, averaged down to the stages of the network",
)

METRICS = (
    replace(
        _BY_TEXT,
        name="coherence_style_seam",
        title="coherence",
        compares="mean of coherence_style and coherence_seam",
        crop=f"of the first: {_BOX}",
        resize=_CROPPED,
        mask="of the second: a patch is inside where half of it is",
        missing="where no border is left on the grid of patches",
        compute=clip.style_and_seam,
    ),
    replace(
        _BY_CLIP,
        name="coherence_context",
        title="context agreement",
        compares="painted picture with its background",
        crop=_CONTEXT,
        resize=_CROPPED,
        compute=clip.context_agreement,
    ),
    _BY_CLIP,
    replace(
        _BY_CLIP,
        name="coherence_in_out",
        title="in-out agreement",
        compares="painted crop with the background, the mask filled with the mean colour of the rest",
        crop=_BOX,
        resize=_CROPPED,
        compute=clip.in_out_agreement,
    ),
    replace(
        _BY_CLIP,
        name="coherence_gain",
        title="context gain",
        compares="painted picture with its background, less the same of the stretched reference pasted",
        crop=_CONTEXT,
        resize=_CROPPED,
        compute=clip.context_gain,
    ),
    replace(
        _BY_CLIP,
        name="coherence_seam",
        title="seam",
        compares="neighbouring patches across the mask's border, less the same in the background",
        mask="a patch is inside where half of it is",
        missing="where no border is left on the grid of patches",
        claims=_SEAMS,
        compute=clip.patch_seam,
    ),
    replace(
        _BY_TEXT,
        name="coherence_antonyms",
        title="antonyms",
        range=_SHARES,
        compares="painted picture with three texts of seamless pictures, as a share of them and three of collages",
        crop=_CONTEXT,
        resize=_CROPPED,
        source="Wang et al. 2023 (CLIP-IQA), the words ours",
        compute=clip.antonyms,
    ),
    replace(
        _BY_TEXT,
        name="coherence_style",
        title="style agreement",
        compares="painted crop with the background's, along the words of four styles",
        crop=_BOX,
        resize=_CROPPED,
        claims=_STYLES,
        compute=clip.style_agreement,
    ),
    replace(
        _BY_TEXT,
        name="coherence_directional",
        title="direction",
        compares="change from background to painted picture with that from a style to the prompt",
        missing="where nothing changed",
        source="Gal et al. 2022 (StyleGAN-NADA), the source text ours",
        claims=_STYLES,
        compute=clip.directional,
    ),
    replace(
        _BY_CLIP,
        name="coherence_frame",
        title="frame consistency",
        range=_SHARES,
        compares="painted picture with its background, mean over the whole and a crop, negatives as 0",
        crop=_CONTEXT,
        resize=_CROPPED,
        source="Huang et al. 2024 (VBench, background consistency)",
        compute=clip.frame_consistency,
    ),
    replace(
        _BY_STAGES,
        name="coherence_gram",
        title="Gram distance",
        compares="Gram matrices of four ImageNet stages, painted picture in the mask with background out of it",
        source="Gatys et al. 2016, the scale ours",
        compute=pixels.gram_distance,
    ),
    replace(
        _BY_STAGES,
        name="coherence_statistics",
        title="statistics gap",
        compares="channel means and deviations of four ImageNet stages, in the mask and out of it",
        source="Huang and Belongie 2017 (AdaIN), the scale ours",
        compute=pixels.statistics_gap,
    ),
    _BY_PIXELS,
    replace(
        _BY_PIXELS,
        name="coherence_gradient",
        title="boundary gradient",
        range=_SHARES,
        digits=3,
        compares="CIELAB step across the mask's border, as a share of it and that across parallel lines",
        mask="lines 2 px (of 64) to both sides of the border",
        missing="where nothing changes anywhere",
        claims=_LINES,
        compute=pixels.boundary_gradient,
    ),
    replace(
        _BY_PIXELS,
        name="coherence_jump",
        title="colour jump",
        range=(-100, 100),
        compares="CIELAB means on both sides of the mask's border, less the background's own",
        mask="Gaussian means of 2 px (of 64) on each side",
        claims=_SEAMS,
        compute=pixels.colour_jump,
    ),
    replace(
        _BY_PIXELS,
        name="coherence_ring",
        title="ring distance",
        range=(0, 4),
        digits=3,
        encoder="perceptual",
        uses=("perceptual",),
        compares="painted picture with its background in a ring of 4 px (of 64) outside the mask",
        mask="all but the ring mid-grey in both",
        claims=_SPOILT,
        compute=pixels.ring_distance,
    ),
)
