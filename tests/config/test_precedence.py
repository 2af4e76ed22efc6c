"""The command's words go over what a stack overrides, and the stack's overrides over published defaults."""

import json

import pytest

from spin_bench.cli.main import compose, main
from spin_bench.config.settings import RunSettings, run_settings
from spin_bench.methods.registry import methods
from spin_bench.metrics.registry import METRICS


def _settings(*words: str) -> RunSettings:
    return run_settings(compose(list(words)), methods(), METRICS)


@pytest.mark.parametrize(
    "words",
    [
        ["settings.blended_diffusion.steps=100"],
        ["steps=100"],
        ["method=blended_diffusion", "method.steps=100"],
        ["++settings.blended_diffusion.steps=100"],
        ["settings.blended_diffusion={steps: 100}"],
        ["settings={blended_diffusion: {steps: 100}}"],
    ],
)
def test_a_published_default_can_be_asked_for(words: list[str]):
    settings = _settings(*words)
    blended = settings.methods["blended_diffusion"]
    assert blended.steps == 100
    assert blended.clip_guidance_lambda == 100.0  # the stack's still
    assert not any("Blended: steps" in line for line in settings.deviations)


def test_what_is_asked_for_has_not_the_stack_s_reason():
    deviations = _settings("settings.blended_diffusion.steps=50").deviations
    assert "Blended: steps=50 (default 100): set for this run" in deviations
    assert "Blended: steps=50 (default 100): set for this run" in _settings("steps=50").deviations


@pytest.mark.parametrize(
    "words", [["steps=null"], ["settings.spin.steps=100"], ["settings.blended_diffusion.ddim=true"]]
)
def test_other_words_leave_the_stack_s_overrides(words: list[str]):
    assert _settings(*words).methods["blended_diffusion"].steps == 25


def test_groups_of_settings_yield_by_the_single_setting():
    published = methods()["spin"].settings().embedding.saliency
    assert _settings("stack=sd14").methods["spin"].embedding.saliency != published
    assert (
        _settings("stack=sd14", f"settings.spin.embedding.saliency={published}").methods["spin"].embedding.saliency
        == published
    )


def test_jobs_of_a_sweep_yield_too(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["--multirun", "settings.blended_diffusion.steps=1,100", "methods=[blended_diffusion]", "beside=[]"]
    words += ["limit=1", "samples_for.blended_diffusion=1", "settings.blended_diffusion.skip_share=0.97"]
    words += ["metrics=[lpips_bg]", "set_level=[]", "results_dir=out", "experiment_name=sweep", "reexec=false"]
    assert main(words) == 0
    jobs = sorted(tmp_path.glob("out/mini/mini/sweep/*/job.json"))
    values = [json.loads(job.read_text())["values"]["settings.blended_diffusion.steps"] for job in jobs]
    assert sorted(values) == [1, 100]
    pages = {job.parent.name.rpartition("-")[2]: (job.parent / "table.md").read_text() for job in jobs}
    assert "steps=1 (default 100): set for this run" in pages["1"]
    assert "steps=" not in pages["100"]
