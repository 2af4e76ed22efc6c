"""Methods by name: names are cheap, records come from where the registry or a plug-in says, mistakes are one line."""

import subprocess
import sys
from pathlib import Path

import pytest

from spin_bench.core.errors import UserError
from spin_bench.methods.method import Method
from spin_bench.methods.registry import BUILT_IN, methods

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
HEAVY = {"torch", "torchvision", "diffusers", "transformers", "open_clip", "pandas", "matplotlib"}


def _install(folder: Path, monkeypatch: pytest.MonkeyPatch, **places: str) -> None:
    """A distribution in `folder` that registers `places`, name by name."""
    (folder / "my_plug_in.py").write_text(PLUG_IN)
    info = folder / "my_plug_in-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-plug-in\nVersion: 1.0\n")
    lines = [f"{name} = {place}" for name, place in places.items()]
    (info / "entry_points.txt").write_text("\n".join(["[spin_bench.methods]", *lines, ""]))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "my_plug_in", raising=False)


def _modules_after(code: str) -> set[str]:
    printed = f"{code}\nimport sys\nprint(*sys.modules)"
    return set(subprocess.check_output([sys.executable, "-c", printed], text=True).split())


def test_names_import_no_model_library():
    asked = "from spin_bench.methods.registry import methods\nassert 'spin' in methods() and len(list(methods())) >= 8"
    assert not _modules_after(asked) & HEAVY


def test_a_record_imports_no_other_method():
    loaded = _modules_after("from spin_bench.methods.registry import methods\nmethods()['copy_paste']")
    assert "spin_bench.methods.baselines.copy_paste" in loaded
    assert (
        not {place.partition(":")[0] for place in BUILT_IN.values()} - {"spin_bench.methods.baselines.copy_paste"}
        & loaded
    )


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_record_is_whole(name: str):
    method = methods()[name]
    assert isinstance(method, Method)
    assert method.colour.startswith("#") and len(method.colour) == 7
    assert method.version.isdigit()
    assert method.parts(method.settings()) is not None


def test_colours_and_titles_are_one_method_s_each():
    records = [methods()[name] for name in BUILT_IN]
    assert len({method.colour for method in records}) == len({method.title for method in records}) == len(records)


def test_a_plug_in_is_read_where_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    _install(tmp_path, monkeypatch, mine="my_plug_in:METHOD", spin="my_plug_in:METHOD")
    known = methods()
    assert "my_plug_in" not in sys.modules  # not before it is asked for
    assert known["mine"].title == "Mine"
    assert known["spin"].title == "Spin"  # a plug-in may not take a built-in name


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("my_plug_inn:METHOD", "method mine: my_plug_inn:METHOD cannot be imported"),
        ("my_plug_in:METHODS", "method mine: my_plug_in:METHODS cannot be imported"),
        ("my_plug_in:build", "method mine: my_plug_in:build is no Method but a function"),
    ],
)
def test_a_broken_plug_in_harms_no_other_method(
    place: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    _install(tmp_path, monkeypatch, mine=place)
    with pytest.raises(UserError, match=message):
        methods()["mine"]
    assert methods()["spin"].title == "Spin"
