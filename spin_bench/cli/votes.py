"""`spin-bench votes`: count the votes of a blind study into Bradley-Terry scores with intervals."""

import click

from spin_bench.cli.command import command
from spin_bench.cli.exit_codes import DONE


@command(examples=["spin-bench votes alice.csv bob.csv", "spin-bench votes *.csv results/mini/mini/ablation_style"])
@click.argument("paths", nargs=-1, metavar="CSV... [FOLDER...]")
def votes(paths: tuple[str, ...]) -> int:
    """Count the CSV files that vote.html saved, a voter each; a results folder among them names its own methods."""
    from rich.table import Table
    from rich.text import Text

    from spin_bench.cli.terminal import terminal
    from spin_bench.config.paths import expanded
    from spin_bench.core.errors import UserError
    from spin_bench.methods.registry import methods
    from spin_bench.report.results import read_results
    from spin_bench.report.votes import read_votes
    from spin_bench.report.wording import interval, number
    from spin_bench.statistics.bradley_terry import bradley_terry

    places = [expanded("votes", path) for path in paths]
    files = [place for place in places if not place.is_dir()]
    if not files:
        raise UserError("votes takes the CSV files that vote.html saved: spin-bench votes votes.csv ...")
    titles = {name: method.title for name, method in methods().items()}
    for folder in places:
        if folder.is_dir():
            titles |= {name: row.title for name, row in read_results(folder).painters.items()}
    ballots = read_votes(files, methods=list(titles))
    table = Table("method", title=f"{len(ballots)} votes on {ballots['case'].nunique()} cases", title_justify="left")
    for head in ("score", "95 % interval", "preferred", "votes"):
        table.add_column(head, justify="right")
    for row in bradley_terry(ballots, methods=list(titles)).itertuples():
        share = f"{100 * row.win_rate:.0f} %"
        score, between = number(row.score, 2), interval(row.lo, row.hi, 2) or "one case only"
        table.add_row(Text(titles[str(row.method)]), score, Text(between), share, str(row.votes))
    console = terminal()
    console.print(table)
    console.print("Score: log of Bradley-Terry strength, mean 0; a tie is half a vote. Interval: bootstrap over cases.")
    return DONE
