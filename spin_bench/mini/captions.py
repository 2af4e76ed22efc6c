"""What the embedded world says about its scenes, in the benchmark's own wording and a few plainer ones."""

import numpy as np

from spin_bench.mini.backgrounds import PLACES
from spin_bench.mini.sprites import sprites
from spin_bench.mini.world import Scene

# The wording of TF-ICON's prompts, by domain.
BENCHMARK = {
    "real": "a professional photograph of {}, ultra realistic",
    "cartoon": "a cartoon animation of {}",
    "painting": "an oil painting of {}, Van Gogh Style",
    "sketch": "a pencil drawing of {}",
}

_PLAIN = {
    "real": ("a photo of {}", "a photograph of {}"),
    "cartoon": ("a cartoon of {}",),
    "painting": ("a painting of {}",),
    "sketch": ("a drawing of {}", "a sketch of {}"),
}


def bare_place(place: str) -> str:
    """The place itself: "the grass", "a brick wall"."""
    return PLACES[place].removeprefix("in front of ").removeprefix("on ").removeprefix("in ")


def content(scene: Scene) -> str:
    """Subject and place, or the place alone where the scene is empty."""
    if not scene.objects:
        return bare_place(scene.place)
    return f"{sprites()[scene.objects[-1].instance.noun].with_article} {PLACES[scene.place]}"


def benchmark_prompt(scene: Scene) -> str:
    return BENCHMARK[scene.domain].format(content(scene))


def caption(scene: Scene, rng: np.random.Generator) -> str:
    """One caption of many: mostly the benchmark's wording, else a plainer one, now and then without the place."""
    subject = content(scene)
    if scene.objects and rng.random() < 0.2:
        subject = sprites()[scene.objects[-1].instance.noun].with_article
    plain = _PLAIN[scene.domain]
    template = BENCHMARK[scene.domain] if rng.random() < 0.6 else plain[int(rng.integers(len(plain)))]
    return template.format(subject)
