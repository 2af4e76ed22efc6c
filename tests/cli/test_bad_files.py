"""Bad files and folders: every command refuses them in one line, and leaves them as they were."""

import shlex
from pathlib import Path

import pytest
from PIL import Image
from surroundings import expect_refusal

NUMBERS = "method_a,method_b,case,choice\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of somebody's, full of what is nearly ours."""
    root = tmp_path_factory.mktemp("somebody's [files]")
    files = {
        "notes.txt": "mine",
        "half.tmp": "mine",
        "text.png": "no picture",
        "empty.csv": "",
        "words.csv": "one,two\n1,2\n",
        "votes.csv": NUMBERS + "spin,oracle\n",
        "binary.csv": "\x00\x01\x02",
        "empty_results/about.json": "",
        "list_results/about.json": "[]",
        "null_results/about.json": "null",
        "cut_results/about.json": '{"title": "x", "notes": [',
        "bare_results/about.json": "{}",
        "bad_format/about.json": "{}",
        "bad_format/format.json": "{",
        "new_store/format.json": '{"format": 99, "kind": "store"}',
        "word_store/format.json": "store",
        "results/mini/mini/taken/index.html": "a page of mine",
        "runs/mini/mini/table1/run.json": "no run",
        "pictures/real-0001.png": "no picture",
        "unnamed/cat.png": "no picture",
        "checkpoint.pt": "no checkpoint",
        "data/Real-Real/readme.txt": "mine",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for name in ("empty", "list", "null", "cut", "bare"):
        (root / f"{name}_results" / "format.json").write_text('{"format": 1}')
    (root / "nothing").mkdir()
    Image.new("RGB", (3, 3)).save(root / "picture.png")
    return root


# Words as a shell reads them -> what the line has to say.
TABLE = {
    "report notes.txt": "notes.txt",
    "report nothing": "is no results folder",
    "report picture.png": "picture.png",
    "report empty_results": "about.json",
    "report list_results": "about.json",
    "report null_results": "about.json",
    "report cut_results": "about.json",
    "report bare_results": "about.json",
    "report bad_format": "bad_format",
    "report nothing nowhere": "is no results folder",
    "diff nothing nothing": "is no results folder",
    "diff empty_results list_results": "about.json",
    "diff notes.txt picture.png": "notes.txt",
    "diff cut_results nothing": "about.json",
    "sweep nothing": "results folders",
    "sweep notes.txt words.csv": "notes.txt",
    "sweep empty_results list_results": "about.json",
    "sweep cut_results cut_results": "two results folders",
    "votes empty.csv": "empty.csv",
    "votes words.csv": "words.csv",
    "votes votes.csv": "votes.csv",
    "votes binary.csv": "binary.csv",
    "votes picture.png": "picture.png",
    "votes nothing": "takes the CSV files",
    "votes words.csv words.csv": "words.csv",
    "store ls --store-dir nothing": "nothing",
    "store ls --store-dir new_store": "99",
    "store ls --store-dir word_store": "word_store",
    "store ls --store-dir notes.txt": "notes.txt",
    "store ls --store-dir .": "not a store of ours",
    "store gc --store-dir .": "not a store of ours",
    "store gc --store-dir . --unused": "not a store of ours",
    "store gc --store-dir new_store": "99",
    "store gc --store-dir nothing --unused": "nothing",
    "store verify --store-dir .": "not a store of ours",
    "store verify --store-dir new_store": "99",
    "store verify --store-dir results": "not a store of ours",
    "store export --store-dir . --to nothing": "not a store of ours",
    "store export --store-dir new_store --to nothing": "99",
    "score --images notes.txt": "no such folder",
    "score --images nothing": "no picture is named after a case",
    "score --images unnamed": "no picture is named after a case",
    "score --images pictures experiment_name=..": "is no name of a folder",
    "convert --source checkpoint.pt --target nothing": "checkpoint.pt",
    "convert --source nothing": "nothing",
    "validate dataset=tficon dataset.root=nothing": "nothing",
    "validate dataset=tficon dataset.root=notes.txt": "notes.txt",
    "validate dataset=tficon dataset.root=data": "data",
    "validate dataset=tficon dataset.root=nowhere": "nowhere",
    "fold experiment_name=taken dataset=tficon dataset.root=nothing": "no entries under nothing",
    "run experiment_name=taken dataset=tficon dataset.root=nothing": "no entries under nothing",
    "dataset=tficon dataset.root=nothing results_dir=elsewhere": "nothing",
    "results_dir=notes.txt 'methods=[copy_paste]'": "notes.txt",
    "results_dir=runs": "run.json",
}


@pytest.mark.parametrize(("line", "message"), TABLE.items(), ids=list(TABLE))
def test_bad_files_are_one_line(
    line: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert message in expect_refusal(shlex.split(line), folder, capsys)
