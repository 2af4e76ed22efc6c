"""Files of votes: joined if they are sound, refused in one line if not."""

from pathlib import Path

import pandas as pd
import pytest

from spin_bench.core.errors import UserError
from spin_bench.report.votes import read_votes
from spin_bench.statistics.bradley_terry import COLUMNS

METHODS = ["spin", "sd_inpaint", "uni_paint"]
HEAD = "case,left,right,winner\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("case,left,right\na,spin,uni_paint\n", "has no column winner"),
        ("case,left,right,winner\na,spin,spinn,spin\n", r"unknown method in .*votes.csv 'spinn': did you mean 'spin'"),
        ("case,left,right,winner\na,spin,uni_paint,left\n", "1 votes cannot be counted, the first at case a"),
        ("case,left,right,winner\na,spin,uni_paint,sd_inpaint\n", "winner 'sd_inpaint'"),
        ("case,left,right,winner\na,spin,spin,spin\n", "two different methods"),
        ("", "has no column case, left"),
        ("\x00", "has no column case, left"),
        ("case,left,right,winner\na,spin,uni_paint\n", "vote 1 is no row of 4 values"),
        ("case,left,right,winner\nb,a,spin,uni_paint,spin\n", "vote 1 is no row of 4 values"),
        ("case,left,right,winner\na,spin,uni_paint,tie\n,spin,uni_paint,tie\n", "vote 2 is no row"),
        ('case,left,right,winner\na,"spin,uni_paint,tie\n', "cannot read votes"),
    ],
)
def test_bad_file_is_one_line(tmp_path: Path, text: str, message: str):
    path = tmp_path / "votes.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        read_votes([path], methods=METHODS)
    assert "\n" not in str(caught.value)


def test_files_of_several_voters_are_joined(tmp_path: Path):
    rows = [(f"real-{i:04d}", "spin", "uni_paint", ("spin", "tie")[i % 2]) for i in range(9)]
    votes = pd.DataFrame(rows, columns=COLUMNS)
    for i, part in enumerate((votes[:5], votes[5:])):
        part.assign(note="extra").to_csv(tmp_path / f"{i}.csv", index=False)
    read = read_votes([tmp_path / "0.csv", tmp_path / "1.csv"], methods=METHODS)
    pd.testing.assert_frame_equal(read, votes)


def test_a_voter_counts_once(tmp_path: Path):
    """Also under another name, as a browser saves a file that is there already."""
    names = ("votes.csv", "votes (1).csv")
    for name in names:
        (tmp_path / name).write_text(f"{HEAD}a,spin,uni_paint,spin\n")
    for second in names:
        with pytest.raises(UserError, match=r"the very votes of .*votes.csv: name each voter's file once"):
            read_votes([tmp_path / "votes.csv", tmp_path / second], methods=METHODS)
