"""What the tests share: the shipped stack, a few cases of the embedded benchmark, a small network."""

from pathlib import Path

import pytest
import torch
from stand_ins import with_stand_ins
from tficon_folder import CAT, DOG, add_entry

from spin_bench.core.case import Case
from spin_bench.datasets.tficon import load_case, scan
from spin_bench.mini.benchmark import write_case
from spin_bench.models.config import StackConfig
from spin_bench.models.loading.load import load_stack
from spin_bench.models.stack import Stack
from spin_bench.store.artefacts import Artefacts

CASES = (("real", 1), ("real", 2), ("real", 3), ("sketch", 0))


@pytest.fixture(scope="session")
def stack() -> Stack:
    return with_stand_ins(load_stack(StackConfig(name="mini", canvas=64, device="cpu")))


@pytest.fixture(scope="session")
def benchmark_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("benchmark")
    for domain, index in CASES:
        write_case(root, domain, index)
    return root


@pytest.fixture(scope="session")
def cases(benchmark_root: Path) -> list[Case]:
    return [load_case(entry, 64) for entry in scan(benchmark_root).entries]


@pytest.fixture
def artefacts(tmp_path: Path) -> Artefacts:
    return Artefacts(tmp_path / "artefacts")


@pytest.fixture(scope="session")
def small_unet():
    """A UNet2DConditionModel of random weights: good for arithmetic, not for pictures."""
    from diffusers import UNet2DConditionModel  # after spin_bench, which lets torchvision be imported

    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(16, 32),
        layers_per_block=1,
        attention_head_dim=2,
        cross_attention_dim=12,
        norm_num_groups=8,
    ).eval()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two sound TF-ICON entries, of different domains, in the released layout."""
    for seed, where in enumerate((CAT, DOG)):
        add_entry(tmp_path / where, seed)
    return tmp_path


SLOW_FIXTURES = {"stack", "small_unet", "benchmark_root", "cases"}  # they load models, or render cases
SLOW_ROOMS = ("training", "end_to_end")
SLOW_FILES = {  # start processes, compose hundreds of times, or import every model library
    *(
        "test_cli.py",
        "test_sweep.py",
        "test_bad_words.py",
        "test_bad_files.py",
        "test_file_commands.py",
        "test_help.py",
    ),
    *("test_precedence.py", "test_registry.py", "test_metric_registry.py", "test_reference_implementations.py"),
    *("test_hub.py", "test_fold_size.py", "test_passes.py", "test_devices.py", "test_hand_edits.py"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what loads a model, or runs the whole command; `make quick` leaves it out."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        place = item.path
        if fixtures & SLOW_FIXTURES or place.parent.name in SLOW_ROOMS or place.name in SLOW_FILES:
            item.add_marker(pytest.mark.slow)
