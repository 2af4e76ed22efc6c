"""Bad commands, options and sweeps: each is refused in one line with exit code 2, and nothing is written."""

import shlex
from pathlib import Path

import pytest
from surroundings import expect_refusal

from spin_bench.cli import experiment

# Words as a shell reads them -> what the line has to say.
SWEEPS = {
    "--multirun 'steps=range(1,1)'": "a sweep over no value",
    "--multirun 'steps=interval(1,2)'": "cannot be swept over",
    "--multirun steps=5,0": "steps=0: must be at least 1",
    "--multirun limt=1,2": "did you mean 'limit'",
    "--multirun stack=mini,sd16": "unknown stack 'sd16'",
    "--multirun method=spin,spun": "unknown method 'spun'",
    "--multirun 'methods=[spin],[spun]'": "unknown method 'spun'",
    "--multirun overwrite=yes,no": "must be true or false",
    "--multirun settings.spin.embedding.lr=1e-3,-1": "must be more than 0",
    "-m sweep=cgf": "did you mean 'cfg'",
    "sweep=cfg limt=1": "did you mean 'limit'",
    "sweep=cfg limit=0": "limit=0",
    "sweep=cfg experiment_name=a/b": "leave / and ..",
}
COMMANDS = {
    "valdate": "unknown command 'valdate': did you mean 'validate'",
    "reprot x": "did you mean 'report'",
    "store lss": "did you mean 'ls'",
    "store migrate": "unknown command of spin-bench store 'migrate'",
    "store ls limit=3": "unexpected extra argument",
    "store gc --unsed": "Did you mean '--unused'",
    "store gc store.unused=no": "must be true or false",
    "store gc dry_run=perhaps": "must be true or false",
    "store ls --store-dir nowhere": "nowhere",
    "store verify store_dir=nowhere": "nowhere",
    "store export": "store",
    "--multirn steps=1,2": "Did you mean '--multirun'",
    "--limit 3": "No such option",
    "report": "takes results folders",
    "report --foo": "No such option",
    "report nowhere": "nowhere",
    "report ''": "is no path",
    "diff a": "takes two results folders",
    "diff a b c": "takes two results folders",
    "diff nowhere elsewhere": "nowhere",
    "votes": "takes the CSV files",
    "votes nowhere.csv": "nowhere.csv",
    "sweep nowhere": "nowhere",
    "score": "score needs images=",
    "score images=": "score needs images=",
    "score images=nowhere methods=[spin]": "beside=",
    "score images=. experiment_name=a/b": "leave / and ..",
    "score images=. beside=[spun]": "unknown method 'spun'",
    "score images=. limt=1": "did you mean 'limit'",
    "convert": "convert needs source=",
    "convert source=nowhere": "nowhere",
    "convert sorce=x": "unknown setting 'sorce'",
    "download stack=mini": "needs nothing from the hub",
    "download stack=sd1": "unknown stack 'sd1'",
    "download settings.spin.steps=3": "settings.spin",
    "download method=spin": "asks for no method",
    "doctor verify=maybe": "must be true or false",
    "doctor stack=sd1": "unknown stack 'sd1'",
    "validate dataset=tficon": "needs dataset.root=",
    "validate dataset=x": "unknown dataset 'x'",
    "metrics stack=x": "unknown stack 'x'",
    "metrics weights=randon": "unknown weights 'randon'",
    "metrics stack.dtype=float23": "did you mean 'float32'",
    "validate-metrics limit=0": "limit=0",
    "validate-metrics limit=1.5": "limit=1.5",
    "validate-metrics metrics=[]": "metrics=[]",
    "fold experiment=x": "unknown experiment 'x'",
    "fold overwrite=no": "must be true or false",
}
TABLE = {**SWEEPS, **COMMANDS}


@pytest.fixture(autouse=True)
def _nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What gets through is no run of hours, but a failure of its row."""

    def passed(*_: object, **__: object) -> None:
        pytest.fail("the words were let through")

    for name in ("prepare", "dry_run"):
        monkeypatch.setattr(experiment, name, passed)


@pytest.mark.parametrize(("line", "message"), TABLE.items(), ids=[line[:60] for line in TABLE])
def test_bad_commands_are_one_line(
    line: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in expect_refusal(shlex.split(line), tmp_path, capsys)
