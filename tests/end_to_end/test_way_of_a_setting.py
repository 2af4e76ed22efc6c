"""The way of a setting from the command line to its method is short enough to follow."""

import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spin_bench.cli.main import main
from spin_bench.methods.baselines import sd_inpaint

AT_MOST = 6


@pytest.mark.slow
def test_guidance_scale_passes_few_functions_between_the_command_and_the_method(
    benchmark_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    passed: list[tuple[str, str]] = []  # module and name of a function, the method's caller first
    scales: list[float] = []

    def build(settings: Any, stack: Any) -> Callable[..., Any]:
        scales.append(settings.guidance_scale)
        passed.extend((frame.frame.f_globals["__name__"], frame.function) for frame in inspect.stack()[1:])
        return lambda case, seeds: [case.background.copy() for _ in seeds]

    monkeypatch.setattr(sd_inpaint, "METHOD", replace(sd_inpaint.METHOD, build=build, uses=()))
    words = ["methods=[sd_inpaint]", "guidance_scale=3", "limit=1", "samples=1", "metrics=[psnr_bg]"]
    assert main([*words, f"dataset.root={benchmark_root}", f"results_dir={tmp_path}"]) == 0
    assert scales == [3.0]
    between = passed[: passed.index(("spin_bench.cli.run", "run"))]
    ours = [function for module, function in between if module.startswith("spin_bench.")]
    assert 0 < len(ours) <= AT_MOST, ours
