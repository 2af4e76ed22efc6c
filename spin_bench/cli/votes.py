"""`spin-bench votes CSV ...`: count the votes of a blind study into Bradley-Terry scores with intervals."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from spin_bench.core.errors import UserError
from spin_bench.methods.registry import methods
from spin_bench.report.results import read_results
from spin_bench.report.votes import read_votes
from spin_bench.report.wording import interval, number
from spin_bench.statistics.bradley_terry import bradley_terry


def votes_command(words: Sequence[str], console: Console) -> int:
    """Print one row a method, best first.

    `words` are the CSV files that vote.html saved, a voter each; a results folder among them names its own methods, as
    an ablation's, else they are the built-in ones. A method that is neither is a `UserError`.
    """
    paths = [Path(word) for word in words]
    folders = [path for path in paths if path.is_dir()]
    files = [path for path in paths if not path.is_dir()]
    if not files:
        raise UserError("spin-bench votes takes the CSV files that vote.html saved: spin-bench votes votes.csv ...")
    titles = {name: method.title for name, method in methods().items()}
    for folder in folders:
        titles = {**titles, **{name: row.title for name, row in read_results(folder).painters.items()}}
    votes = read_votes(files, methods=list(titles))
    table = Table("method", title=f"{len(votes)} votes on {votes['case'].nunique()} cases", title_justify="left")
    for head in ("score", "95 % interval", "preferred", "votes"):
        table.add_column(head, justify="right")
    for row in bradley_terry(votes, methods=list(titles)).itertuples():
        share = f"{100 * row.win_rate:.0f} %"
        score, between = number(row.score, 2), interval(row.lo, row.hi, 2) or "one case only"
        table.add_row(Text(titles[str(row.method)]), score, Text(between), share, str(row.votes))
    console.print(table)
    console.print("Score: log of Bradley-Terry strength, mean 0; a tie is half a vote. Interval: bootstrap over cases.")
    return 0
