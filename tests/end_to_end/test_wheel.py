"""What the wheel installs, and that an installed package never reads a stranger's folders."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what the wheel installs, and beside it folders of somebody else's."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    site = folder / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    wheel.unlink()
    for name in ("conf", "baselines"):
        (site / name).mkdir()
    (site / "conf" / "config.yaml").write_text("experiment_name: a stranger's\n")
    (site / "baselines" / "oracle.py").write_text("raise RuntimeError('a stranger')\n")
    return site


def in_wheel(site: Path, code: str) -> str:
    """What `code` prints where the wheel is what is installed, away from the checkout."""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=site.parent, env=environment, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_it_installs_one_package(site: Path):
    installed = {path.name for path in site.iterdir()} - {"conf", "baselines"}
    assert {name for name in installed if not name.endswith(".dist-info")} == {"spin_bench"}


def test_training_stays_behind(site: Path):
    assert not list((site / "spin_bench").rglob("train_*.py"))


def test_its_configuration_is_its_own(site: Path):
    code = "from spin_bench.config.words import config_folder; print(config_folder())"
    assert in_wheel(site, code) == str(site / "spin_bench" / "conf")


def test_its_baselines_are_its_own(site: Path):
    code = "from spin_bench.methods.baselines import oracle; print(oracle.__file__)"
    assert in_wheel(site, code) == str(site / "spin_bench" / "methods" / "baselines" / "oracle.py")
