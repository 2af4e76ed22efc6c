"""Votes between pairs as one score a method (Bradley and Terry 1952), with intervals over cases."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse.csgraph import connected_components
from scipy.special import expit

from spin_bench.core.errors import UserError, check_known

COLUMNS = ["case", "left", "right", "winner"]
SCORES = ["method", "score", "lo", "hi", "win_rate", "votes"]
TIE = "tie"
PRIOR_SD = 3.0  # of a log-strength: wide, there only to keep a method that won every vote finite


def check_votes(votes: pd.DataFrame, *, methods: Sequence[str], where: str = "the votes") -> None:
    """Raise `UserError` for a vote that cannot be counted.

    That is one of an unknown method, on a pair of one method, or with a winner that is neither of the two nor a tie.
    """
    check_known(f"method in {where}", sorted({*votes["left"], *votes["right"]}), methods)
    wrong = (votes["left"] == votes["right"]) | ~(
        (votes["winner"] == votes["left"]) | (votes["winner"] == votes["right"]) | (votes["winner"] == TIE)
    )
    if wrong.any():
        case, left, right, winner = votes.loc[wrong, COLUMNS].iloc[0]
        raise UserError(
            f"{where}: {int(wrong.sum())} votes cannot be counted, the first at case {case}: {left} against {right}, "
            f"winner {winner!r}; the winner is one of two different methods or {TIE!r}"
        )


def bradley_terry(
    votes: pd.DataFrame, *, methods: Sequence[str] | None = None, draws: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Score methods by votes: a frame with the columns `SCORES`, a row per method, best first.

    `votes` has the columns `COLUMNS`, the winner being the name on the left, that on the right, or `TIE`. `score` is
    the natural logarithm of a method's strength, the mean over methods being 0: a is preferred to b with the
    probability 1 / (1 + exp(score b - score a)). A tie is half a win for each. `lo` and `hi` are the 95 % percentile
    bootstrap interval over cases (NaN with one case only); `win_rate` counts the votes as they are. `methods` are the
    known names (default: those in `votes`); one without votes has no row. No votes, votes that `check_votes` refuses,
    and methods that no chain of votes links are `UserError`s.
    """
    if votes.empty:
        raise UserError("no votes to count: export some from vote.html first")
    if methods is None:
        methods = sorted({*votes["left"], *votes["right"]})
    check_votes(votes, methods=methods)
    voted = [name for name in methods if name in {*votes["left"], *votes["right"]}]
    wins = _wins_by_case(votes, voted)
    total = wins.sum(0)
    _check_connected(total, voted)
    score = _fit(total, np.zeros(len(voted)))
    lo, hi = _interval(wins, score, draws, seed)
    compared = total.sum(1) + total.sum(0)
    rows = zip(voted, score, lo, hi, total.sum(1) / compared, compared.astype(int), strict=True)
    return pd.DataFrame(rows, columns=SCORES).sort_values("score", ascending=False, kind="stable", ignore_index=True)


def _wins_by_case(votes: pd.DataFrame, methods: Sequence[str]) -> NDArray[np.float64]:
    """(cases, methods, methods): how often the second index won against the third, ties half."""
    place = {name: i for i, name in enumerate(methods)}
    numbers, cases = pd.factorize(votes["case"], sort=True)
    wins = np.zeros((len(cases), len(methods), len(methods)))
    left, right = votes["left"].map(place).to_numpy(), votes["right"].map(place).to_numpy()
    share = np.where(votes["winner"] == TIE, 0.5, (votes["winner"] == votes["left"]).astype(float))
    np.add.at(wins, (numbers, left, right), share)
    np.add.at(wins, (numbers, right, left), 1 - share)
    return wins


def _fit(wins: NDArray[np.float64], start: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-strengths (methods,) that are most probable after `wins` (methods, methods), with mean 0.

    The prior is normal around 0. Both terms are concave and the likelihood sees differences only, so that the prior
    alone sets the mean, to 0; it is set again for what the optimiser leaves.
    """
    won, compared = wins.sum(1), wins + wins.T
    votes = won.sum()

    def loss(scores: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        apart = scores[:, None] - scores
        value = (wins * np.logaddexp(0, -apart)).sum() + (scores @ scores) / (2 * PRIOR_SD**2)
        slope = (compared * expit(apart)).sum(1) - won + scores / PRIOR_SD**2
        return value / votes, slope / votes

    optimum = minimize(loss, start, jac=True, method="BFGS", options={"gtol": 1e-7})
    scores: NDArray[np.float64] = optimum.x - optimum.x.mean()
    return scores


def _interval(wins: NDArray[np.float64], score: NDArray[np.float64], draws: int, seed: int) -> NDArray[np.float64]:
    """(2, methods): percentile interval around `score` when the cases are drawn again with replacement."""
    n = len(wins)
    if n < 2:
        return np.full((2, len(score)), np.nan)
    times = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws)
    drawn = np.tensordot(times.astype(float), wins, axes=1)
    interval: NDArray[np.float64] = np.percentile([_fit(each, score) for each in drawn], [2.5, 97.5], axis=0)
    return interval


def _check_connected(wins: NDArray[np.float64], methods: Sequence[str]) -> None:
    count, group = connected_components(wins + wins.T, directed=False)
    if count > 1:
        groups = [" and ".join(np.array(methods)[group == i]) for i in range(count)]
        raise UserError(f"no vote links {' with '.join(groups)}: their scores cannot be compared; ask about such pairs")
