"""Parts of a run's cases that have a table of their own: each domain, and objects that no model was trained on.

A method that paints by words can only paint what its model knows; a reference is worth most where the model does not.
One mean over both hides it.
"""

from collections.abc import Mapping, Sequence

from spin_bench.report.about import AboutCase
from spin_bench.report.numbers import Numbers, numbers_of
from spin_bench.report.results import Results
from spin_bench.report.sheet import FEWEST_CASES

SEEN, UNSEEN = "objects seen in training", "unseen objects"


def names_of(case: AboutCase) -> tuple[str, str]:
    """Name the subsets that a case belongs to."""
    return case.domain, UNSEEN if case.novel else SEEN


def subsets(cases: Sequence[AboutCase]) -> dict[str, frozenset[str]]:
    """Collect the ids of each subset's cases, in the order of the names; what every case belongs to is no subset."""
    members: dict[str, set[str]] = {}
    for case in cases:
        for name in names_of(case):
            members.setdefault(name, set()).add(case.id)
    return {name: frozenset(members[name]) for name in sorted(members) if len(members[name]) < len(cases)}


def numbers_of_subsets(results: Results) -> Mapping[str, Numbers]:
    """Make the numbers of each subset under the run's own rows and columns; fewer than `FEWEST_CASES` have none.

    Of a run that is not finished, a domain may have none.
    """
    scores, about = results.scores, results.about
    scored = {name: scores[scores["case"].isin(cases)] for name, cases in subsets(about.cases).items()}
    return {
        name: numbers_of(of_subset, methods=about.methods, records=about.records, title=name, notes=())
        for name, of_subset in scored.items()
        if of_subset["case"].nunique() >= FEWEST_CASES
    }
