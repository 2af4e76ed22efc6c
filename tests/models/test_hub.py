"""Download, doctor and a run through a hub on localhost."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import COMMIT, Hub, served
from huggingface_hub import constants
from rich.console import Console
from small_repository import BASE, INPAINT, write_repositories

from spin_bench.cli.main import main
from spin_bench.core.errors import UserError
from spin_bench.models.hub.client import HubFile, fetched
from spin_bench.models.hub.fetch import fetch_checked

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_repositories(tmp_path_factory.mktemp("repositories"))


@pytest.fixture
def hub(repositories: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub, and this process told of it as HF_ENDPOINT and HF_HOME would at its start."""
    with served(Hub(dict(repositories))) as hub:
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, hub.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        yield hub


def _stack(tmp_path: Path, *more: str) -> list[str]:
    """SD 1.4's stack with the small repositories in place of its own, and nothing that only the real hub has."""
    chosen = {"diffusion": BASE, "revision": COMMIT, "inpaint": INPAINT, "inpaint_revision": COMMIT}
    chosen |= dict.fromkeys(("powerpaint", "pixel", "clip", "guide", "lpips_net", "layout"), "''")
    chosen |= {"canvas": "128", "lock": str(tmp_path / "lock.json"), "device": "cpu"}
    return ["stack=sd14", *(f"stack.{name}={value}" for name, value in chosen.items()), *more]


def _said(capsys: pytest.CaptureFixture) -> str:
    error = capsys.readouterr().err.strip().splitlines()
    return error[-1] if error else ""


