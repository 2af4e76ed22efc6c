"""Variants of a method: rows of their own, results shared with the method's."""

import re
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from spin_bench.cli.experiment import run_experiment
from spin_bench.config.compose import compose
from spin_bench.config.settings import RunSettings, run_settings
from spin_bench.core.errors import UserError
from spin_bench.methods.registry import methods
from spin_bench.metrics.registry import METRICS

ROWS = "{segmented: {title: cut out, segmented: true}, same: {}}"


def _settings(*overrides: str) -> RunSettings:
    return run_settings(compose(list(overrides)), methods(), METRICS)


def test_a_variant_is_its_method_with_some_settings_changed():
    settings = _settings(
        "methods=[spin,copy_paste]",
        "settings.spin.embedding.lr=1e-3",
        "+variants.spin={no_filter: {embedding: {saliency: none}}}",
    )
    assert list(settings.methods) == ["spin", "no_filter", "copy_paste"]
    spin, variant = settings.methods["spin"], settings.methods["no_filter"]
    assert variant.embedding.saliency == "none"
    assert variant.embedding.lr == spin.embedding.lr == 1e-3
    assert settings.variants["no_filter"].title == "no filter"
    assert "no filter: embedding.saliency=none (default learned): set for this run" in settings.deviations


def test_a_variant_goes_over_what_the_stack_overrides():
    settings = _settings("stack=sd14", "methods=[spin]", "+variants.spin={own: {embedding: {saliency: learned}}}")
    assert settings.methods["spin"].embedding.saliency == "reference_mask"
    assert settings.methods["own"].embedding.saliency == "learned"


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        ("{spin: {oracle: {}}}", "variants.spin.oracle: the name is taken"),
        ("{spun: {}}", "unknown method in variants 'spun': did you mean 'spin'"),
        ("{spin: {a: {stepz: 3}}}", "unknown setting 'variants.spin.a.stepz': did you mean 'variants.spin.a.steps'"),
        ("{spin: {a: {embedding: 3}}}", "variants.spin.a.embedding=3: must be a mapping"),
    ],
)
def test_a_wrong_variant_is_said_in_one_line(variants: str, message: str):
    with pytest.raises(UserError, match=re.escape(message)):
        _settings("methods=[spin]", f"+variants={variants}")


def test_variants_are_rows_and_equal_settings_are_painted_once(tmp_path: Path):
    config = compose(
        [
            "methods=[copy_paste]",
            f"+variants.copy_paste={ROWS}",
            "metrics=[lpips_bg,judge_i_crop]",
            "limit=2",
            "stack.device=cpu",
            f"results_dir={tmp_path}",
        ]
    )
    assert run_experiment(config, Console(quiet=True)) == 0
    folder = tmp_path / "mini" / "mini" / "table1"
    table = (folder / "table.md").read_text()
    assert "| cut out " in table
    assert "cut out: segmented=True (default False)" in table
    pairs = pd.read_csv(folder / "paired.csv").set_index(["method_a", "method_b", "metric"])
    assert pairs.loc[("copy_paste", "same", "judge_i_crop"), "diff"] == 0
    assert pairs.loc[("copy_paste", "segmented", "judge_i_crop"), "diff"] != 0
    keys = [path for path in (tmp_path / "store").iterdir() if (path / "settings.json").exists()]
    assert len(keys) == 2
