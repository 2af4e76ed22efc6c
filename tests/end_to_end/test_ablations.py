"""Every variant of every ablation paints, and paints something else than the default."""

from dataclasses import replace

import pytest
import yaml

from spin_bench.config.compose import compose
from spin_bench.config.settings import run_settings
from spin_bench.config.words import config_folder
from spin_bench.core.case import Case
from spin_bench.methods.registry import methods
from spin_bench.metrics.registry import METRICS
from spin_bench.models.stack import Stack
from spin_bench.spin.painter import spin
from spin_bench.spin.settings import SpinSettings
from spin_bench.store.artefacts import Artefacts

ABLATIONS = sorted(path.stem for path in (config_folder() / "experiment").glob("ablation_*.yaml"))


def _quick(settings: SpinSettings) -> SpinSettings:
    iterations = min(settings.embedding.iterations, 2)
    return replace(settings, steps=2, embedding=replace(settings.embedding, iterations=iterations, lr=0.05))


@pytest.mark.parametrize("name", ABLATIONS)
def test_every_variant_paints_a_picture_of_its_own(name: str, stack: Stack, cases: list[Case], artefacts: Artefacts):
    settings = run_settings(compose([f"experiment={name}"]), methods(), METRICS)
    assert next(iter(settings.methods)) == "spin"
    assert settings.methods["spin"] == SpinSettings()
    case = next(case for case in cases[1:] if case.domain in settings.dataset.domains)
    pictures = {}
    for row, chosen in settings.methods.items():
        pictures[row] = spin(_quick(chosen), stack.keeping(artefacts))(case, [5])[0].tobytes()
    assert len(set(pictures.values())) == len(pictures), f"equal rows in {name}"


@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablation_says_what_it_is(name: str):
    text = (config_folder() / "experiment" / f"{name}.yaml").read_text()
    variants = yaml.safe_load(text)["variants"]["spin"]
    assert text.startswith("# @package _global_\n# ")
    assert all(changes["title"] for changes in variants.values())
