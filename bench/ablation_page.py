"""Fill docs/spin.md from the results of the ablations: `python bench/ablation_page.py`.

The page gets a table for each, a row a variant, its paired differences from Spin's default, and where the results tell
unseen objects apart the same over these alone. Run it from the checkout; a variant without results has dashes, so that
no number on the page has another source.
"""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from spin_bench.core.errors import UserError
from spin_bench.core.files import write_whole
from spin_bench.report.figures.forest import differences
from spin_bench.report.markdown import markdown_table
from spin_bench.report.subsets import UNSEEN
from spin_bench.report.wording import DASH, interval, number

RESULTS, PAGE, EXPERIMENTS = Path("results/reference/mini/mini"), Path("docs/spin.md"), Path("conf/experiment")
START, END = "<!-- measured: filled by `python bench/ablation_page.py` -->", "<!-- end of measured -->"
BASE = "spin"
QUOTES = '""'  # an empty text, as one would type it
METRICS = {  # columns
    "clip_i_crop": "CLIP-I ↑",
    "clip_i_truth": "CLIP-I truth ↑",
    "judge_i_crop": "ImageNet-I ↑",
    "clip_i_surroundings": "surroundings ↓",
    "coherence_style_seam": "coherence ↑",
    "coherence_style": "style agreement ↑",
    "coherence_gram": "style gap ↓",
    "lpips_bg": "LPIPS-BG ↓",
}


def settings_of(changes: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The leaves of nested settings, as one would type them: `embedding.saliency=none`."""
    for name, value in changes.items():
        if isinstance(value, Mapping):
            yield from settings_of(value, f"{prefix}{name}.")
        elif prefix or name != "title":
            text = str(value).lower() if isinstance(value, bool) else value
            yield f"{prefix}{name}={text if text != '' else QUOTES}"


def ablation_rows(variants: Mapping[str, Mapping[str, Any]], folder: Path, *, subset: str = "") -> list[list[str]]:
    """The default's means, then a row a variant: what it changes, its differences, how many cases."""
    names = ("subsets_paired.csv", "subsets.csv") if subset else ("paired.csv", "table.csv")
    pairs, means = (_table(folder / name, subset) for name in names)
    columns = {} if pairs is None else {metric: differences(pairs, base=BASE, metric=metric) for metric in METRICS}
    rows = []
    if means is not None:
        own = means[means["method"] == BASE].set_index("metric")
        cells = [number(own["mean"].get(metric, math.nan), 3) for metric in METRICS]
        rows.append(["Spin", "the default: means", *cells, str(int(own["n"].max()))])
    for variant, changes in variants.items():
        cells, counts = [], []
        for metric in METRICS:
            differing = columns.get(metric)
            if differing is None or variant not in differing.index:
                cells.append(DASH)
                continue
            row = differing.loc[variant]
            counts.append(int(row["n"]))
            text = f"{number(row['diff'], 3)} {interval(row['lo'], row['hi'], 3)}"
            cells.append(f"**{text}**" if row["lo"] > 0 or row["hi"] < 0 else text)
        switches = "`" + " ".join(settings_of(changes)) + "`"
        rows.append([str(changes["title"]), switches, *cells, str(max(counts, default=0))])
    return rows


def _table(path: Path, subset: str = "") -> pd.DataFrame | None:
    """None where there is no such file, or nothing of the subset in it."""
    if not path.exists():
        return None
    table = pd.read_csv(path)
    rows = table[table["subset"] == subset] if subset else table
    return None if rows.empty else rows


def measured(experiments: Path, results: Path) -> str:
    """The tables of all ablations, with what they were run on."""
    parts = []
    for path in sorted(experiments.glob("ablation_*.yaml")):
        variants = yaml.safe_load(path.read_text())["variants"][BASE]
        folder, head = results / path.stem, ["variant", "switch", *METRICS.values(), "cases"]
        parts += [f"### {path.stem}", f"`spin-bench experiment={path.stem}`{_conditions(folder)}"]
        parts.append(markdown_table(head, ablation_rows(variants, folder)))
        if _table(folder / "subsets.csv", UNSEEN) is not None:
            parts += ["Over the objects that no model was trained on:"]
            parts.append(markdown_table(head, ablation_rows(variants, folder, subset=UNSEEN)))
    return "\n\n".join(parts)


def _conditions(folder: Path) -> str:
    """What the results' own page says of cases, images, and of Spin's settings where they are not the default."""
    page = folder / "table.md"
    if not page.exists():
        return ": not measured yet."
    lines = page.read_text().splitlines()
    size = next(line for line in lines if line.startswith("n = "))
    changed = [line.removeprefix("- Deviation: Spin: ") for line in lines if line.startswith("- Deviation: Spin: ")]
    return f": {size}" + "".join(f"; {line.split(':')[0]}" for line in changed) + "."


def filled(page: str, text: str) -> str:
    """`page` with `text` between its marks; `UserError` where it has none."""
    if page.count(START) != 1 or page.count(END) != 1:
        raise UserError(f"the page must hold {START!r} and {END!r} once each")
    before, after = page.split(START)[0], page.split(END)[1]
    return f"{before}{START}\n\n{text}\n\n{END}{after}"


def main(arguments: Sequence[str]) -> None:
    """Fill the page (default: docs/spin.md) from a folder of results (default: the committed ones)."""
    results, page = (Path(given) for given in (*arguments, *(str(p) for p in (RESULTS, PAGE)[len(arguments) :])))
    write_whole(page, filled(page.read_text(), measured(EXPERIMENTS, results)).encode())


if __name__ == "__main__":
    main(sys.argv[1:])
