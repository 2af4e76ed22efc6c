"""The page of Spin is filled from results, and from nothing else."""

from pathlib import Path

import pandas as pd
import pytest
import yaml
from ablation_page import END, START, filled, main, measured

from spin_bench.core.errors import UserError
from spin_bench.report.subsets import UNSEEN

PAIRS = ["method_a", "method_b", "metric", "diff", "lo", "hi", "p", "p_holm", "win_rate", "n"]
VARIANTS = {
    "wide": {"title": "wider", "style_strength": 0, "text": "", "embedding": {"dilation": 1, "soft_saliency": True}},
    "late": {"title": "later", "style_start": 0.5},
}


@pytest.fixture(autouse=True)
def checkout(monkeypatch: pytest.MonkeyPatch):
    """The page is filled from the checkout."""
    monkeypatch.chdir(Path(__file__).parents[2])


@pytest.fixture
def experiments(tmp_path: Path) -> Path:
    folder = tmp_path / "experiment"
    folder.mkdir()
    (folder / "ablation_toy.yaml").write_text(yaml.safe_dump({"variants": {"spin": VARIANTS}}, sort_keys=False))
    return folder


def test_without_results_there_are_dashes(experiments: Path, tmp_path: Path):
    text = measured(experiments, tmp_path)
    assert "`spin-bench experiment=ablation_toy`: not measured yet." in text
    row = next(line for line in text.splitlines() if "wider" in line)
    assert '`style_strength=0 text="" embedding.dilation=1 embedding.soft_saliency=true`' in row
    assert [cell.strip() for cell in row.split("|")[3:-2]] == ["–"] * 8


def test_differences_say_variant_minus_default(experiments: Path, tmp_path: Path):
    folder = tmp_path / "ablation_toy"
    folder.mkdir()
    rows = [
        ("spin", "wide", "clip_i_crop", 0.1, 0.05, 0.15, 0.01, 0.02, 0.9, 48),
        ("spin", "late", "clip_i_crop", -0.01, -0.03, 0.01, 0.4, 0.4, 0.4, 48),
        ("wide", "late", "clip_i_crop", -0.11, -0.2, -0.1, 0.01, 0.01, 0.1, 48),
    ]
    pd.DataFrame(rows, columns=PAIRS).to_csv(folder / "paired.csv", index=False)
    means = {"method": ["spin", "wide"], "metric": ["clip_i_crop"] * 2, "mean": [0.7, 0.8], "n": [48, 48]}
    pd.DataFrame(means).to_csv(folder / "table.csv", index=False)
    deviations = "- Deviation: Spin: steps=25 (default 50): set for this run\n- Deviation: later: style_start=0.5: x\n"
    (folder / "table.md").write_text(f"# toy\n\nn = 48 cases (real 48); images per case: 2\n\n{deviations}")
    text = measured(experiments, tmp_path)
    assert "n = 48 cases (real 48); images per case: 2; steps=25 (default 50)." in text
    assert "style_start=0.5: x" not in text
    lines = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| ")}
    assert "**-0.100 [-0.150, -0.050]**" in lines["wider"]
    assert "| 0.010 [-0.010, 0.030] |" in " ".join(lines["later"].split())
    cells = {name: [cell.strip() for cell in line.split("|")[2:-1]] for name, line in lines.items()}
    assert cells["Spin"] == ["the default: means", "0.700", *["–"] * 7, "48"]
    assert cells["wider"][-1] == cells["later"][-1] == "48"


def test_unseen_objects_have_a_table_of_their_own(experiments: Path, tmp_path: Path):
    folder = tmp_path / "ablation_toy"
    folder.mkdir()
    assert "no model was trained on" not in measured(experiments, tmp_path)
    pairs = [
        ("real", "spin", "wide", "clip_i_crop", 0.1, 0.05, 0.15, 0.01, 0.02, 0.9, 30),
        (UNSEEN, "spin", "wide", "clip_i_crop", 0.3, 0.2, 0.4, 0.01, 0.02, 0.9, 7),
    ]
    pd.DataFrame(pairs, columns=["subset", *PAIRS]).to_csv(folder / "subsets_paired.csv", index=False)
    means = {"subset": ["real", UNSEEN], "method": "spin", "metric": "clip_i_crop", "mean": [0.7, 0.6], "n": [30, 7]}
    pd.DataFrame(means).to_csv(folder / "subsets.csv", index=False)
    whole, unseen = measured(experiments, tmp_path).split("Over the objects that no model was trained on:")
    assert "-0.300" not in whole and "-0.100" not in unseen
    assert "**-0.300 [-0.400, -0.200]**" in unseen and "| 0.600 |" in " ".join(unseen.split())


def test_only_what_is_between_the_marks_changes(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{START}\nold\n{END}\nafter\n")
    main([str(tmp_path / "nothing"), str(page)])
    first = page.read_text()
    assert first.startswith(f"before\n{START}\n\n### ablation_blending\n")
    assert first.endswith(f"{END}\nafter\n")
    assert "old" not in first
    main([str(tmp_path / "nothing"), str(page)])
    assert page.read_text() == first
    with pytest.raises(UserError, match="must hold"):
        filled("no marks", "text")


def test_the_page_in_the_repository_holds_the_marks_and_is_up_to_date(tmp_path: Path):
    committed = Path("docs/spin.md").read_text()
    copy = tmp_path / "spin.md"
    copy.write_text(committed)
    main(["results/reference/mini/mini", str(copy)])
    assert copy.read_text() == committed
