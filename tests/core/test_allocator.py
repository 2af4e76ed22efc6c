"""glibc is told to keep memory, in the process itself; elsewhere, and where the user has a say, nothing happens."""

import platform
import resource

import pytest
import torch

from spin_bench.core.allocator import SETTINGS, keep_memory

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the settings are glibc's")


@glibc
def test_large_tensors_are_not_mapped_anew() -> None:
    def faults() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(20):
            torch.ones(2**22)  # 16 MiB, 4096 pages
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    keep_memory()
    faults()  # the heap grows once
    assert faults() < 4096


@glibc
def test_what_the_user_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MALLOC_TOP_PAD_", "1")
    assert keep_memory() == ["MALLOC_MMAP_MAX_", "MALLOC_TRIM_THRESHOLD_"]


def test_other_allocators_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert keep_memory() == []
