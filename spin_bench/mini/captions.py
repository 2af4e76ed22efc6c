"""What the embedded world says about its scenes, in the benchmark's own wording and a few plainer ones."""

import numpy as np

from spin_bench.mini.backgrounds import PLACES
from spin_bench.mini.sprites import sprites
from spin_bench.mini.world import Instance, Scene

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


def in_words(instance: Instance, *, colour: bool = False, pattern: bool = False) -> str:
    """The individual in words: "a teapot", "a blue teapot", "a striped teapot", "a blue striped teapot"."""
    if instance.look is None or not (colour or pattern):
        return sprites()[instance.noun].with_article
    words = [instance.look.colour] * colour + [instance.look.pattern] * pattern
    if words[-1] == "plain":
        words.reverse()  # "a plain blue teapot"
    return f"{'an' if words[0][0] in 'aeiou' else 'a'} {' '.join(words)} {instance.noun}"


def content(scene: Scene, subject: str = "") -> str:
    """Subject, in its noun or in the words given, and place; or the place alone where the scene is empty."""
    if not scene.objects:
        return bare_place(scene.place)
    return f"{subject or in_words(scene.objects[-1].instance)} {PLACES[scene.place]}"


def benchmark_prompt(scene: Scene) -> str:
    return BENCHMARK[scene.domain].format(content(scene))


def _sample_words(scene: Scene, rng: np.random.Generator) -> str:
    """The subject in words that say more or less of it; empty for an empty scene."""
    if not scene.objects:
        return ""
    instance = scene.objects[-1].instance
    if instance.look is None:
        return in_words(instance)
    said = int(rng.integers(6))  # both, both, colour, pattern, neither, neither
    return in_words(instance, colour=said in (0, 1, 2), pattern=said in (0, 1, 3))


def template(domain: str, index: int) -> str:
    """Wording `index` of a domain, beginning with the benchmark's and round again after the last."""
    wordings = (BENCHMARK[domain], *_PLAIN[domain])
    return wordings[index % len(wordings)]


def caption(scene: Scene, rng: np.random.Generator) -> str:
    """One caption of many: mostly the benchmark's wording, else a plainer one, now and then without the place.

    An individual's colour and pattern are both said a third of the time, one of them a third, neither a third.
    """
    named = _sample_words(scene, rng)
    subject = content(scene, named)
    if scene.objects and rng.random() < 0.2:
        subject = named
    plain = _PLAIN[scene.domain]
    template = BENCHMARK[scene.domain] if rng.random() < 0.6 else plain[int(rng.integers(len(plain)))]
    return template.format(subject)
