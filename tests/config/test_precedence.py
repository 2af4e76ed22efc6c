"""Published default < stack < experiment < the command's words: each pair of neighbours, in every form of a word."""

import json
import textwrap
from pathlib import Path

import pytest

from spin_bench.cli.main import main
from spin_bench.config import words
from spin_bench.config.compose import compose
from spin_bench.config.settings import RunSettings, run_settings
from spin_bench.methods.registry import methods
from spin_bench.metrics.registry import METRICS


def _settings(*words: str) -> RunSettings:
    return run_settings(compose(list(words)), methods(), METRICS)


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write an experiment on top of table1 beside a copy of conf/, and choose it."""
    conf = tmp_path / "conf"
    for source in words.config_folder().rglob("*.yaml"):
        target = conf / source.relative_to(words.config_folder())
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source.read_text())

    def write(text: str) -> str:
        head = "# @package _global_\ndefaults: [table1, _self_]\n"
        (conf / "experiment" / "mine.yaml").write_text(head + textwrap.dedent(text))
        words.known_names.cache_clear()
        return "experiment=mine"

    monkeypatch.setattr(words, "config_folder", lambda: conf)
    monkeypatch.setattr("spin_bench.config.compose.config_folder", lambda: conf)
    yield write
    words.known_names.cache_clear()


def test_the_stack_goes_over_what_was_published() -> None:
    published = methods()["blended_diffusion"].settings()
    blended = _settings().methods["blended_diffusion"]
    assert (published.steps, blended.steps) == (100, 25)
    assert blended.aug_num == published.aug_num


@pytest.mark.parametrize(
    "text",
    [
        "settings: {blended_diffusion: {steps: 100}}",  # the published value, which the stack overrides
        "steps: 100",
    ],
)
def test_an_experiment_goes_over_the_stack(experiment, text: str) -> None:
    settings = _settings(experiment(text))
    assert settings.methods["blended_diffusion"].steps == 100
    assert settings.methods["blended_diffusion"].clip_guidance_lambda == 100.0  # the stack's still
    assert not any("Blended: steps" in line for line in settings.deviations)


def test_an_experiment_s_single_setting_goes_over_its_general_one(experiment) -> None:
    mine = experiment("steps: 100\nsettings: {spin: {steps: 10}}")
    found = _settings(mine).methods
    assert (found["spin"].steps, found["blended_diffusion"].steps, found["sd_inpaint"].steps) == (10, 100, 100)


@pytest.mark.parametrize(
    "command",
    [
        ["settings.spin.steps=7"],
        ["settings.spin={steps: 7}"],
        ["settings={spin: {steps: 7}}"],
        ["++settings.spin.steps=7"],
        ["method=spin", "method.steps=7"],
        ["steps=7"],
        ["steps=9", "settings.spin.steps=7"],
        ["settings.spin.steps=7", "steps=9"],
        ["method=spin", "steps=7"],
    ],
)
@pytest.mark.parametrize(
    "text", ["settings: {spin: {steps: 10}}", "steps: 10", "steps: 11\nsettings: {spin: {steps: 10}}"]
)
def test_the_command_goes_over_the_experiment(experiment, text: str, command: list[str]) -> None:
    mine = experiment(text)
    assert _settings(mine).methods["spin"].steps == 10
    assert _settings(mine, *command).methods["spin"].steps == 7


def test_a_single_method_sees_stack_and_experiment(experiment) -> None:
    mine = experiment("settings: {blended_diffusion: {aug_num: 3}}")
    (blended,) = _settings(mine, "method=blended_diffusion").methods.values()
    assert (blended.steps, blended.aug_num) == (25, 3)


@pytest.mark.parametrize(
    "command",
    [
        ["settings.blended_diffusion.steps=100"],
        ["steps=100"],
        ["method=blended_diffusion", "method.steps=100"],
        ["settings.blended_diffusion={steps: 100}"],
    ],
)
def test_a_published_default_can_be_asked_for(command: list[str]) -> None:
    settings = _settings(*command)
    assert settings.methods["blended_diffusion"].steps == 100
    assert settings.methods["blended_diffusion"].clip_guidance_lambda == 100.0
    assert not any("Blended: steps" in line for line in settings.deviations)


def test_a_reason_is_given_for_the_stack_s_own_value_alone() -> None:
    assert "Blended: steps=50 (default 100): set for this run" in _settings("steps=50").deviations
    assert any(line.startswith("Blended: steps=25 (default 100): 32 images") for line in _settings().deviations)


def test_groups_of_settings_yield_by_the_single_setting() -> None:
    published = methods()["spin"].settings().embedding.saliency
    assert _settings("stack=sd14").methods["spin"].embedding.saliency != published
    asked = _settings("stack=sd14", f"settings.spin.embedding.saliency={published}")
    assert asked.methods["spin"].embedding.saliency == published


def test_jobs_of_a_sweep_are_composed_like_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["--multirun", "steps=1,100", "methods=[blended_diffusion]", "limit=1", "set_level=[]"]
    command += ["samples_for.blended_diffusion=1", "settings.blended_diffusion.skip_share=0.97"]
    command += ["metrics=[lpips_bg]", "results_dir=out", "experiment_name=sweep"]
    assert main(command) == 0
    jobs = sorted(tmp_path.glob("out/mini/mini/sweep/*/job.json"))
    assert sorted(json.loads(job.read_text())["values"]["steps"] for job in jobs) == [1, 100]
    pages = {job.parent.name.rpartition("-")[2]: (job.parent / "table.md").read_text() for job in jobs}
    assert "steps=1 (default 100): set for this run" in pages["1"]
    assert "steps=" not in pages["100"]
