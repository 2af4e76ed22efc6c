"""Configuration: one place for defaults, and every wrong word is said in one line."""

import pytest

from spin_bench.config.compose import compose
from spin_bench.config.settings import RunSettings, run_settings
from spin_bench.config.words import config_folder
from spin_bench.core.errors import UserError
from spin_bench.datasets.benchmarks import DatasetConfig, chosen_domains
from spin_bench.methods.registry import methods
from spin_bench.metrics.registry import METRICS
from spin_bench.models.config import StackConfig
from spin_bench.models.loading.load import load_stack


def _settings(*overrides: str) -> RunSettings:
    return run_settings(compose(list(overrides)), methods(), METRICS)


@pytest.mark.parametrize("path", sorted((config_folder() / "experiment").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_experiment_composes(path):
    for stack in ("mini", "sd14"):
        settings = _settings(f"experiment={path.stem}", f"stack={stack}")
        assert settings.experiment == path.stem
        assert settings.methods


def test_shared_settings_reach_the_methods_that_have_them():
    settings = _settings("steps=7", "guidance_scale=3")
    assert settings.methods["spin"].steps == settings.methods["blended_latent_diffusion"].steps == 7
    assert settings.methods["spin"].guidance_scale == 3.0
    assert "Spin: steps=7 (default 50): set for this run" in settings.deviations


def test_a_single_method_has_its_own_group():
    settings = _settings("method=spin", "method.embedding.lr=1e-3")
    assert list(settings.methods) == ["spin"]
    assert settings.methods["spin"].embedding.lr == 1e-3


def test_a_stack_says_why_it_deviates():
    deviations = _settings("stack=sd14").deviations
    assert any("embedding.saliency=reference_mask" in line and "stand in" in line for line in deviations)
    steps, batch, views, guidance, clamp = _settings().deviations
    assert steps.startswith("Blended: steps=25 (default 100): 32 images a case")
    assert batch.startswith("Blended: batch=8 (default 4): networks this small")
    assert views.startswith("Blended: resample_once=True (default False): beside networks this small")
    assert guidance.startswith("Blended: clip_guidance_lambda=100.0 (default 1000.0): at 32 px a pixel is 64 times")
    assert clamp.startswith("Blended: range_lambda=5.0 (default 50.0): in the published proportion")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["methods=[spun]"], "unknown method 'spun': did you mean 'spin'"),
        (["metrics=[clip_i_corp]"], "unknown metric 'clip_i_corp': did you mean 'clip_i_crop'"),
        (["stack=mimi"], "unknown stack 'mimi': did you mean 'mini'"),
        (["dataset=tfcon"], "unknown dataset 'tfcon': did you mean 'tficon'"),
        (["settings.spin.stepz=3"], "stepz"),
        (["+settings.spin.stepz=3"], "unknown setting 'settings.spin.stepz': did you mean 'settings.spin.steps'"),
        (["settings.spin.steps=many"], "settings.spin.steps=many: must be a whole number"),
        (["samples=0"], "samples=0: must be at least 1"),
        (["limit=-1"], "limit=-1: must be"),
    ],
)
def test_wrong_words_are_said_in_one_line(overrides: list[str], message: str):
    with pytest.raises(UserError) as error:
        _settings(*overrides)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_domains():
    assert chosen_domains(DatasetConfig("mini")) == ("real",)
    assert len(chosen_domains(DatasetConfig("mini", domains="all"))) == 4
    assert chosen_domains(_settings("dataset.domains=[sketch,real]").dataset) == ("sketch", "real")
    with pytest.raises(UserError, match="did you mean 'sketch'"):
        chosen_domains(DatasetConfig("mini", domains="sketsh"))


def test_a_device_or_precision_that_is_not_there():
    for config, message in (
        (StackConfig("mini", 64, device="gpu"), "unknown device"),
        (StackConfig("mini", 64, dtype="float23"), "did you mean 'float32'"),
        (StackConfig("minni", 64), "did you mean 'mini'"),
    ):
        with pytest.raises(UserError, match=message):
            load_stack(config)
