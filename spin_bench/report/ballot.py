"""A blind user study: a page that shows two pictures of a case without their methods and asks for the better one.

Methods are hidden on the screen, not from a voter who reads the page's source. The page keeps the votes in the browser
and hands them out as CSV with the columns case, left, right, winner, for `spin_bench.report.votes`.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from spin_bench.core.errors import UserError
from spin_bench.core.files import write_whole
from spin_bench.core.identity import key_of
from spin_bench.report.legend import competing
from spin_bench.report.pages import page
from spin_bench.report.results import Results

# (method, case) -> image numbers in the order to show them: the method's favourite first where it has one
Painted = Mapping[tuple[str, str], Sequence[int]]


def draw_ballot(painted: Painted, *, questions: int, seed: int) -> pd.DataFrame:
    """Draw questions with the columns case, left, right, in random order; `left` and `right` are methods.

    Every pair of methods is asked as often as every other (within one), no question is asked twice, and sides are
    drawn by chance. Only cases that both methods painted are asked about.
    """
    rng = np.random.default_rng(seed)
    methods = list(dict.fromkeys(method for method, _ in painted))
    waiting = []
    for a, b in combinations(methods, 2):
        shared = [case for method, case in painted if method == a and painted[a, case] and painted.get((b, case))]
        waiting.append([(case, a, b) for case in rng.permutation(shared).tolist()])
    asked: list[tuple[str, str, str]] = []
    while len(asked) < questions and any(waiting):
        for i in rng.permutation(len(waiting)).tolist():
            if waiting[i] and len(asked) < questions:
                case, a, b = waiting[i].pop()
                asked.append((case, a, b) if rng.random() < 0.5 else (case, b, a))
    order = rng.permutation(len(asked)).tolist()
    return pd.DataFrame([asked[i] for i in order], columns=["case", "left", "right"])


def write_ballot(results: Results, *, questions: int = 60, seed: int = 0) -> Path:
    """Write `vote.html` into a results folder, on the methods that are no bounds; return the page.

    The first image of each method is shown. Fewer than two competing methods, or no case that two of them painted, is
    a `UserError`.
    """
    about = results.about
    voted = competing(results.painters)
    if len(voted) < 2:
        raise UserError(f"a vote needs two methods or more, {results.folder} has {len(voted)}: run another one first")
    painted = {(method, case): ks for (method, case), ks in about.painted.items() if method in voted}
    drawn = draw_ballot(painted, questions=questions, seed=seed)
    if drawn.empty:
        raise UserError(f"no case in {results.folder} has pictures of two of the methods {', '.join(voted)}")
    prompts = {case.id: case.prompt for case in about.cases}
    rows = [
        {"case": case, "prompt": prompts[case], "pair": [[m, painted[m, case][0]] for m in (left, right)]}
        for case, left, right in drawn.itertuples(index=False)
    ]
    data = {"questions": rows, "key": key_of([about.title, rows])}  # the key keeps the votes of two studies apart
    path = results.folder / "vote.html"
    write_whole(path, page("vote.html.j2", scripts=("vote.js",), values={"title": about.title, "data": data}))
    return path
