"""Bradley-Terry scores: what they recover, what they refuse."""

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.special import expit

from spin_bench.core.errors import UserError
from spin_bench.statistics.bradley_terry import COLUMNS, PRIOR_SD, bradley_terry

METHODS = ["spin", "sd_inpaint", "uni_paint"]
STRENGTH = {"spin": 0.9, "sd_inpaint": 0.1, "uni_paint": -1.0}


def make_votes(*, cases: int, seed: int = 0, tie: float = 0.0) -> pd.DataFrame:
    """Every pair at every case, decided by chance from STRENGTH."""
    rng = np.random.default_rng(seed)
    rows = []
    for case in range(cases):
        for a, b in (("spin", "sd_inpaint"), ("uni_paint", "spin"), ("sd_inpaint", "uni_paint")):
            wins = rng.random() < expit(STRENGTH[a] - STRENGTH[b])
            rows.append((f"real-{case:04d}", a, b, "tie" if rng.random() < tie else a if wins else b))
    return pd.DataFrame(rows, columns=COLUMNS)


def scores(votes: pd.DataFrame, draws: int = 2) -> dict[str, float]:
    found = bradley_terry(votes, draws=draws)
    return dict(zip(found["method"], found["score"], strict=True))


def test_scores_are_those_of_a_penalised_logistic_regression():
    votes = make_votes(cases=40)
    design = np.array([[(m == row.left) - (m == row.right) for m in METHODS] for row in votes.itertuples()], float)
    won = (votes["winner"] == votes["left"]).astype(float)
    # statsmodels divides the likelihood, not the penalty, by the number of votes
    model = sm.GLM(won, design, family=sm.families.Binomial())
    fitted = model.fit_regularized(alpha=1 / PRIOR_SD**2 / len(votes), L1_wt=0.0)
    found = scores(votes)
    assert [found[name] for name in METHODS] == pytest.approx(fitted.params - fitted.params.mean(), abs=1e-4)
    assert sum(found.values()) == pytest.approx(0, abs=1e-9)


def test_two_methods_have_a_closed_condition():
    rows = [("a", "spin", "uni_paint", "spin")] * 30 + [("b", "spin", "uni_paint", "uni_paint")] * 10
    found = scores(pd.DataFrame(rows, columns=COLUMNS))
    score = found["spin"]
    assert found["uni_paint"] == pytest.approx(-score)
    assert 30 - 40 * expit(2 * score) == pytest.approx(score / PRIOR_SD**2, abs=1e-5)  # likelihood pulls, prior holds
    assert 2 * score == pytest.approx(math.log(3), rel=0.03)  # which is near the plain odds


def test_many_votes_recover_the_strengths():
    found = bradley_terry(make_votes(cases=600), draws=200)
    centre = np.mean(list(STRENGTH.values()))
    assert list(found["method"]) == METHODS  # best first
    for row in found.itertuples():
        assert row.lo < STRENGTH[row.method] - centre < row.hi
        assert row.lo < row.score < row.hi and row.hi - row.lo < 0.5
        assert row.votes == 1200


def test_sides_order_and_names_do_not_matter():
    votes = make_votes(cases=25, tie=0.2)
    turned = votes.rename(columns={"left": "right", "right": "left"}).sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(bradley_terry(turned, draws=50), bradley_terry(votes, draws=50), rtol=1e-5, atol=1e-6)
    renamed = votes.replace({"spin": "zebra"})
    assert scores(renamed)["zebra"] == pytest.approx(scores(votes)["spin"], abs=1e-6)


def test_ties_count_half():
    found = bradley_terry(pd.DataFrame([(c, "spin", "uni_paint", "tie") for c in "abc"], columns=COLUMNS), draws=20)
    assert found[["score", "lo", "hi"]].to_numpy() == pytest.approx(0, abs=1e-9)
    assert found["win_rate"].tolist() == [0.5, 0.5] and found["votes"].tolist() == [3, 3]


def test_a_method_that_wins_every_vote_stays_finite_and_first():
    found = bradley_terry(
        pd.DataFrame([(f"{c}", "uni_paint", "spin", "spin") for c in range(30)], columns=COLUMNS), draws=20
    )
    assert found["method"].tolist() == ["spin", "uni_paint"] and found["win_rate"].tolist() == [1.0, 0.0]
    assert 1 < found["score"][0] < 5


def test_interval_is_over_cases_not_over_votes():
    one = make_votes(cases=12)
    many = pd.concat([one] * 20, ignore_index=True)  # 20 voters who agree add no case
    narrow, wide = (bradley_terry(votes, draws=300) for votes in (many, one))
    width = (narrow["hi"] - narrow["lo"]).mean() / (wide["hi"] - wide["lo"]).mean()
    assert width > 0.8  # votes as the unit would give about 1 / sqrt(20)
    assert bradley_terry(one[one["case"] == "real-0000"])[["lo", "hi"]].isna().all(axis=None)


def test_methods_that_no_vote_links_are_refused():
    votes = pd.DataFrame([("a", "spin", "uni_paint", "spin"), ("a", "bld", "ppt", "tie")], columns=COLUMNS)
    with pytest.raises(UserError, match="no vote links"):
        bradley_terry(votes)


def test_unknown_method_is_named_with_the_nearest_one():
    with pytest.raises(UserError, match="unknown method in the votes 'uni_paint': did you mean 'uni_pain'"):
        bradley_terry(make_votes(cases=2), methods=["spin", "sd_inpaint", "uni_pain"])


def test_no_votes_is_one_line():
    with pytest.raises(UserError, match="no votes"):
        bradley_terry(pd.DataFrame(columns=COLUMNS))
