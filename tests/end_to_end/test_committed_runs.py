"""A committed run is still what its experiment file makes: its store serves the code of today."""

import json
from pathlib import Path

import pytest

from spin_bench.config.compose import compose
from spin_bench.config.settings import run_settings
from spin_bench.core.identity import canonical
from spin_bench.methods.registry import methods
from spin_bench.metrics.registry import METRICS

COMMITTED = Path(__file__).parents[2] / "results" / "reference" / "mini" / "mini"


@pytest.mark.parametrize("folder", sorted(COMMITTED.glob("*/run.json")), ids=lambda path: path.parent.name)
def test_the_settings_that_name_a_committed_run_have_not_moved(folder: Path):
    committed = json.loads(folder.read_text())
    composed = run_settings(compose([f"experiment={folder.parent.name}"]), methods(), METRICS).methods
    assert set(composed) == set(committed["keys"])
    for name, settings in composed.items():
        assert json.loads(canonical(settings)) == committed["settings"][name], name
