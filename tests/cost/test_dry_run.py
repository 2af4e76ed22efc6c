"""What a dry run paints, measures and leaves behind."""

from dataclasses import replace

from rich.console import Console

from spin_bench.cli.main import main
from spin_bench.config.compose import compose
from spin_bench.config.settings import run_settings
from spin_bench.cost.dry_run import dry_run, shortened
from spin_bench.methods.baselines.copy_paste import CopyPasteSettings
from spin_bench.methods.baselines.uni_paint import UniPaintSettings
from spin_bench.methods.registry import methods
from spin_bench.metrics.registry import METRICS
from spin_bench.models.loading.load import load_stack
from spin_bench.spin.painter import SpinSettings


def test_a_dry_run_paints_with_every_method_and_leaves_nothing(benchmark_root, tmp_path, capsys):
    run = ["weights=random", "dry_run=true", "limit=1", "steps=2", "samples=1", f"dataset.root={benchmark_root}"]
    assert main([*run, "methods=[blended_latent_diffusion,copy_paste]", f"results_dir={tmp_path / 'results'}"]) == 0
    said = capsys.readouterr().out
    assert "random weights" in said
    assert "BLD" in said
    assert "copy-paste" not in said  # bounds have nothing to measure
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_times_the_cases_after_the_first(benchmark_root):
    run = ["weights=random", "limit=3", "steps=2", "samples=1", f"dataset.root={benchmark_root}"]
    config = compose([*run, "methods=[blended_latent_diffusion]"])
    known = methods()
    settings = run_settings(config, known, METRICS)
    (found,) = dry_run(settings, load_stack(settings.stack, dry_run=True), known, Console(quiet=True))
    assert found.images == 3
    assert 0 < 2 * found.further < found.seconds
    (alone,) = dry_run(replace(settings, limit=1), load_stack(settings.stack, dry_run=True), known, Console(quiet=True))
    assert (alone.images, alone.further) == (1, None)


def test_a_dry_run_cuts_optimisations_to_its_steps():
    assert shortened(SpinSettings(steps=2)).embedding.iterations == 2
    assert shortened(UniPaintSettings(steps=3)).iterations == 3
    assert shortened(SpinSettings()) == SpinSettings()  # the published protocol is walked whole
    assert shortened(CopyPasteSettings()) == CopyPasteSettings()  # no steps to go by
