"""A digest of code follows what the code says and what it imports, and nothing else."""

import sys
from pathlib import Path

import pytest

from spin_bench.core.source import bare, source_digest

HELP = "def double(x):\n    return 2 * x\n"
PAINT = '''"""Paint."""
from my_code.help import double


def paint(x):
    """Says what."""
    return double(x)  # why
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "my_code"
    (folder / "deep").mkdir(parents=True)
    for name, text in {
        "__init__": "",
        "help": HELP,
        "paint": PAINT,
        "deep/__init__": "",
        "deep/other": "X = 1\n",
    }.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_code"]:
        monkeypatch.delitem(sys.modules, name)
    return folder


def _digest(*, within: tuple[str, ...] = ("my_code",)) -> str:
    return source_digest(["my_code.paint"], within=within)


def test_code_counts_and_what_is_said_about_it_does_not(package: Path):
    before = _digest()
    (package / "paint.py").write_text(
        PAINT.replace("Says what.", "Says\n    more.\n").replace("# why", "# because") + "\n\n"
    )
    assert _digest() == before
    (package / "paint.py").write_text(PAINT.replace("double(x)  #", "double(x) + 1  #"))
    assert _digest() != before


@pytest.mark.parametrize(
    "line",
    [
        "from my_code.help import double",
        "from my_code import help",
        "import my_code.help",
        "from .help import double",
        "from . import help",
        "def late():\n    from my_code.help import double",
    ],
)
def test_an_imported_module_counts_however_it_is_imported(line: str, package: Path):
    (package / "paint.py").write_text(f"{line}\n")
    before, outside = _digest(), _digest(within=())
    (package / "deep" / "other.py").write_text("X = 2\n")
    assert _digest() == before  # nobody imports it
    (package / "help.py").write_text(HELP.replace("2", "3"))
    assert _digest() != before
    assert _digest(within=()) == outside


def test_imports_are_followed_on_and_round(package: Path):
    (package / "help.py").write_text("from my_code.deep import other\nfrom my_code import paint\n")
    before = _digest()
    (package / "deep" / "other.py").write_text("X = 2\n")
    assert _digest() != before


def test_what_has_no_source_counts_by_its_name():
    assert source_digest(["nowhere.at_all"], within=()) != source_digest(["nowhere.else"], within=())
    assert len(source_digest(["builtins"], within=())) == 64


def test_bare_keeps_strings_that_are_no_docstrings():
    text = 'X = """a # b"""\n\n\nclass A:\n    """Doc\n    string."""\n\n    y = "# no comment"  # one\n'
    assert bare(text) == 'X = """a # b"""\nclass A:\n    y = "# no comment"'
