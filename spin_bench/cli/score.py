"""`spin-bench score`: pictures made elsewhere, scored and set beside methods that paint here."""

import click

from spin_bench.cli.command import command, settings
from spin_bench.cli.exit_codes import MEANINGS, SOME_FAILED


@command(
    examples=[
        "spin-bench score images=/my/pictures title=Mine",
        "spin-bench score --images out --beside spin,oracle dataset=tficon dataset.root=/data/tficon",
    ],
    exits={SOME_FAILED: MEANINGS[SOME_FAILED]},
)
@settings
@click.option("--images", metavar="FOLDER", help="The pictures: CASE.png, or CASE/K.png and CASE_K.png for several.")
@click.option("--title", default="outside", help="What their row is called.", show_default=True)
@click.option(
    "--beside",
    default="copy_paste,oracle",
    metavar="METHODS",
    help="The rows that stand beside them; painted where the store lacks them.",
    show_default=True,
)
def score(words: tuple[str, ...], images: str | None, title: str, beside: str) -> int:
    """Score pictures made elsewhere, and set their row beside those of methods that paint here."""
    from spin_bench.config.words import read_words

    read_words(words)
    from spin_bench.cli.outside import score_outside
    from spin_bench.cli.terminal import terminal
    from spin_bench.config.paths import expanded
    from spin_bench.core.errors import UserError

    if not images:
        raise UserError("score needs images=<folder of pictures made elsewhere>")
    rows = [name.strip() for name in beside.strip("[]").split(",") if name.strip()]
    return score_outside(words, expanded("images", images), title, rows, terminal())
