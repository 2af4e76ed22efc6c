"""Bad words: each is refused in one line with exit code 2, and nothing is written.

Names, paths and grammar of settings, all in one process and without a model; values, commands and files have tables of
their own.
"""

import shlex
from pathlib import Path

import pytest
from surroundings import expect_refusal

from spin_bench.cli import experiment

# Words as a shell reads them -> what the line has to say.
NAMES = {
    "limt=1": "did you mean 'limit'",
    "+foo=1": "unknown setting 'foo'",
    "++foo=1": "unknown setting 'foo'",
    "foo.bar=1": "unknown setting 'foo'",
    "title=x": "unknown setting 'title'",
    "verify=true": "unknown setting 'verify'",
    "reexec=false": "unknown setting 'reexec'",
    "source=x": "unknown setting 'source'",
    "store.key=3": "unknown setting 'store'",
    "metric=[clip_t]": "did you mean 'metrics'",
    "Limit=3": "did you mean 'limit'",
    "every=[steps]": "unknown setting 'every'",
    "published=methods": "unknown setting 'published'",
    "published@settings=methods": "unknown setting",
    "method@x=spin": "unknown setting",
    "stack@settings=mini": "unknown setting",
    "experiment=tabel1": "did you mean 'table1'",
    "stack=mimi": "did you mean 'mini'",
    "stack=sd16": "unknown stack 'sd16'",
    "dataset=tfcon": "did you mean 'tficon'",
    "executor=lcal": "did you mean 'local'",
    "executor=3": "unknown executor '3'",
    "sweep=cgf": "did you mean 'cfg'",
    "method=spun": "did you mean 'spin'",
    "method=3": "unknown method '3'",
    "methods=[spun]": "did you mean 'spin'",
    "methods=[spin,spun]": "unknown method 'spun'",
    "methods=[1]": "methods.0=1: must be text",
    "metrics=[clip_i_corp]": "did you mean 'clip_i_crop'",
    "metrics=[clip]": "unknown metric 'clip'",
    "metrics=[@pbee]": "did you mean '@pbe'",
    "metrics=['@']": "preset",
    "set_level=[fud]": "did you mean 'fid'",
    "best_by=nothing": "unknown metric in best_by",
    "best_by=clip_i_crop": "unknown metric in best_by",
    "dataset.domains=sketsh": "did you mean 'sketch'",
    "dataset.domains=[real,x]": "unknown domain 'x'",
    "dataset.rot=x": "did you mean 'dataset.root'",
    "stack.canvs=64": "did you mean 'stack.canvas'",
    "stack.overrides.spin.steps=3": "settings.spin.steps=",
    "stack.overrides={spin:{steps:3}}": "settings",
    "executor.nme=x": "did you mean 'executor.name'",
    "executor=ray executor.worker=3": "did you mean 'executor.workers'",
    "shard.idx=1": "did you mean 'shard.index'",
    "shard.index.x=1": "is a single value",
    "limit.x=1": "is a single value",
    "settings.spun.steps=3": "did you mean 'settings.spin'",
    "settings.spin.guidance=3": "did you mean 'settings.spin.guidance_scale'",
    "settings.spin.stepz=3": "did you mean 'settings.spin.steps'",
    "+settings.spin.stepz=3": "did you mean 'settings.spin.steps'",
    "++settings.spin.stepz=3": "did you mean 'settings.spin.steps'",
    "+settings.spin.steps=3": "leave the + out",
    "settings.spin.embedding.iters=3": "did you mean 'settings.spin.embedding.iterations'",
    "settings.spin.embedding.lr.x=3": "is a single value",
    "settings.uni_paint.reconstruction=magic": "unknown setting 'settings.uni_paint.reconstruction'",
    "settings.spin={stepz:3}": "did you mean 'settings.spin.steps'",
    "method=spin method.guidance=3": "did you mean 'method.guidance_scale'",
    "method=oracle method.steps=3": "unknown setting 'method.steps'",
    "method.steps=3": "method",
    "variants.spun.a.steps=3": "unknown method in variants 'spun'",
    "variants.spin.a.stepz=3": "did you mean 'variants.spin.a.steps'",
    "+variants.spin.a={stepz:3}": "did you mean 'variants.spin.a.steps'",
    "variants.spin.oracle={steps:3}": "the name is taken",
    "samples_for.spun=3": "unknown method in samples_for",
    "hydra.foo=1": "hydra.foo",
    "hydra.mode=X": "hydra.mode",
}
FOLDERS = {
    "experiment_name=a/b": "leave / and ..",
    "experiment_name=../a": "leave / and ..",
    "experiment_name=/abs": "leave / and ..",
    "'experiment_name=\"a\\\\b\"'": "leave / and ..",
    "experiment_name=..": "no name of a folder",
    "experiment_name=.": "no name of a folder",
    "experiment_name=": "no name of a folder",
    "\"experiment_name=' '\"": "no name of a folder",
    "\"experiment_name='a '\"": "no name of a folder",
    "experiment_name=$'a\\nb'": "experiment_name",
    f"experiment_name={'a' * 300}": "300 bytes are too many",
    "results_dir=": "is no path",
    "store_dir=''": "is no path",
    "results_dir=~nobody_of_this_name/x": "without ~",
    "dataset.root=~nobody_of_this_name/x": "without ~",
    "stack.root=~nobody_of_this_name": "without ~",
}
GRAMMAR = {
    "limit": "unknown command 'limit'",
    "limit=1 samples": "a setting needs a value",
    "experiment=table1 'a b'": "a setting needs a value",
    "=3": "",
    "limit==3": "quote what is no plain word",
    "experiment_name=a=b": "quote what is no plain word: 'experiment_name=\"a=b\"'",
    "experiment_name=é": "quote what is no plain word",
    "experiment_name=a(b": "quote what is no plain word",
    "'methods=[spin'": "quote what is no plain word",
    "'variants.spin={a: '": "quote what is no plain word",
    '"experiment_name=\'a"': "quote what is no plain word",
    "'settings.spin.text={} in glass'": "quote what is no plain word",
    "'results_dir=${nope}'": "results_dir",
    "'experiment_name=${nope}'": "experiment_name",
    "'limit=${experiment_name}'": "limit",
    "'limit=${oc.env:NO_SUCH_VARIABLE}'": "limit",
    "'limit=${'": "quote what is no plain word",
    "results_dir=???": "results_dir",
    "limit=???": "limit",
    "methods=???": "methods",
    "~limit": "cannot be taken away",
    "~stack": "cannot be taken away",
    "~settings.spin": "cannot be taken away",
    "~settings.spin.steps": "cannot be taken away",
    "~samples_for": "take out what is in it",
    "~nothing": "unknown setting 'nothing'",
    "limit=1,2": "add --multirun",
    "stack=mini,sd14": "add --multirun",
    "results_dir=a,b": "add --multirun",
    "'limit=range(1,3)'": "add --multirun",
}
TABLE = {**NAMES, **FOLDERS, **GRAMMAR}


@pytest.fixture(autouse=True)
def _nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What gets through is no run of hours, but a failure of its row."""

    def passed(*_: object, **__: object) -> None:
        pytest.fail("the words were let through")

    for name in ("prepare", "dry_run"):
        monkeypatch.setattr(experiment, name, passed)


@pytest.mark.parametrize(("line", "message"), TABLE.items(), ids=[line[:60] for line in TABLE])
def test_bad_words_are_one_line(
    line: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [word.replace("$a\\nb", "a\nb") for word in shlex.split(line)]
    assert message in expect_refusal(words, tmp_path, capsys)
