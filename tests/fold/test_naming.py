"""Two runs with one name and different settings: the second is told before it paints."""

from dataclasses import replace
from pathlib import Path

import pytest
from fake_runs import fake_run

from spin_bench.core.errors import UserError
from spin_bench.fold.results_folder import check_name, results_folder, sign, used_keys
from spin_bench.models.stack import Stack
from spin_bench.run.run import Run
from spin_bench.spin.painter import SpinSettings


def _with(run: Run, **changes: object) -> Run:
    return replace(run, settings=replace(run.settings, **changes))


@pytest.fixture
def first(benchmark_root: Path, tmp_path: Path, stack: Stack) -> Run:
    """A run whose results are there; it pretends to have painted with Spin."""
    run = _with(fake_run(benchmark_root, tmp_path, stack), methods={"spin": SpinSettings()})
    check_name(run)
    sign(run)
    check_name(run)
    return run


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"methods": {"spin": SpinSettings(guidance_scale=3.0)}}, r"spin\.guidance_scale 7\.5 there, 3\.0 here"),
        ({"base_seed": 1}, "base_seed 0 there, 1 here"),
    ],
)
def test_other_settings_need_another_name(first: Run, changes: dict[str, object], said: str):
    other = _with(first, **changes)
    with pytest.raises(UserError, match=rf"table1 holds a run with other settings \({said}\): .*experiment_name=") as e:
        check_name(other)
    assert "\n" not in str(e.value)
    check_name(_with(other, overwrite=True))
    check_name(_with(other, experiment="mine"))


def test_every_difference_is_counted(first: Run):
    other = SpinSettings(steps=1, guidance_scale=1.0, fresh_noise=True, style_strength=0.0, style_start=0.1)
    with pytest.raises(UserError, match="and 1 more"):
        check_name(_with(first, methods={"spin": other}))


@pytest.mark.parametrize("changes", [{"samples": 9}, {"limit": 1}, {"metrics": ()}, {"methods": {}}, {"batch_size": 3}])
def test_more_or_less_of_the_same_is_the_same_run(first: Run, changes: dict[str, object]):
    check_name(_with(first, **changes))


def test_a_damaged_note_does_not_stop_a_run(first: Run):
    (results_folder(first.settings) / "run.json").write_text("{")
    check_name(_with(first, base_seed=1))


def test_keys_in_use_are_those_of_results_folders(first: Run):
    assert used_keys(first.settings.results_dir) == set(first.keys.values())
