"""A results folder with both pages, its cases painted in plain colours."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image
from records import printed, rows_of

from spin_bench.core.case import Case
from spin_bench.core.metric_record import MetricRecord
from spin_bench.report.about import About, AboutCase, write_about
from spin_bench.report.ballot import write_ballot
from spin_bench.report.flags import Flags
from spin_bench.report.gallery import write_gallery
from spin_bench.report.inputs import write_inputs
from spin_bench.report.legend import Rows
from spin_bench.report.numbers import numbers_of
from spin_bench.report.results import Results, read_results
from spin_bench.report.subsets import numbers_of_subsets
from spin_bench.report.tables import write_cost, write_scores

METHODS = rows_of(spin="Spin", uni_paint="Uni", oracle="oracle")


NASTY = '</script><script>document.title = "broken"</script> <b>bold</b> & "quotes" <!-- <script>'


RECORDS = {"clip_i": printed("clip_i", "CLIP-I"), "lpips": printed("lpips", "LPIPS", False)}
IMAGES = {"spin": 6, "uni_paint": 2, "oracle": 1}
PROVENANCE = {
    "code": {"git": {"commit": "0123456789abcdef", "dirty": True}},
    "machine": {"device": "a processor", "threads": 2},
    "packages": {"spin-bench": "0.1.0", "torch": "2.13.0"},
    "stack": {"device": "cpu"},
    "methods": {
        "spin": {"version": "1", "key": "k", "settings": {"guidance_scale": 7.5, "embedding": {"iterations": 200}}},
        "uni_paint": {"version": "2", "key": "l", "settings": {"guidance_scale": 5.0}},
        "oracle": {"version": "1", "key": "m", "settings": {}},
    },
    "time": {"started": "2026-01-02T03:04:05+00:00"},
}


def make_case(i: int, domain: str, prompt: str, *, novel: bool = False) -> Case:
    plain = Image.new("RGB", (16, 16), (20 * i % 256, 99, 9))
    mask = Image.new("L", (16, 16), 0)
    mask.paste(255, (4, 4, 12, 12))
    return Case(f"{domain}-{i:04d}", domain, prompt, plain, mask, plain.resize((64, 32)), None, novel=novel)


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


def make_folder(
    folder: Path,
    cases: list[Case],
    images: Mapping[str, Sequence[int]],
    scores: pd.DataFrame,
    *,
    methods: Rows = METHODS,
    records: Mapping[str, MetricRecord] = RECORDS,
    title: str = "T",
    notes: Sequence[str] = (),
    provenance: Mapping[str, Any] = PROVENANCE,
) -> Results:
    """What a run leaves for the report to draw; `images` are a method's, in the order to show them."""
    about = About(
        title=title,
        notes=tuple(notes),
        methods=methods,
        records=records,
        ranked=(),
        cases=tuple(AboutCase(case.id, case.domain, case.prompt, case.novel) for case in cases),
        painted={(method, case.id): tuple(ks) for method, ks in images.items() for case in cases},
    )
    costs = pd.DataFrame({"method": list(images), "case": "c", "k": 0, "seconds": 2.0, "peak_memory_mb": math.nan})
    write_about(folder, about)
    write_scores(scores, folder)
    write_cost(costs, methods=images, folder=folder)
    write_inputs(folder / "inputs", cases)
    (folder / "provenance.json").write_text(json.dumps(provenance))
    (folder / "format.json").write_text('{"format":1}')
    return read_results(folder)


def gallery_of(results: Results, *, ballot: bool = False, flags: Flags | None = None) -> Path:
    about = results.about
    numbers = numbers_of(
        results.scores, methods=about.methods, records=about.records, title=about.title, notes=about.notes
    )
    return write_gallery(results, numbers, numbers_of_subsets(results), figures=[], ballot=ballot, flags=flags or {})


def write_results(folder: Path) -> Path:
    """Both pages: 12 cases, one of them with a prompt that tries to break out, every second with an unseen object."""
    prompts = [NASTY, *(f"a cat no. {i}" if i % 2 else f"a dog no. {i}" for i in range(1, 12))]
    cases = [make_case(i, "real" if i < 8 else "sketch", prompt, novel=i % 2 == 1) for i, prompt in enumerate(prompts)]
    paint(folder, cases, IMAGES)
    scores = make_scores(cases, IMAGES)
    scores.loc[(scores["case"] == "real-0003") & (scores["method"] == "spin"), "value"] = math.nan
    images = {method: range(count) for method, count in IMAGES.items()}
    results = make_folder(folder, cases, images, scores, title=f"T {NASTY}", notes=[NASTY])
    gallery_of(results, ballot=True)
    write_ballot(results)
    return folder


def data_of(page: Path) -> Any:
    blocks = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    assert len(blocks) == 1
    return json.loads(blocks[0])
