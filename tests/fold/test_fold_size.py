"""The paper's real-domain table in size: everything is drawn from its scores in seconds."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from records import printed, rows_of
from small_gallery import PROVENANCE, data_of, make_case, make_folder

from spin_bench.report.render import render

CASES = [make_case(i, "real", f"prompt {i}") for i in range(237)]
METHODS = rows_of(
    spin="Spin",
    blended_diffusion="Blended",
    blended_latent_diffusion="BLD",
    sd_inpaint="SD-inpaint",
    powerpaint="PPt",
    uni_paint="Uni",
)
NAMES = ["clip_i_crop", "clip_t", "coherence_context", *(f"metric_{i}" for i in range(9))]
LIMIT = 20  # seconds of a processor


def images_of(method: str) -> int:
    return 32 if method == "blended_diffusion" else 4


def test_the_whole_table_is_folded_in_time(tmp_path: Path):
    index = [(method, case.id, k) for method in METHODS for case in CASES for k in range(images_of(method))]
    assert len(index) == 12_324
    rng = np.random.default_rng(0)
    one = pd.DataFrame(index, columns=["method", "case", "k"]).assign(domain="real", seed=lambda frame: frame["k"])
    scores = pd.concat([one.assign(metric=name, value=rng.random(len(one))) for name in NAMES], ignore_index=True)
    images = {method: range(images_of(method)) for method in METHODS}
    records = {name: printed(name, name) for name in NAMES}
    make_folder(tmp_path, CASES, images, scores, methods=METHODS, records=records, provenance=PROVENANCE)
    picture = tmp_path / "one.png"
    Image.new("RGB", (16, 16)).save(picture)
    for method, case, k in index:
        path = tmp_path / "images" / method / case / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.hardlink_to(picture)

    started = time.process_time()
    render(tmp_path, width=120)
    assert time.process_time() - started < LIMIT

    table = pd.read_csv(tmp_path / "table.csv")
    assert len(table) == 6 * 12 and (table["n"] == 237).all() and table[["lo", "hi"]].notna().all().all()
    assert len(pd.read_csv(tmp_path / "paired.csv")) == 15 * 12
    mean = scores.groupby(["method", "metric", "case"])["value"].mean().groupby(level=[0, 1]).mean()
    assert np.allclose(table["mean"], [mean[row.method, row.metric] for row in table.itertuples()], atol=1e-6)
    assert {"bars.pdf", "similarity_coherence.png", "slopes_clip_i_crop.png", "differences_coherence_context.pdf"} <= {
        path.name for path in (tmp_path / "figures").iterdir()
    }
    shown = data_of(tmp_path / "index.html")["cases"]
    assert len(shown) == 237 and [len(ks) for ks in shown[0]["images"]] == [4, 32, 4, 4, 4, 4]
