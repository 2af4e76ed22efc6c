"""A results folder with both pages, its cases painted in plain colours."""

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from spin_bench.case import Case
from spin_bench.report.ballot import write_ballot
from spin_bench.report.gallery import write_gallery

METHODS = {"spin": "Spin", "uni_paint": "Uni", "oracle": "oracle"}


NASTY = '</script><script>document.title = "broken"</script> <b>bold</b> & "quotes" <!-- <script>'


@dataclass(frozen=True)
class Facts:
    name: str
    title: str
    higher_is_better: bool | None = True
    unit: str = ""
    digits: int = 3
    encoder: str = ""


RECORDS = {"clip_i": Facts("clip_i", "CLIP-I"), "lpips": Facts("lpips", "LPIPS", False)}


def make_case(i: int, domain: str, prompt: str) -> Case:
    plain = Image.new("RGB", (16, 16), (20 * i % 256, 99, 9))
    mask = Image.new("L", (16, 16), 0)
    mask.paste(255, (4, 4, 12, 12))
    return Case(f"{domain}-{i:04d}", domain, prompt, plain, mask, plain.resize((64, 32)), None)


def make_scores(cases: list[Case], images: dict[str, int]) -> pd.DataFrame:
    """CLIP-I rises with the case under Spin and falls under Uni; LPIPS is half of it."""
    n = len(cases)
    rise = {"spin": lambda c: 0.1 + 0.8 * c / n, "uni_paint": lambda c: 0.9 - 0.5 * c / n, "oracle": lambda c: 1.0}
    rows = [
        (method, case.id, case.domain, k, 1, metric, scale * (rise[method](c) + 0.001 * k))
        for method, count in images.items()
        for c, case in enumerate(cases)
        for k in range(count)
        for metric, scale in (("clip_i", 1.0), ("lpips", 0.5))
    ]
    return pd.DataFrame(rows, columns=["method", "case", "domain", "k", "seed", "metric", "value"])


def paint(folder: Path, cases: list[Case], images: dict[str, int]) -> None:
    for method, count in images.items():
        for case in cases:
            for k in range(count):
                path = folder / "images" / method / case.id / f"{k}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                case.background.save(path)


IMAGES = {"spin": 6, "uni_paint": 2, "oracle": 1}


def write_results(folder: Path) -> Path:
    """Both pages: 12 cases, one of them with a prompt that tries to break out."""
    prompts = [NASTY, *(f"a cat no. {i}" if i % 2 else f"a dog no. {i}" for i in range(1, 12))]
    cases = [make_case(i, "real" if i < 8 else "sketch", prompt) for i, prompt in enumerate(prompts)]
    paint(folder, cases, IMAGES)
    scores = make_scores(cases, IMAGES)
    scores.loc[(scores["case"] == "real-0003") & (scores["method"] == "spin"), "value"] = math.nan
    write_gallery(
        folder, cases=cases, scores=scores, methods=METHODS, records=RECORDS, title=f"T {NASTY}", notes=[NASTY],
        ballot=True,
    )  # fmt: skip
    write_ballot(folder, cases=cases, methods={name: METHODS[name] for name in ("spin", "uni_paint")}, title="T")
    return folder


def data_of(page: Path) -> Any:
    blocks = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    assert len(blocks) == 1
    return json.loads(blocks[0])
