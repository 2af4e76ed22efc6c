"""Intervals and paired tests against closed forms, hand-made examples and the libraries they are built on."""

import math
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from spin_bench.core.errors import UserError
from spin_bench.statistics.bootstrap import bootstrap_intervals
from spin_bench.statistics.comparison import PAIRS, SUMMARY, compare, per_case, rank_biserial, summarise

NAN = math.nan


def bootstrap_interval(values: Sequence[float], **options: float) -> tuple[float, float]:
    return bootstrap_intervals([values], **options)[0]


def long(values: Mapping[tuple[str, str], Sequence[Sequence[float]]]) -> pd.DataFrame:
    """(method, metric) -> cases -> images, as the long frame of scores."""
    rows = [
        (method, f"real-{c:04d}", "real", k, 7 * k, metric, value)
        for (method, metric), cases in values.items()
        for c, images in enumerate(cases)
        for k, value in enumerate(images)
    ]
    return pd.DataFrame(rows, columns=["method", "case", "domain", "k", "seed", "metric", "value"])


def one_image(values: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """method -> one value a case of the metric m."""
    return long({(method, "m"): [[value] for value in cases] for method, cases in values.items()})


def random_scores(seed: int, *, missing: float = 0.1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    cells = {(method, metric): rng.normal(size=(9, 3)) for method in "abc" for metric in ("x", "y")}
    for values in cells.values():
        values[rng.random(values.shape) < missing] = NAN
    return long({cell: values.tolist() for cell, values in cells.items()})


def test_images_of_a_case_are_averaged_before_cases():
    scores = long({("a", "m"): [[0.0, 0.0, 0.0, 0.0, 0.0], [1.0]]})
    assert summarise(scores).loc[0, "mean"] == 0.5  # and not 1 / 6


def test_missing_images_are_left_out_and_missing_cases_counted():
    scores = long({("a", "m"): [[1.0, NAN], [NAN, NAN], [2.0, 4.0]], ("b", "m"): [[1.0], [1.0]]})  # b lacks a case
    values = per_case(scores)["value"]
    assert values.index.names == ["method", "metric", "case"]
    np.testing.assert_array_equal(values.to_numpy(), [1.0, NAN, 3.0, 1.0, 1.0, NAN])
    summary = summarise(scores)
    assert list(summary.columns) == SUMMARY
    assert summary[["method", "mean", "n", "missing"]].to_numpy().tolist() == [["a", 2.0, 2, 1], ["b", 1.0, 2, 1]]


def test_methods_and_metrics_choose_and_order_the_rows():
    summary = summarise(random_scores(0), methods=["c", "a", "nowhere"], metrics=["y"])
    assert summary[["method", "metric"]].to_numpy().tolist() == [["c", "y"], ["a", "y"], ["nowhere", "y"]]
    assert summary["n"].tolist()[2] == 0 and summary["missing"].tolist()[2] == 9
    assert summary.loc[2, ["mean", "lo", "hi"]].isna().all()


@pytest.mark.parametrize(("value", "what"), [(math.inf, "infinite"), (0.5, "given twice")])
def test_wrong_scores_are_refused(value: float, what: str):
    scores = long({("a", "m"): [[1.0], [2.0]]})
    wrong = pd.concat([scores, scores.iloc[:1].assign(value=value, k=9 if math.isinf(value) else 0)])
    with pytest.raises(UserError, match=rf"1 scores are {what}, the first at method a, case real-0000"):
        per_case(wrong)


def test_interval_is_scipys_bca():
    values = np.random.default_rng(3).gamma(2, size=40)  # skewed, so that BCa differs from the percentiles
    rng = np.random.default_rng(5)
    expected = scipy_stats.bootstrap(
        (values,), np.mean, n_resamples=2000, confidence_level=0.9, method="BCa", rng=rng
    ).confidence_interval
    assert bootstrap_interval(values, level=0.9, draws=2000, seed=5) == pytest.approx(tuple(expected), abs=1e-12)
    assert bootstrap_interval([*values, NAN], level=0.9, draws=2000, seed=5) == pytest.approx(expected, abs=1e-12)
    percentile = np.quantile(np.random.default_rng(5).choice(values, (2000, 40)).mean(1), [0.05, 0.95])
    assert np.abs(percentile - expected).max() > 0.005


def test_an_interval_does_not_depend_on_its_company():
    rng = np.random.default_rng(8)
    samples = [rng.normal(size=n).tolist() for n in (5, 30, 5, 2, 30, 1)]
    alone = [bootstrap_interval(sample, draws=500) for sample in samples]
    together = bootstrap_intervals(samples, draws=500)
    for sample, one, other in zip(samples, alone, together, strict=True):
        assert one == pytest.approx(other, abs=1e-12, nan_ok=True), sample


def test_drawn_means_that_tie_with_the_mean_count_half():
    """Yes-or-no scores tie often; the bias is then that of exact arithmetic, whatever the order of the sums."""
    values = [0.1] * 12 + [0.7] * 12  # binary floats round these, their mean and every sum of them
    whole = [0] * 12 + [1] * 12
    lo, hi = bootstrap_interval(values, draws=2000)
    exact = bootstrap_interval(whole, draws=2000)
    assert (lo, hi) == pytest.approx([0.1 + 0.6 * end for end in exact], abs=1e-12)


def test_interval_covers_a_normal_mean():
    samples = np.random.default_rng(11).normal(2.0, 1.0, size=(200, 40))
    intervals = [bootstrap_interval(sample, level=0.9, draws=400) for sample in samples]
    covered = np.mean([lo <= 2.0 <= hi for lo, hi in intervals])
    assert 0.82 <= covered <= 0.96  # 0.9 +- 3.5 standard errors, less the shortfall of BCa at n = 40
    width = np.mean([hi - lo for lo, hi in intervals])
    assert width == pytest.approx(2 * 1.645 / math.sqrt(40), rel=0.05)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], (NAN, NAN)), ([1.0], (NAN, NAN)), ([1.0, NAN], (NAN, NAN)), ([0.3] * 5, (0.3, 0.3)), ([0, 0.0], (0, 0))],
)
def test_degenerate_intervals(values: list[float], expected: tuple[float, float]):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(bootstrap_interval(values), expected)


