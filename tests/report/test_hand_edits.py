"""Results folders that somebody edited or cut short are drawn all the same, or refused in one line, untouched."""

import copy
import hashlib
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from small_gallery import PROVENANCE, make_case, make_folder, make_scores, paint

from spin_bench.cli.main import main
from spin_bench.core.errors import UserError
from spin_bench.report import render
from spin_bench.report.difference import differing
from spin_bench.report.made import made_line
from spin_bench.report.results import read_results
from spin_bench.report.sweep import swept

CASES = [make_case(i, "real", f"prompt {i}") for i in range(2)]
IMAGES = {"spin": 1, "uni_paint": 1}
VALUES = (None, 5, -1, math.nan, True, "", "../x", "\ud800", "x" * 300, [], ["x"], {}, {"x": "x"}, [[None]], 10**400)
CUTS = (0.0, 0.2, 0.5, 0.9, 0.99)  # where a file breaks off


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hand") / "sound"
    make_folder(folder, CASES, {name: [0] for name in IMAGES}, make_scores(CASES, IMAGES), provenance=PROVENANCE)
    paint(folder, CASES, IMAGES)
    about = json.loads((folder / "about.json").read_text())
    about["failures"], about["reasons"] = {"spin": {CASES[0].id: "no memory"}}, {"lpips": "missing"}
    (folder / "about.json").write_text(json.dumps(about))
    return folder


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "folder"))


def edits(content: Any) -> Iterator[tuple[str, Any]]:
    """Every place of nested JSON, each without it and with every other value in it."""

    def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        if path:
            yield path
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, part in inner:
            yield from places(part, (*path, key))

    for path in places(content):
        for value in ("drop", *VALUES):
            edited = copy.deepcopy(content)
            place = edited
            for key in path[:-1]:
                place = place[key]
            if value == "drop":
                del place[path[-1]]
            else:
                place[path[-1]] = value
            yield f"{'.'.join(map(str, path))} = {value!r:.20}", edited
    yield from ((f"all = {value!r:.20}", value) for value in VALUES)


def digest(folder: Path) -> str:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(str(path).encode() + path.read_bytes() for path in paths)).hexdigest()


def check(folder: Path, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = digest(folder)
    code = main(["report", str(folder)])
    error = capsys.readouterr().err.strip()
    if code == 0:
        assert not error, what
        return
    assert code == 2 and error.startswith("spin-bench: ") and "\n" not in error, (what, error)
    assert "Traceback" not in error and digest(folder) == before, what


@pytest.fixture
def _without_drawing(monkeypatch: pytest.MonkeyPatch):
    """Figures and grid take a second each, and come after everything that could be refused."""
    monkeypatch.setattr(render, "write_figures", lambda *_: [])
    monkeypatch.setattr(render, "write_grid", lambda *_: None)
    monkeypatch.setattr(render, "_remove_others", lambda *_: None)


@pytest.mark.slow
@pytest.mark.usefixtures("_without_drawing")
@pytest.mark.parametrize("name", ["about.json", "format.json"])
def test_every_edit_of_a_json_file(name: str, folder: Path, sound: Path, capsys: pytest.CaptureFixture[str]):
    content = json.loads((sound / name).read_text())
    for what, edited in edits(content):
        (folder / name).write_text(json.dumps(edited))
        check(folder, f"{name}: {what}", capsys)


@pytest.mark.slow
def test_every_edit_of_the_provenance(folder: Path, sound: Path):
    """What the page's foot, `diff` and `sweep` read of it."""
    before = read_results(sound)
    refused = 0
    for what, edited in edits(PROVENANCE):
        (folder / "provenance.json").write_text(json.dumps(edited))
        try:
            results = read_results(folder)
            made_line(results.provenance).encode()
            differing(before.provenance, results.provenance)
            swept([before, results])
        except UserError as error:
            assert "\n" not in str(error), what
            refused += "provenance.json cannot be read" in str(error)
    assert refused > 100


@pytest.mark.usefixtures("_without_drawing")
@pytest.mark.parametrize("name", ["about.json", "provenance.json", "format.json", "cost.csv", "scores.parquet"])
def test_a_file_that_breaks_off_is_none_or_is_gone(
    name: str, folder: Path, sound: Path, capsys: pytest.CaptureFixture[str]
):
    whole = (sound / name).read_bytes()
    for cut in CUTS:
        (folder / name).write_bytes(whole[: int(cut * len(whole))])
        check(folder, f"{name} cut at {cut}", capsys)
    (folder / name).write_bytes(b"\xff\xfe\x00" + whole)
    check(folder, f"{name} of bytes", capsys)
    (folder / name).unlink()
    assert main(["report", str(folder)]) == 2


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("method", ("x", "uni_paint")),
        ("images", ("x", "", "1.5", "-1")),
        ("seconds_per_image", ("x", "", "-1", "inf", "0", "1e400")),
        ("peak_memory_mb", ("x", "-1", "inf")),
    ],
)
def test_every_edit_of_the_costs(
    column: str, values: tuple[str, ...], folder: Path, capsys: pytest.CaptureFixture[str]
):
    costs = pd.read_csv(folder / "cost.csv").astype(object)
    for value in values:
        edited = costs.copy()
        edited.loc[0, column] = value
        edited.to_csv(folder / "cost.csv", index=False)
        check(folder, f"{column} = {value}", capsys)
    costs.drop(columns=column).to_csv(folder / "cost.csv", index=False)
    assert main(["report", str(folder)]) == 2


def test_a_folder_of_another_format_or_with_a_spoilt_picture_is_refused(
    folder: Path, sound: Path, capsys: pytest.CaptureFixture[str]
):
    (folder / "format.json").write_text('{"format": 99}')
    assert main(["report", str(folder)]) == 2 and "99" in capsys.readouterr().err
    shutil.copy(sound / "format.json", folder)
    picture = folder / "images" / "spin" / CASES[0].id / "0.png"
    for content in (b"", picture.read_bytes()[:40], b"no picture"):
        picture.write_bytes(content)
        before = digest(folder)
        assert main(["report", str(folder)]) == 2 and digest(folder) == before
        assert capsys.readouterr().err.count("\n") == 1
