"""Changed code does not meet old pictures unnoticed."""

import json
import logging
import sys
from pathlib import Path

import pytest
from rich.console import Console

from spin_bench.config.compose import compose
from spin_bench.config.settings import run_settings
from spin_bench.methods.digests import digests
from spin_bench.methods.registry import methods
from spin_bench.metrics.registry import METRICS
from spin_bench.models.stack import Stack
from spin_bench.run.painting import generate
from spin_bench.run.plan import plan
from spin_bench.run.prepare import Run, prepare

COMMITTED = Path(__file__).parent / "digests.json"
PLUG_IN = """
from dataclasses import dataclass
from spin_bench.methods.method import Method

@dataclass(frozen=True)
class Settings:
    strength: float = 0.5

def build(settings, stack):
    return lambda case, seeds: [case.background for _ in seeds]

METHOD = Method("Mine", Settings, build, "1", uses=())
"""


def test_changed_code_of_a_method_raises_its_version_or_says_that_its_pictures_stay():
    committed, now = json.loads(COMMITTED.read_text()), digests()
    silent = [n for n in now if now[n] != committed.get(n) and now[n]["version"] == committed.get(n, {}).get("version")]
    assert not silent, f"the code of {silent} changed: raise VERSION if pictures change; then, or if not, make digests"
    assert now == committed, "make digests"


def _begun(root: Path, results: Path, stack: Stack, *words: str) -> Run:
    config = compose(["methods=[mine]", f"dataset.root={root}", f"results_dir={results}", "metrics=[psnr_bg]", *words])
    run = prepare(run_settings(config, methods(), METRICS), stack, methods(), METRICS, Console(quiet=True))
    generate(run, plan(run)[:1])
    return run


def _said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [message for message in caplog.messages if "its code" in message]


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of an installed plug-in that registers the method `mine`."""
    file, info = tmp_path / "my_own_method.py", tmp_path / "my_own_method-1.0.dist-info"
    file.write_text(PLUG_IN)
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-own-method\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[spin_bench.methods]\nmine = my_own_method:METHOD\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_own_method", raising=False)
    return file


def test_a_plug_in_s_changed_code_paints_anew_and_says_so(
    plug_in: Path, benchmark_root: Path, tmp_path: Path, stack: Stack, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    caplog.set_level(logging.INFO)
    before = _begun(benchmark_root, tmp_path, stack).keys["mine"]
    assert _begun(benchmark_root, tmp_path, stack).keys["mine"] == before
    plug_in.write_text(f"# a comment\n{PLUG_IN}")
    assert _begun(benchmark_root, tmp_path, stack).keys["mine"] == before
    assert not _said(caplog)
    plug_in.write_text(PLUG_IN.replace("case.background", "case.background.copy()"))
    monkeypatch.delitem(sys.modules, "my_own_method")
    assert _begun(benchmark_root, tmp_path, stack).keys["mine"] != before
    assert _said(caplog) == ["Mine: its code changed and its version did not: its pictures are painted anew"]


def test_a_built_in_method_s_key_does_not_hold_its_code_but_its_results_do(
    benchmark_root: Path, tmp_path: Path, stack: Stack, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    run = _begun(benchmark_root, tmp_path, stack, "methods=[copy_paste]")
    folder = run.store.root / run.keys["copy_paste"]
    assert "source" not in json.loads((folder / "settings.json").read_text())
    assert json.loads((folder / "source.json").read_text()) == {"source": digests()["copy_paste"]["source"]}
    (folder / "source.json").write_text('{"source":"other"}')
    again = _begun(benchmark_root, tmp_path, stack, "methods=[copy_paste]")
    assert again.keys == run.keys
    assert _said(caplog) == ["copy-paste: its code changed, its version says that its pictures did not"]
