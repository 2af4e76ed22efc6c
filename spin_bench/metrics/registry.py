"""The metrics by name; one from outside registers through the entry-point group "spin_bench.metrics".

A metric's module, and the networks' libraries with it, is imported when the metric is first asked for: names alone are
free.
"""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from spin_bench.core.errors import UserError, check_known
from spin_bench.core.registry import Registry

if TYPE_CHECKING:
    from spin_bench.metrics.metric import CaseMetric, Metric

BUILT_IN = {  # module below spin_bench.metrics -> its functions; those of a preset are named with an @ and its module
    "similarity": (
        *("clip_i_crop", "clip_i_photo", "clip_i_truth", "judge_i_crop", "lpips_fg"),
        *("clip_t", "clip_t_crop"),
    ),
    "coherence_clip": (
        *("coherence_style_seam", "coherence_context", "coherence_scene", "coherence_in_out", "coherence_gain"),
        *("coherence_seam", "coherence_antonyms", "coherence_style", "coherence_directional", "coherence_frame"),
    ),
    "coherence_pixels": (
        *("coherence_gram", "coherence_statistics", "coherence_colour", "coherence_gradient"),
        *("coherence_jump", "coherence_ring"),
    ),
    "preservation": ("lpips_bg", "psnr_bg", "mse_bg", "ssim_bg"),
    "surroundings": ("clip_i_surroundings",),
    "palette": ("palette_fg",),
    "presets.tficon": ("lpips_bg", "lpips_fg", "clip_i", "clip_t"),
    "presets.pbe": ("clip_i",),
    "presets.brushnet": ("mse_bg", "psnr_bg", "clip_t"),
    "presets.piebench": ("mse_bg", "psnr_bg", "ssim_bg", "clip_t_edit"),
    "presets.hdpainter": ("clip_t_crop",),
    "quality": ("dino_i_crop", "dreamsim_crop", "aesthetic", "image_reward", "hps", "pick_score"),
    "diversity": ("diversity_crop",),
}


def metrics() -> "Registry[Metric | CaseMetric]":
    """Return built-in metrics and those of plug-ins that are installed now."""
    places = {}
    for module, functions in BUILT_IN.items():
        preset = module.partition("presets.")[2]
        for function in functions:
            places[f"{function}@{preset}" if preset else function] = f"{__package__}.{module}:{function}"
    return Registry("metric", places, _admitted)


def _admitted(where: str, name: str, metric: "Metric | CaseMetric") -> "Metric | CaseMetric":
    registered = getattr(metric, "name", None)
    if registered is None:
        raise UserError(f"{where} is no metric but a {type(metric).__name__}: register a decorated formula")
    if registered != name:
        raise UserError(f"{where} calls itself {registered}: give the entry point that name")
    return metric


METRICS = metrics()


def metric_names(words: Sequence[str], known: Collection[str] = METRICS) -> list[str]:
    """Return the metrics that `words` name, "@<preset>" standing for all of a preset's.

    A word that names nothing among `known`, or no word at all, is a `UserError`.
    """
    if not words:
        raise UserError("metrics=[]: name one metric or more, `spin-bench metrics` lists them")
    presets = {f"@{name.partition('@')[2]}" for name in known if "@" in name}
    check_known("preset", [word for word in words if word.startswith("@")], sorted(presets))
    check_known("metric", [word for word in words if not word.startswith("@")], known)
    names = [name for word in words for name in known if name == word or (word in presets and name.endswith(word))]
    return list(dict.fromkeys(names))