def test_values_that_differ_by_rounding_have_an_interval_and_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lo, hi = bootstrap_interval([0.3] * 5 + [0.1 + 0.2])
    assert 0.3 <= lo <= hi <= 0.1 + 0.2


def test_compare_against_a_hand_made_example():
    scores = one_image({"b": [1, 2, 3, 4, 5, NAN], "a": [2, 4, 3, 8, 10, 100]})
    (row,) = compare(scores, methods=["a", "b"]).to_dict("records")
    assert list(row) == PAIRS
    assert (row["method_a"], row["method_b"], row["n"]) == ("a", "b", 5)  # the case that b lacks counts for neither
    assert row["diff"] == pytest.approx((1 + 2 + 0 + 4 + 5) / 5)
    assert (row["lo"], row["hi"]) == bootstrap_interval([1, 2, 0, 4, 5])
    assert row["p"] == pytest.approx(2 / 2**4)  # four non-zero differences of one sign, exact
    assert row["win_rate"] == pytest.approx((4 + 0.5) / 5)


def test_every_pair_once_in_the_order_given():
    pairs = compare(random_scores(1), methods=["c", "a", "b"], metrics=["y", "x"])
    each = [("c", "a"), ("c", "b"), ("a", "b")]
    assert list(zip(pairs["method_a"], pairs["method_b"], pairs["metric"], strict=True)) == [
        (a, b, metric) for metric in ("y", "x") for a, b in each
    ]


def test_turning_a_pair_round_mirrors_it():
    scores = random_scores(2)
    (ab,) = compare(scores, methods=["a", "b"], metrics=["x"]).to_dict("records")
    (ba,) = compare(scores, methods=["b", "a"], metrics=["x"]).to_dict("records")
    assert ba["diff"] == -ab["diff"] and ba["p"] == ab["p"] and ba["win_rate"] == pytest.approx(1 - ab["win_rate"])
    assert (ba["lo"], ba["hi"]) == pytest.approx((-ab["hi"], -ab["lo"]), rel=0.1)  # other draws fall on each side


