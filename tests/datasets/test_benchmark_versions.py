"""The embedded benchmark's second version: every reference is an individual, and no prompt says which."""

import json

import numpy as np

from spin_bench.core.case import Case
from spin_bench.datasets.entry import read_entry
from spin_bench.datasets.tficon import load_case
from spin_bench.mini.benchmark import COUNTS, FOLDERS, make_task, write_case
from spin_bench.mini.looks import looks
from spin_bench.mini.sprites import nouns


def test_the_second_benchmark_shows_individuals_among_their_kind():
    tasks = [make_task(domain, index, 2) for domain, count in COUNTS.items() for index in range(1, count + 1)]
    kinds = 0
    for task in tasks:
        one, other = task.scene.objects[-1].instance, task.photo.objects[-1].instance
        assert one == other and one.look
        assert task.scene.place != task.photo.place and task.photo.domain == "real"
        assert len(task.photo.objects) >= 2
        assert task.novel == (one.noun in nouns("novel"))
        assert task.novel_look == ((one.look.colour, one.look.pattern) in looks("novel"))
        assert not (task.novel and task.novel_look)
        kinds += any(placement.instance.noun == one.noun for placement in task.photo.objects[:-1])
    assert {task.instance.noun for task in tasks if task.novel} == set(nouns("novel"))
    assert 0.15 < np.mean([task.novel for task in tasks]) < 0.35
    assert 0.1 < np.mean([task.novel_look for task in tasks]) < 0.3
    assert kinds / len(tasks) > 0.4


def _case(root, index: int = 3) -> tuple[Case, dict]:
    write_case(root, "real", index, 2)
    (folder,) = (root / FOLDERS["real"]).iterdir()
    entry, problems = read_entry(folder)
    assert entry is not None and not problems
    return load_case(entry, 64), json.loads((folder / "facts.json").read_text())


def test_facts_say_the_look_and_prompts_do_not(tmp_path):
    case, facts = _case(tmp_path)
    instance = make_task("real", 3, 2).instance
    assert (case.subject, case.colour, case.pattern) == (instance.noun, instance.look.colour, instance.look.pattern)
    assert facts["version"] == 2
    assert not {case.colour, case.pattern} & set(case.prompt.replace(",", " ").split())


def test_versions_of_the_benchmark_are_told_apart(tmp_path):
    new, _ = _case(tmp_path / "new")
    write_case(tmp_path / "old", "real", 3)
    (folder,) = (tmp_path / "old" / FOLDERS["real"]).iterdir()
    entry, _ = read_entry(folder)
    old = load_case(entry, 64)
    assert (old.colour, old.pattern) == ("", "")
    assert old.id == new.id and old.digest != new.digest
