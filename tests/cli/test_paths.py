"""A path or a title is text: brackets are no markup, ~ is the user's home, and nothing has to be quoted twice."""

from pathlib import Path

import pytest

from spin_bench.cli.main import main
from spin_bench.config.compose import compose
from spin_bench.config.settings import run_settings
from spin_bench.methods.registry import methods
from spin_bench.metrics.registry import METRICS


@pytest.mark.parametrize("name", ["a [b] c", "[/bold]", "übung (2)", "a=b", "it's", "2024", "a:b {c}"])
def test_a_path_is_what_was_written(name: str) -> None:
    settings = run_settings(compose([f"results_dir=/x/{name}", f"dataset.root=/y/{name}"]), methods(), METRICS)
    assert settings.results_dir == Path(f"/x/{name}")
    assert settings.dataset.root == f"/y/{name}"
    assert settings.store_dir == Path(f"/x/{name}/store")


def test_home_is_expanded_in_every_path_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    words = [f"{name}=~/x" for name in ("results_dir", "store_dir", "dataset.root", "stack.root")]
    settings = run_settings(compose(words), methods(), METRICS)
    paths = [settings.results_dir, settings.store_dir, settings.dataset.root, settings.stack.root]
    assert [str(path) for path in paths] == ["/home/somebody/x"] * 4


def test_brackets_in_paths_are_printed(
    benchmark_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    results = tmp_path / "[bold] [" / "results"
    words = [f"dataset.root={benchmark_root}", f"results_dir={results}", "methods=[copy_paste,oracle]", "limit=2"]
    assert main([*words, "metrics=[psnr_bg]", "set_level=[]"]) == 0
    folder = results / "mini" / "mini" / "table1"
    assert str(folder / "index.html") in capsys.readouterr().out
    assert main(["report", str(folder)]) == 0
    assert main(["store", "ls", f"results_dir={results}"]) == 0
    assert str(results / "store") in capsys.readouterr().out