def test_holm_runs_over_the_pairs_of_one_metric_that_were_tested():
    rng = np.random.default_rng(4)
    cells = {(m, x): rng.normal(i * 0.4, 1, (20, 1)) for i, m in enumerate("abc") for x in ("x", "y")}
    cells["d", "x"] = np.full((20, 1), NAN)
    pairs = compare(long({cell: values.tolist() for cell, values in cells.items()}))
    for metric in ("x", "y"):
        block = pairs[pairs["metric"] == metric]
        tested = block[block["p"].notna()]
        assert len(block) == 6 and len(tested) == 3
        expected = multipletests(tested["p"], method="holm")[1]
        np.testing.assert_allclose(tested["p_holm"], expected)
        assert (tested["p_holm"] > tested["p"]).any()
        untested = block[block["p"].isna()]
        assert (untested["n"] == 0).all()
        assert untested[["diff", "lo", "hi", "p_holm", "win_rate"]].isna().all(axis=None)


def test_equal_methods_are_not_told_apart():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (row,) = compare(one_image({"a": [1, 2, 3], "b": [1, 2, 3]})).to_dict("records")
    assert [row[name] for name in ("diff", "lo", "hi", "p", "p_holm", "win_rate", "n")] == [0, 0, 0, 1, 1, 0.5, 3]


def test_too_few_cases_leak_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (row,) = compare(one_image({"a": [1], "b": [2]})).to_dict("records")
    assert row["diff"] == -1 and row["n"] == 1 and math.isnan(row["lo"]) and row["p"] == 1


def test_nothing_in_nothing_out():
    empty = random_scores(0).iloc[:0]
    assert list(summarise(empty).columns) == SUMMARY and summarise(empty).empty
    assert list(compare(empty).columns) == PAIRS and compare(empty).empty


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_order_of_rows_changes_nothing(seed: int):
    scores = random_scores(6)
    shuffled = scores.sample(frac=1, random_state=seed)
    pd.testing.assert_frame_equal(per_case(shuffled), per_case(scores), check_exact=True)


def test_order_of_rows_changes_no_interval_and_no_test():
    scores = random_scores(6)
    shuffled = scores.sample(frac=1, random_state=1)
    assert summarise(shuffled).to_csv() == summarise(scores).to_csv()
    assert compare(shuffled).to_csv() == compare(scores).to_csv()


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(*[st.sampled_from([0.0, 0.25, 0.5, NAN])] * 2), min_size=1, max_size=8))
def test_win_rate_counts_ties_half(cases: list[tuple[float, float]]):
    a, b = zip(*cases, strict=True)
    (row,) = compare(one_image({"a": a, "b": b})).to_dict("records")
    both = [(x, y) for x, y in cases if not (math.isnan(x) or math.isnan(y))]
    assert row["n"] == len(both)
    if both:
        assert row["win_rate"] == sum(1 if x > y else 0.5 if x == y else 0 for x, y in both) / len(both)
    else:
        assert math.isnan(row["win_rate"])


def test_the_effect_is_the_share_of_ranks_above_zero_less_that_below():
    scores = one_image({"a": [3, 1, 4, 2, 5, 2], "b": [1, 2, 1, 2, 1, 3]})  # differences 2, -1, 3, 0, 4, -1
    (row,) = compare(scores).to_dict("records")
    # sizes 1, 1, 2, 3, 4 have ranks 1.5, 1.5, 3, 4, 5; the two of 1.5 are below zero, the tie counts for neither
    assert row["effect"] == pytest.approx((12 - 3) / 15)
    above = scipy_stats.wilcoxon([2, -1, 3, 4, -1], alternative="greater").statistic
    assert row["effect"] == pytest.approx(2 * above / 15 - 1)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=12), st.floats(0.1, 10))
def test_the_effect_is_bounded_odd_and_has_no_scale(diffs: list[float], scale: float):
    values = np.array(diffs)
    effect = rank_biserial(values)
    assert -1 <= effect <= 1 and rank_biserial(-values) == -effect
    assert rank_biserial(values * 2.0 ** round(scale)) == effect
    assert rank_biserial(np.abs(values)) == (1 if values.any() else 0)