def test_download_gets_everything_once_and_writes_it_down(hub: Hub, tmp_path: Path, capsys):
    assert main(["download", *_stack(tmp_path)]) == 0
    lock = json.loads((tmp_path / "lock.json").read_text())
    assert len(lock) == 13
    path = hub.repositories[BASE] / WEIGHTS
    entry = lock[f"{BASE}/{WEIGHTS}"]
    assert entry["revision"] == COMMIT
    assert entry["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert entry["size"] == path.stat().st_size
    sent = dict(hub.sent)
    assert main(["download", *_stack(tmp_path)]) == 0
    assert dict(hub.sent) == sent  # nothing was fetched twice
    assert json.loads((tmp_path / "lock.json").read_text()) == lock


def test_a_cut_connection_goes_on_where_it_was_cut(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    size = (hub.repositories[BASE] / WEIGHTS).stat().st_size
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 4096)  # the real one is larger than this file
    hub.cut[WEIGHTS] = size // 2
    assert main(["download", *_stack(tmp_path)]) == 0
    (resumed,) = hub.ranges
    first = int(resumed.removeprefix(f"{WEIGHTS} from "))
    assert size // 2 - 4096 < first <= size // 2
    assert hub.sent[WEIGHTS] == size // 2 + size - first


def test_a_byte_that_is_flipped_on_the_way_is_named(hub: Hub, tmp_path: Path, capsys):
    hub.flipped.add(WEIGHTS)
    assert main(["download", *_stack(tmp_path)]) == 2
    said = _said(capsys)
    assert f"{BASE}/{WEIGHTS}: SHA-256 is " in said
    assert "also when fetched again" in said
    hub.flipped.clear()
    assert main(["download", *_stack(tmp_path)]) == 0  # the altered file is not kept


def test_a_byte_that_is_flipped_in_the_cache_is_mended(hub: Hub, tmp_path: Path, capsys):
    assert main(["download", *_stack(tmp_path)]) == 0
    (path,) = (tmp_path / "cache").rglob(f"snapshots/*/{WEIGHTS}")
    whole = path.read_bytes()
    path.resolve().write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert main(["doctor", "verify=true", *_stack(tmp_path)]) == 2
    assert "altered" in capsys.readouterr().out
    assert main(["download", *_stack(tmp_path)]) == 0
    assert path.read_bytes() == whole


def test_a_known_hash_is_the_law(hub: Hub):
    """Though the hub itself says that all is well."""
    wrong = HubFile("unet", BASE, COMMIT, WEIGHTS, sha256="0" * 64)
    with pytest.raises(UserError, match=f"not {'0' * 64}, also when fetched again"):
        fetch_checked(wrong, Console())


def test_a_lock_file_pins_what_the_stack_does_not(hub: Hub, tmp_path: Path, capsys):
    loose = _stack(tmp_path, "stack.revision=''")
    assert main(["download", *loose]) == 0
    assert json.loads((tmp_path / "lock.json").read_text())[f"{BASE}/{WEIGHTS}"]["revision"] == COMMIT
    path = hub.repositories[BASE] / "vae" / "config.json"
    before = path.read_bytes()
    try:
        path.write_bytes(before + b"\n")  # another commit would be; the cache is asked first
        assert main(["doctor", *loose]) == 0
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize(
    ("spoil", "more", "message"),
    [
        (lambda hub: hub.gated.add(BASE), (), "gated: accept its licence"),
        (lambda hub: hub.repositories.pop(BASE), (), "no such repository, or a private one"),
        (lambda hub: None, (f"stack.revision={'a' * 40}",), f"no revision {'a' * 40}"),
        (lambda hub: None, ("stack.inpaint_variant=''",), "unet/diffusion_pytorch_model.fp16.safetensors is: set the"),
        (lambda hub: None, ("stack.clip=ViT-L-15",), "unknown stack.clip 'ViT-L-15': did you mean 'ViT-L-14'"),
    ],
)
def test_what_cannot_be_had_is_one_line(hub: Hub, tmp_path: Path, capsys, spoil, more, message: str):
    spoil(hub)
    assert main(["download", *_stack(tmp_path, *more)]) == 2
    assert message in _said(capsys)


def test_a_repository_of_pickles_is_refused(hub: Hub, tmp_path: Path, capsys):
    pickled = tmp_path / "pickled"
    (pickled / "unet").mkdir(parents=True)
    (pickled / "unet" / "config.json").write_text("{}")
    (pickled / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    hub.repositories[INPAINT] = pickled
    assert main(["download", *_stack(tmp_path)]) == 2
    assert "only pickles are (unet/diffusion_pytorch_model.bin): refused" in _said(capsys)
    assert hub.sent["unet/diffusion_pytorch_model.bin"] == 0


def test_doctor_says_what_is_missing_and_what_does_not_fit(hub: Hub, tmp_path: Path, capsys):
    assert main(["doctor", *_stack(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert "13 of 13 files are missing" in captured.err
    assert main(["download", *_stack(tmp_path)]) == 0
    assert main(["doctor", *_stack(tmp_path)]) == 0
    assert "text_encoder/model.safetensors" in capsys.readouterr().out
    # the four-channel UNet where the inpainting one should be
    swapped = _stack(tmp_path, f"stack.inpaint={BASE}", "stack.inpaint_variant=''")
    assert main(["doctor", *swapped]) == 2
    assert "the inpainting UNet reads 4 channels, not 9" in capsys.readouterr().out


def test_a_run_fetches_what_it_needs_and_the_next_one_needs_no_hub(
    repositories: dict[str, Path], benchmark_root: Path, tmp_path: Path
):
    """The real command, told where the hub is by its own variables."""
    paint = ["experiment=table1", "methods=[blended_latent_diffusion,sd_inpaint]", "metrics=[mse_bg]", "limit=1"]
    paint += ["steps=1", "samples=1", f"dataset.root={benchmark_root}", *_stack(tmp_path)]
    environment = {**os.environ, "HF_HOME": str(tmp_path / "home")}
    with served(Hub(dict(repositories))) as hub:
        said = _run({**environment, "HF_ENDPOINT": hub.url}, *paint, f"results_dir={tmp_path / 'first'}")
        assert hub.sent[WEIGHTS] > 0
    assert "2 images to paint" in said
    offline = {**environment, "HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}  # where nobody answers
    _run(offline, *paint, f"results_dir={tmp_path / 'second'}")
    tables = [tmp_path / name / "sd14" / "mini" / "table1" / "table.csv" for name in ("first", "second")]
    assert tables[0].read_bytes() == tables[1].read_bytes()


def _run(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "spin_bench", *arguments], env=environment, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize(
    ("name", "header"),
    [("unet/config.json", "ETag"), ("unet/config.json", "X-Repo-Commit"), ("unet/absent.json", "X-Repo-Commit")],
)
@pytest.mark.parametrize("value", ["../../../../../escaped", "/tmp/escaped", "..", "a/b"])
def test_a_hub_that_answers_with_a_path_is_refused_before_anything_is_written(
    hub: Hub, tmp_path: Path, name: str, header: str, value: str
):
    hub.headers[header] = value if header == "X-Repo-Commit" else f'"{value}"'
    with pytest.raises(
        UserError, match=rf"{name}: refused, the hub answers with {header} '.*': check HF_ENDPOINT"
    ) as e:
        fetched(HubFile("unet", BASE, "", name))
    assert "\n" not in str(e.value)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
