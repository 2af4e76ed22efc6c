"""The metric of Spin's ablations."""

from dataclasses import replace

import torch
from PIL import Image

from spin_bench.core.case import Case
from spin_bench.metrics.batch import Batch
from spin_bench.metrics.surroundings import clip_i_surroundings
from spin_bench.models.stack import Stack


def test_surroundings_are_the_reference_without_its_object(stack: Stack, cases: list[Case]):
    case = replace(cases[0], mask=Image.new("L", (64, 64), 255))
    grey = Image.new("RGB", case.reference.size, (127, 127, 127))
    around = Image.composite(grey, case.reference, case.reference_mask).resize((64, 64), Image.Resampling.BICUBIC)
    alone = Image.composite(case.reference, grey, case.reference_mask).resize((64, 64), Image.Resampling.BICUBIC)
    near, far = clip_i_surroundings(Batch([case, case], [around, alone], stack)).tolist()
    assert near > 0.95
    assert near - far > 0.1


def test_without_a_mask_nothing_says_what_surrounds(stack: Stack, cases: list[Case]):
    batch = Batch([cases[0], replace(cases[1], reference_mask=None)], [c.background for c in cases[:2]], stack)
    assert torch.isnan(clip_i_surroundings(batch)).tolist() == [False, True]
