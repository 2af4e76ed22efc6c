"""Two runs with one name and different settings: the second is told before it paints."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from fake_runs import fake_run

from spin_bench.core.errors import UserError
from spin_bench.fold.results_folder import Earlier, check_folder, results_folder, sign
from spin_bench.models.stack import Stack
from spin_bench.run.prepare import Run
from spin_bench.spin.painter import SpinSettings


def _with(run: Run, **changes: object) -> Run:
    return replace(run, settings=replace(run.settings, **changes))


@pytest.fixture
def first(benchmark_root: Path, tmp_path: Path, stack: Stack) -> Run:
    """A run whose results are there; it pretends to have painted with Spin."""
    run = _with(fake_run(benchmark_root, tmp_path, stack), methods={"spin": SpinSettings()})
    assert check_folder(run.settings) == Earlier()
    sign(run)
    assert check_folder(run.settings).keys == run.keys
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
        check_folder(other.settings)
    assert "\n" not in str(e.value)
    assert check_folder(_with(other, overwrite=True).settings) == Earlier()
    check_folder(_with(other, experiment="mine").settings)


def test_every_difference_is_counted(first: Run):
    other = SpinSettings(steps=1, guidance_scale=1.0, fresh_noise=True, style_strength=0.0, style_start=0.1)
    with pytest.raises(UserError, match="and 1 more"):
        check_folder(_with(first, methods={"spin": other}).settings)


@pytest.mark.parametrize("changes", [{"samples": 9}, {"limit": 1}, {"metrics": ()}, {"methods": {}}, {"batch_size": 3}])
def test_more_or_less_of_the_same_is_the_same_run(first: Run, changes: dict[str, object]):
    check_folder(_with(first, **changes).settings)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"settings": 1, "keys": 2}', '{"settings": {}, "keys": [1]}'])
def test_a_damaged_note_is_no_licence(first: Run, content: str):
    note = results_folder(first.settings) / "run.json"
    note.write_text(content)
    with pytest.raises(UserError, match=r"run\.json: unreadable, so what its folder holds is unknown: restore it") as e:
        check_folder(first.settings)
    assert "\n" not in str(e.value) and note.read_text() == content
    assert check_folder(_with(first, overwrite=True).settings) == Earlier()


def test_more_domains_are_more_cases_and_other_domains_another_run(first: Run):
    def check(before: object, now: object) -> None:
        dataset = first.settings.dataset
        sign(_with(first, dataset=replace(dataset, domains=before)))
        check_folder(_with(first, dataset=replace(dataset, domains=now)).settings)

    check("real", "all")
    check("real", ("sketch", "real"))
    check("all", ("all",))
    for before, now in (("all", "real"), ("real", "sketch"), (("real", "sketch"), ("real", "cartoon"))):
        with pytest.raises(UserError, match=r"dataset\.domains .* there, .* here"):
            check(before, now)


@pytest.mark.parametrize("name", ["", "..", "../x", "/x", "a/../b", "a//b", "a\nb", "a\0b", "a\\b", "a" * 300])
def test_a_name_leads_nowhere_else(first: Run, name: str):
    with pytest.raises(UserError, match="cannot name a folder: choose another"):
        results_folder(_with(first, experiment=name).settings)


def test_a_folder_that_is_somebody_s_is_refused(first: Run):
    folder = results_folder(_with(first, experiment="holiday").settings)
    (folder / "images" / "beach" / "1").mkdir(parents=True)
    (folder / "images" / "beach" / "1" / "0.png").write_bytes(b"sand")
    with pytest.raises(UserError, match=r"holiday: not a results folder of ours, it holds images and no format\.json"):
        check_folder(_with(first, experiment="holiday").settings)
    with pytest.raises(UserError, match="not a results folder of ours"):
        check_folder(_with(first, experiment="holiday", overwrite=True).settings)
    assert [path.name for path in folder.iterdir()] == ["images"]


def test_a_table_that_is_older_than_its_run_file_says_nothing_of_it(first: Run):
    """As a kill leaves it between the two."""
    about = {"methods": {name: name for name in first.keys}, "records": {"psnr_bg": {}}, "notes": ["a note"]}
    path = results_folder(first.settings) / "about.json"
    path.write_text(json.dumps(about))
    assert check_folder(first.settings) == Earlier(first.keys, about["methods"], ("psnr_bg",), ("a note",))
    path.write_text(json.dumps({**about, "methods": {"other": "other"}}))
    assert check_folder(first.settings) == Earlier(first.keys)
    path.write_text("{")
    with pytest.raises(UserError, match=r"about\.json: unreadable"):
        check_folder(first.settings)
