"""The registry of metrics: names without imports, plug-ins, and that no formula is forgotten."""

import pkgutil
import subprocess
import sys
from importlib import import_module
from importlib.metadata import EntryPoint

import pytest

import spin_bench.metrics
from spin_bench.core import registry
from spin_bench.core.errors import UserError
from spin_bench.metrics.metric import CaseMetric, Metric, metric
from spin_bench.metrics.registry import METRICS, metrics

WITHOUT_TORCH = """
import importlib.util, sys, types
package = types.ModuleType("spin_bench")
package.__path__ = importlib.util.find_spec("spin_bench").submodule_search_locations
sys.modules["spin_bench"] = package  # whatever the package itself imports
from spin_bench.metrics.registry import METRICS, metric_names
from spin_bench.metrics.sets import known_distances
assert len(metric_names([*METRICS, "@tficon"])) == len(METRICS) > 40 and known_distances(["kid"])
assert not {"torch", "torchvision", "numpy"} & set(sys.modules)
"""
ONE_ALONE = """
import sys
from spin_bench.metrics.registry import METRICS
assert METRICS["psnr_bg"].unit == "dB" and "torch" in sys.modules
assert "spin_bench.metrics.quality" not in sys.modules
"""


@metric(title="brightness", higher_is_better=None, range=(-1, 1), compares="nothing")
def brightness(batch):
    return batch.images.mean((1, 2, 3))


@pytest.mark.parametrize("script", [WITHOUT_TORCH, ONE_ALONE], ids=["names", "one metric"])
def test_nothing_is_imported_before_it_is_needed(script: str):
    subprocess.run([sys.executable, "-c", script], check=True)


def test_every_formula_is_registered_under_its_own_name():
    names = []
    for module in pkgutil.walk_packages(spin_bench.metrics.__path__, "spin_bench.metrics."):
        values = vars(import_module(module.name)).values()
        names += [value.name for value in values if isinstance(value, Metric | CaseMetric)]
    assert sorted(names) == sorted(METRICS) and all(METRICS[name].name == name for name in METRICS)


def test_a_metric_is_named_like_its_function_and_is_called_like_it():
    assert brightness.name == "brightness" and METRICS["clip_t@tficon"].title == "CLIP-T@tficon"
    with pytest.raises(TypeError, match="better"):
        metric(title="wrong", better=True)(lambda batch: batch)


def _installed(monkeypatch: pytest.MonkeyPatch, **points: str) -> registry.Registry:
    group = [EntryPoint(name, value, "spin_bench.metrics") for name, value in points.items()]
    monkeypatch.setattr(registry, "entry_points", lambda group, _all=tuple(group): list(_all))
    return metrics()


def test_a_plug_in_is_a_metric_like_any_other(monkeypatch: pytest.MonkeyPatch):
    known = _installed(monkeypatch, brightness=f"{__name__}:brightness", clip_t=f"{__name__}:brightness")
    assert "brightness" in known and known["brightness"] is brightness
    assert known["clip_t"] is METRICS["clip_t"] and len(known) == len(METRICS) + 1


def test_a_plug_in_that_cannot_be_used_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch):
    known = _installed(monkeypatch, dark=f"{__name__}:brightness", gone="no_such_module:metric", plain="json:dumps")
    for name, words in (
        ("dark", "calls itself brightness"),
        ("gone", "no_such_module"),
        ("plain", "is no metric but a function"),
    ):
        with pytest.raises(UserError, match=f"metric {name}: .*{words}"):
            known[name]
    with pytest.raises(KeyError):
        known["nothing"]
