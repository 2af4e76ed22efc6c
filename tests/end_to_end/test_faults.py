"""Disks that are full or read-only, bits that flip, lines that tear: reported, and healed or refused."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_runs import fake_run, journal_of, pictures, table

from spin_bench.cli.exit_codes import BAD_INPUT, SOME_FAILED
from spin_bench.cli.main import main
from spin_bench.models.stack import Stack
from spin_bench.run.painting import generate
from spin_bench.run.plan import plan
from spin_bench.run.prepare import Run
from spin_bench.run.work import work


def _mount(folder: Path, *options: str) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True).returncode == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of its own, of 128 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not _mount(folder, "size=128k"):
        # Only root may mount, and no quota of an ordinary user fills up with the error of a full disk.
        pytest.skip("this user may not mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def whole(benchmark_root: Path, tmp_path: Path, stack: Stack) -> Run:
    run = fake_run(benchmark_root, tmp_path / "whole", stack)
    work(run)
    return run


def _flip(path: Path) -> None:
    """One bit, leaving the file's size and time as they were."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_full_disk_ends_the_run_and_loses_nothing(benchmark_root: Path, disk: Path, stack: Stack, whole: Run):
    run = fake_run(benchmark_root, whole.settings.results_dir.parent / "small", stack, f"store_dir={disk}")
    with pytest.raises(OSError, match="No space left on device"):
        work(run)
    assert not list(disk.rglob("*.tmp"))
    kept = pictures(fake_run(benchmark_root, run.settings.results_dir, stack, f"store_dir={disk}"))
    assert 0 < len(kept) < 16
    assert _mount(disk, "remount", "size=8m")
    again = fake_run(benchmark_root, run.settings.results_dir, stack, f"store_dir={disk}")
    before = len(journal_of(again).events(("paint",)))
    work(again)
    assert len(journal_of(again).events(("paint",))) - before == 16 - len(kept)
    assert table(again) == table(whole)


def test_a_disk_that_turned_read_only_is_one_line_before_anything_is_painted(
    benchmark_root: Path, disk: Path, capsys: pytest.CaptureFixture
):
    (disk / "store").mkdir()
    (disk / "store" / "format.json").write_text('{"format":2}')
    assert _mount(disk, "remount", "ro")
    words = [f"dataset.root={benchmark_root}", f"results_dir={disk}", "methods=[copy_paste]", "metrics=[psnr_bg]"]
    assert main(words) == BAD_INPUT
    error = capsys.readouterr().err.strip()
    assert "Read-only file system" in error
    assert str(disk) in error
    assert "\n" not in error


def test_a_folder_that_cannot_be_made_is_one_line(benchmark_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    (tmp_path / "file").write_text("in the way")
    words = [f"dataset.root={benchmark_root}", f"results_dir={tmp_path / 'file'}", "methods=[copy_paste]"]
    assert main([*words, "metrics=[psnr_bg]"]) == BAD_INPUT
    assert "Not a directory" in capsys.readouterr().err


def test_a_bit_that_flips_before_scoring_is_painted_again(
    benchmark_root: Path, tmp_path: Path, stack: Stack, whole: Run, caplog: pytest.LogCaptureFixture
):
    run = fake_run(benchmark_root, tmp_path / "flipped", stack)
    generate(run, plan(run))
    _flip(run.store.stored(run.keys["first"], run.cases[1], 0).path)
    work(run)
    assert "altered since it was written, will be painted again" in caplog.text
    assert len(journal_of(run).events(("paint",))) == 17
    assert table(run) == table(whole)
    assert pictures(run) == pictures(whole)


def test_verify_finds_a_flipped_bit_and_the_run_heals_it(
    benchmark_root: Path, tmp_path: Path, stack: Stack, whole: Run, capsys: pytest.CaptureFixture
):
    run = fake_run(benchmark_root, tmp_path / "flipped", stack)
    work(run)
    path = run.store.stored(run.keys["second"], run.cases[0], 1).path
    _flip(path)
    words = ["store", "verify", f"results_dir={tmp_path / 'flipped'}"]
    assert main(words) == SOME_FAILED
    assert f"{path}: altered since it was written" in capsys.readouterr().out
    again = fake_run(benchmark_root, tmp_path / "flipped", stack)
    assert sum(len(job.missing) for job in plan(again)) == 1
    work(again)
    assert table(again) == table(whole)
    assert main(words) == 0
    assert "16 pictures, all as they were written" in capsys.readouterr().out


def _lines(folder: Path) -> int:
    return sum(len(shard.read_bytes().splitlines()) for shard in folder.rglob("*.jsonl"))


@pytest.mark.parametrize("lost", [1, 40])
def test_a_torn_line_costs_what_it_said(
    benchmark_root: Path, tmp_path: Path, stack: Stack, whole: Run, lost: int, caplog: pytest.LogCaptureFixture
):
    run = fake_run(benchmark_root, tmp_path / "torn", stack)
    work(run)
    for shard in (tmp_path / "torn").rglob("*.jsonl"):
        shard.write_bytes(shard.read_bytes()[:-lost])
    again = fake_run(benchmark_root, tmp_path / "torn", stack)
    before, lines = len(journal_of(again).events(("score",))), _lines(tmp_path / "torn")
    work(again)
    assert "its last line is torn and ignored" in caplog.text
    assert len(journal_of(again).events(("score",))) - before == 4  # each metric once, over the pictures of both lines
    assert _lines(tmp_path / "torn") - lines == 2  # the last case of each method
    assert len(journal_of(again).events(("paint",))) == 16
    assert table(again) == table(whole)
