"""Which part of the reference counts: backends, shapes, and what happens where a map splits nothing."""

import logging
import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

from spin_bench.core.case import Case
from spin_bench.core.errors import UserError
from spin_bench.models.stack import Stack
from spin_bench.spin import rembg_saliency
from spin_bench.spin.painter import FELL_BACK, spin
from spin_bench.spin.saliency import SALIENCY, saliency_map, splits, usable
from spin_bench.spin.settings import EmbeddingSettings, SpinSettings
from spin_bench.store.artefacts import Artefacts

QUICK = SpinSettings(steps=2, embedding=EmbeddingSettings(iterations=0, saliency="reference_mask"))


def _mask(*boxes: tuple[int, int, int, int]) -> Image.Image:
    mask = Image.new("L", (64, 64))
    for box in boxes:
        mask.paste(255, box)
    return mask


def _with_mask(case: Case, mask: Image.Image) -> Case:
    return replace(case, reference=case.reference.resize((64, 64)), reference_mask=mask)


def test_a_map_is_thresholded_then_pooled_then_grown(stack: Stack, cases: list[Case]):
    case = _with_mask(cases[0], _mask((16, 16, 32, 32), (48, 48, 52, 52)))
    settings = EmbeddingSettings(saliency="reference_mask")
    expected = torch.zeros(16, 16)
    expected[4:8, 4:8] = expected[12, 12] = 1
    assert torch.equal(saliency_map(case, stack, settings)[0, 0], expected)
    expected[3:9, 3:9] = expected[11:14, 11:14] = 1
    assert torch.equal(saliency_map(case, stack, replace(settings, dilation=1))[0, 0], expected)


def test_a_soft_map_is_not_thresholded(stack: Stack, cases: list[Case]):
    soft = saliency_map(cases[0], stack, EmbeddingSettings(soft_saliency=True))
    assert ((soft > 0) & (soft < 1)).any()


@pytest.mark.parametrize(("box", "fell_back"), [((0, 0, 0, 0), True), ((0, 0, 64, 64), True), ((8, 8, 40, 40), False)])
def test_a_map_that_splits_nothing_is_said_and_recorded(
    box: tuple[int, int, int, int],
    fell_back: bool,
    stack: Stack,
    cases: list[Case],
    artefacts: Artefacts,
    caplog: pytest.LogCaptureFixture,
):
    with caplog.at_level(logging.WARNING):
        (picture,) = spin(QUICK, stack.keeping(artefacts))(_with_mask(cases[0], _mask(box)), [1])
    assert picture.info.get(FELL_BACK) == (1.0 if fell_back else None)
    assert ("the whole reference is learned" in caplog.text) == fell_back


def test_what_splits():
    cells = torch.zeros(1, 1, 4, 4)
    assert not splits(cells)
    assert torch.equal(usable(cells), torch.ones(1, 1, 4, 4))
    cells[..., 1, 1] = 1
    assert splits(cells)
    assert torch.equal(usable(cells), cells)
    assert not splits(torch.ones(1, 1, 4, 4))


def test_without_a_filter_nothing_fell_back(stack: Stack, cases: list[Case], artefacts: Artefacts):
    settings = replace(QUICK, embedding=replace(QUICK.embedding, saliency="none"))
    assert FELL_BACK not in spin(settings, stack.keeping(artefacts))(cases[0], [1])[0].info


def test_a_backend_says_what_is_missing(stack: Stack, cases: list[Case], monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UserError, match="no reference mask"):
        SALIENCY["reference_mask"](replace(cases[0], reference_mask=None), stack, EmbeddingSettings())
    bare = replace(stack, loaders=replace(stack.loaders, saliency=None))
    with pytest.raises(UserError, match="no saliency network: set saliency=rembg, reference_mask or none"):
        SALIENCY["learned"](cases[0], bare, EmbeddingSettings())
    monkeypatch.setitem(sys.modules, "rembg", None)
    rembg_saliency._session.cache_clear()
    with pytest.raises(UserError, match=r"pip install 'spin-bench\[rembg\]'"):
        SALIENCY["rembg"](cases[0], stack, EmbeddingSettings())


class _Session:
    """As those of rembg: a mask of the picture's own size."""

    @staticmethod
    def name() -> str:
        return "u2net"

    def predict(self, picture: Image.Image) -> list[Image.Image]:
        return [Image.fromarray((np.asarray(picture)[..., 0] > 127).astype(np.uint8) * 255)]


@pytest.fixture
def rembg(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A stand-in for the package: the real one brings a runtime and downloads models of 170 MB and more."""
    package, sessions = ModuleType("rembg"), ModuleType("rembg.sessions")
    package.new_session = lambda model: _Session()
    sessions.sessions_class = [_Session]
    monkeypatch.setitem(sys.modules, "rembg", package)
    monkeypatch.setitem(sys.modules, "rembg.sessions", sessions)
    rembg_saliency._session.cache_clear()
    yield package
    rembg_saliency._session.cache_clear()


def test_rembg_marks_the_square_reference(rembg: ModuleType, stack: Stack, cases: list[Case]):
    photo = Image.new("RGB", (32, 64), (0, 0, 0))  # half as wide as high: a quarter of the square is added on each side
    photo.paste((255, 0, 0), (0, 32, 32, 64))
    cells = saliency_map(replace(cases[0], reference=photo), stack, EmbeddingSettings(saliency="rembg"))
    expected = torch.zeros(16, 16)
    expected[8:, 4:12] = 1
    assert torch.equal(cells[0, 0], expected)


def test_a_model_that_rembg_cannot_load_is_named(rembg: ModuleType, stack: Stack, cases: list[Case]):
    def refuse(model: str) -> None:
        raise OSError("no route to host")

    with pytest.raises(UserError, match="unknown rembg_model 'u2nett': did you mean 'u2net'"):
        saliency_map(cases[0], stack, EmbeddingSettings(saliency="rembg", rembg_model="u2nett"))
    rembg.new_session = refuse
    with pytest.raises(UserError, match=r"rembg_model=u2net: not loaded \(no route to host\): put u2net.onnx"):
        saliency_map(cases[0], stack, EmbeddingSettings(saliency="rembg"))
