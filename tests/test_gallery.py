"""The gallery and the ballot: what their pages hold, and, where Chromium is installed, what they do."""

import json
import math
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from spin_bench.case import Case
from spin_bench.errors import UserError
from spin_bench.report.ballot import draw_ballot, write_ballot
from spin_bench.report.gallery import find_painted, write_gallery
from spin_bench.report.votes import bradley_terry, read_votes

METHODS = {"spin": "Spin", "uni_paint": "Uni", "oracle": "oracle"}
NASTY = '</script><script>document.title = "broken"</script> <b>bold</b> & "quotes" <!-- <script>'


@dataclass(frozen=True)
class Facts:
    name: str
    title: str
    higher_is_better: bool | None = True
    unit: str = ""
    digits: int = 3
    encoder: str = ""


RECORDS = {"clip_i": Facts("clip_i", "CLIP-I"), "lpips": Facts("lpips", "LPIPS", False)}


def make_case(i: int, domain: str, prompt: str) -> Case:
    plain = Image.new("RGB", (16, 16), (20 * i % 256, 99, 9))
    mask = Image.new("L", (16, 16), 0)
    mask.paste(255, (4, 4, 12, 12))
    return Case(f"{domain}-{i:04d}", domain, prompt, plain, mask, plain.resize((64, 32)), None)


def make_scores(cases: list[Case], images: dict[str, int]) -> pd.DataFrame:
    """CLIP-I rises with the case under Spin and falls under Uni; LPIPS is half of it."""
    n = len(cases)
    rise = {"spin": lambda c: 0.1 + 0.8 * c / n, "uni_paint": lambda c: 0.9 - 0.5 * c / n, "oracle": lambda c: 1.0}
    rows = [
        (method, case.id, case.domain, k, 1, metric, scale * (rise[method](c) + 0.001 * k))
        for method, count in images.items()
        for c, case in enumerate(cases)
        for k in range(count)
        for metric, scale in (("clip_i", 1.0), ("lpips", 0.5))
    ]
    return pd.DataFrame(rows, columns=["method", "case", "domain", "k", "seed", "metric", "value"])


def paint(folder: Path, cases: list[Case], images: dict[str, int]) -> None:
    for method, count in images.items():
        for case in cases:
            for k in range(count):
                path = folder / "images" / method / case.id / f"{k}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                case.background.save(path)


IMAGES = {"spin": 6, "uni_paint": 2, "oracle": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with both pages: 12 cases, one of them with a prompt that tries to break out."""
    folder = tmp_path_factory.mktemp("results with a space & a #")
    prompts = [NASTY, *(f"a cat no. {i}" if i % 2 else f"a dog no. {i}" for i in range(1, 12))]
    cases = [make_case(i, "real" if i < 8 else "sketch", prompt) for i, prompt in enumerate(prompts)]
    paint(folder, cases, IMAGES)
    scores = make_scores(cases, IMAGES)
    scores.loc[(scores["case"] == "real-0003") & (scores["method"] == "spin"), "value"] = math.nan
    write_gallery(
        folder, cases=cases, scores=scores, methods=METHODS, records=RECORDS, title=f"T {NASTY}", notes=[NASTY],
        ballot=True,
    )  # fmt: skip
    write_ballot(folder, cases=cases, methods={name: METHODS[name] for name in ("spin", "uni_paint")}, title="T")
    return folder


def data_of(page: Path) -> Any:
    blocks = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    assert len(blocks) == 1
    return json.loads(blocks[0])


def test_page_holds_every_score_and_picture(folder: Path):
    data = data_of(folder / "index.html")
    assert [method["name"] for method in data["methods"]] == list(METHODS)
    assert [method["competes"] for method in data["methods"]] == [True, True, False]
    assert [(m["title"], m["better"]) for m in data["metrics"]] == [("CLIP-I", 1), ("LPIPS", -1)]
    assert [case["id"] for case in data["cases"]] == [*(f"real-{i:04d}" for i in range(8)),
                                                      *(f"sketch-{i:04d}" for i in range(8, 12))]  # fmt: skip
    for c, case in enumerate(data["cases"]):
        assert case["images"] == [[0, 1, 2, 3, 4, 5], [0, 1], [0]]
        for m, ks in enumerate(case["images"]):
            for place, k in enumerate(ks):
                assert (folder / "images" / list(METHODS)[m] / case["id"] / f"{k}.png").exists()
                clip, lpips = case["scores"][m][place]
                if (c, m) == (3, 0):
                    assert clip is None and lpips is None  # missing, not NaN, which JSON does not know
                else:
                    base = [0.1 + 0.8 * c / 12, 0.9 - 0.5 * c / 12, 1.0][m] + 0.001 * k
                    assert (clip, lpips) == (pytest.approx(base, abs=1e-5), pytest.approx(base / 2, abs=1e-5))


def test_markup_in_texts_stays_text(folder: Path):
    page = (folder / "index.html").read_text()
    assert data_of(folder / "index.html")["cases"][0]["prompt"] == NASTY
    assert page.count("<b>") == 0 and page.count("<!--") == 0
    assert page.count("<script") == page.count("</script>") == 2  # the data and the program
    assert "&lt;/script&gt;" in page.split("</title>")[0]


@pytest.mark.parametrize("name", ["index.html", "votes.html"])
def test_page_needs_no_network(folder: Path, name: str):
    page = (folder / name).read_text()
    links = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert set(links) <= {"data:,", "votes.html"}
    assert "http:" not in page and "https:" not in page and "@import" not in page


def test_inputs_are_the_cases_pictures_and_no_older_ones(tmp_path: Path):
    (tmp_path / "inputs" / "gone").mkdir(parents=True)
    case = make_case(1, "real", "p")
    write_gallery(tmp_path, cases=[case], scores=make_scores([case], {}), methods=METHODS, records=RECORDS, title="t")
    assert [path.name for path in (tmp_path / "inputs").iterdir()] == [case.id]
    stored = {path.stem: Image.open(path) for path in (tmp_path / "inputs" / case.id).iterdir()}
    assert np.array_equal(np.asarray(stored["background"]), np.asarray(case.background))
    assert np.array_equal(np.asarray(stored["mask"]), np.asarray(case.mask))
    assert stored["reference"].size == (16, 8)  # no larger than the canvas
    assert data_of(tmp_path / "index.html")["cases"][0]["images"] == [[], [], []]


def test_same_run_gives_the_same_page_and_favourites_come_first(tmp_path: Path):
    case = make_case(1, "real", "p")
    paint(tmp_path, [case], {"spin": 3})
    found = find_painted(tmp_path, methods=["spin"], cases=[case.id])
    assert found == {("spin", case.id): [0, 1, 2]}
    arguments = {"cases": [case], "methods": {"spin": "Spin"}, "records": RECORDS, "title": "t"}
    scores = make_scores([case], {"spin": 3})
    first = write_gallery(tmp_path, scores=scores, **arguments).read_bytes()
    assert write_gallery(tmp_path, scores=scores.iloc[::-1], **arguments).read_bytes() == first
    page = write_gallery(tmp_path, scores=scores, painted={("spin", case.id): [2, 0, 1]}, **arguments)
    shown = data_of(page)["cases"][0]
    assert shown["images"] == [[2, 0, 1]] and shown["scores"][0][0][0] == pytest.approx(0.102)


def test_nothing_to_show_is_one_line(tmp_path: Path):
    with pytest.raises(UserError, match="no cases to show"):
        write_gallery(tmp_path, cases=[], scores=make_scores([], {}), methods=METHODS, records=RECORDS, title="t")
    case = make_case(1, "real", "p")
    with pytest.raises(UserError, match="needs two methods"):
        write_ballot(tmp_path, cases=[case], methods={"spin": "Spin"}, title="t")
    with pytest.raises(UserError, match=r"no case in .* has pictures of two"):
        write_ballot(tmp_path, cases=[case], methods=METHODS, title="t")


def test_ballot_is_balanced_and_never_asks_twice():
    painted = {(method, f"c{i}"): [0] for method in ("a", "b", "c") for i in range(40)}
    painted["c", "c7"] = []  # failed
    asked = draw_ballot(painted, questions=90, seed=1)
    pairs = [frozenset(pair) for pair in zip(asked["left"], asked["right"], strict=True)]
    assert set(Counter(pairs).values()) == {30}
    assert len(set(zip(asked["case"], pairs, strict=True))) == 90
    assert not any(case == "c7" and "c" in pair for case, pair in zip(asked["case"], pairs, strict=True))
    sides = Counter(asked["left"])
    assert all(15 <= sides[method] <= 45 for method in "abc")  # of 60 questions each
    pd.testing.assert_frame_equal(draw_ballot(painted, questions=90, seed=1), asked)
    assert not draw_ballot(painted, questions=90, seed=2).equals(asked)
    assert len(draw_ballot(painted, questions=10_000, seed=1)) == 40 + 39 + 39


# In a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("Chromium and its driver are not installed")
    options = webdriver.ChromeOptions()
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--window-size=1400,900",
    ):
        options.add_argument(flag)
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield browser
    browser.quit()


def choose(browser: Any, **values: str) -> None:
    """Set controls by id and let the page know."""
    for name, value in values.items():
        browser.execute_script(
            "const e = document.getElementById(arguments[0]); e.value = arguments[1];"
            "e.dispatchEvent(new Event(e.tagName === 'SELECT' ? 'change' : 'input', {bubbles: true}));",
            name,
            value,
        )


def order(browser: Any) -> list[str]:
    return browser.execute_script("return [...document.querySelectorAll('.row')].map((row) => row.item.id)")


def press(browser: Any, key: str) -> None:
    browser.switch_to.active_element.send_keys(key)


def text_of(browser: Any, name: str) -> str:
    return browser.execute_script("return document.getElementById(arguments[0]).textContent", name)


def no_complaints(browser: Any) -> bool:
    return browser.get_log("browser") == []


def wait_for(browser: Any, script: str) -> Any:
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, 20).until(lambda driver: driver.execute_script(f"return {script}"))


def opened(browser: Any, page: Path) -> None:
    browser.get_log("browser")
    browser.get(page.as_uri())


def test_browser_sorts_and_filters(browser: Any, folder: Path):
    opened(browser, folder / "index.html")
    spin = {f"{'real' if c < 8 else 'sketch'}-{c:04d}": 0.1025 + 0.8 * c / 12 for c in range(12) if c != 3}
    uni = {case: 0.9005 - 0.5 * int(case[-4:]) / 12 for case in spin}
    assert browser.title == f"T {NASTY}"
    assert browser.execute_script("return document.querySelector('.row .prompt').textContent") == NASTY
    assert browser.execute_script("return document.querySelectorAll('.row b').length") == 0
    assert order(browser) == sorted([*spin, "real-0003"])
    choose(browser, metric="0")
    assert order(browser) == [*sorted(spin, key=lambda case: -spin[case]), "real-0003"]  # the missing one last
    choose(browser, order="worst")
    assert order(browser) == [*sorted(spin, key=lambda case: spin[case]), "real-0003"]
    choose(browser, metric="1", order="best")  # lower is better
    assert order(browser) == [*sorted(spin, key=lambda case: spin[case]), "real-0003"]
    choose(browser, metric="0", rival="1", order="apart")
    assert order(browser) == [*sorted(spin, key=lambda case: -abs(spin[case] - uni[case])), "real-0003"]
    choose(browser, domain="sketch")
    assert set(order(browser)) == {case for case in spin if case.startswith("sketch")}
    choose(browser, find="cat no. 9")
    assert order(browser) == ["sketch-0009"] and text_of(browser, "count") == "1 of 12 cases"
    choose(browser, find="nothing of the kind")
    assert order(browser) == [] and browser.execute_script("return !document.getElementById('none').hidden")
    assert no_complaints(browser)


def test_browser_compares_by_keyboard_and_mouse(browser: Any, folder: Path):
    from selenium.webdriver.common.keys import Keys

    opened(browser, folder / "index.html")
    wait_for(browser, "document.querySelectorAll('.row .cell').length > 0")
    first = "document.querySelector('.row.at')?.item.id"
    press(browser, "jjjk")
    assert browser.execute_script(f"return {first}") == "real-0002"
    press(browser, Keys.ARROW_RIGHT + Keys.ENTER)  # from Spin to Uni
    assert text_of(browser, "leftTag") == "background" and text_of(browser, "rightTag") == "Uni · 0"
    heads = "[...document.querySelectorAll('#scores tr')].map((row) => [...row.cells].map((cell) => cell.textContent))"
    uni = 0.9 - 0.5 * 2 / 12
    assert wait_for(browser, heads) == [["CLIP-I ↑", "–", f"{uni:.3f}", "–"], ["LPIPS ↓", "–", f"{uni / 2:.3f}", "–"]]
    choose(browser, leftSide="4")  # background, mask, reference, Spin 0, Spin 1
    spin = 0.1 + 0.8 * 2 / 12 + 0.001
    assert wait_for(browser, heads)[0] == ["CLIP-I ↑", f"{spin:.3f}", f"{uni:.3f}", f"+{uni - spin:.3f}"]
    assert browser.execute_script("return document.querySelector('td.better').textContent") == f"{uni:.3f}"
    browser.execute_script("document.getElementById('slider').focus()")
    at = "document.getElementById('stage').style.getPropertyValue('--at')"
    press(browser, Keys.ARROW_LEFT * 3)
    assert browser.execute_script(f"return {at}") == "35%"
    press(browser, Keys.ARROW_RIGHT * 20)
    assert browser.execute_script(f"return {at}") == "100%"
    from selenium.webdriver.common.action_chains import ActionChains

    stage = browser.find_element("id", "stage")
    half = stage.size["width"] / 4
    ActionChains(browser).move_to_element_with_offset(stage, -int(half), 0).click().perform()
    assert float(browser.execute_script(f"return parseFloat({at})")) == pytest.approx(25, abs=1)
    assert wait_for(browser, "[...document.querySelectorAll('#stage img:not([hidden])')].every((i) => i.naturalWidth)")
    browser.execute_script("document.getElementById('slider').focus()")
    press(browser, "m")
    assert browser.find_element("id", "overlay").is_displayed()
    press(browser, "mj")
    assert not browser.find_element("id", "overlay").is_displayed()
    assert text_of(browser, "caseTitle").startswith("real-0003") and wait_for(browser, heads)[0][1] == "–"
    press(browser, "x")
    assert text_of(browser, "leftTag") == "Uni · 0" and text_of(browser, "rightTag") == "Spin · 1"
    press(browser, Keys.ESCAPE)
    assert not browser.execute_script("return document.getElementById('compare').open")
    assert browser.execute_script(f"return {first}") == "real-0003"  # where the dialog had gone
    assert no_complaints(browser)


def test_browser_votes_are_counted(browser: Any, folder: Path, tmp_path: Path):
    from selenium.webdriver.common.keys import Keys

    opened(browser, folder / "votes.html")
    browser.execute_script("localStorage.clear(); location.reload()")
    questions = data_of(folder / "votes.html")["questions"]
    assert len(questions) == 12
    wait_for(browser, "document.getElementById('count').textContent === '0 of 12 answered'")
    shown = browser.execute_script("return document.body.innerText").lower()
    assert not any(title.lower() in shown for title in (*METHODS, *METHODS.values()))
    assert wait_for(browser, "[...document.images].every((image) => image.naturalWidth)")
    for question in questions[:5]:  # a voter who always sees Spin ahead
        press(browser, Keys.ARROW_LEFT if question["pair"][0][0] == "spin" else Keys.ARROW_RIGHT)
    press(browser, Keys.ARROW_DOWN + Keys.BACKSPACE)
    browser.refresh()  # votes outlive a reload
    wait_for(browser, "document.getElementById('count').textContent === '5 of 12 answered'")
    for _ in questions[5:]:
        browser.find_element("id", "tie").click()
    assert browser.find_element("id", "done").is_displayed() and not browser.find_element("id", "left").is_displayed()
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    browser.find_element("id", "export").click()
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 20).until(lambda _: (tmp_path / "votes.csv").exists())
    votes = read_votes([tmp_path / "votes.csv"], methods=list(METHODS))
    assert votes["case"].tolist() == [question["case"] for question in questions]
    assert votes["left"].tolist() == [question["pair"][0][0] for question in questions]
    assert votes["winner"].tolist() == ["spin"] * 5 + ["tie"] * 7
    assert bradley_terry(votes, draws=20)["method"].tolist() == ["spin", "uni_paint"]
    assert no_complaints(browser)


def test_browser_opens_and_sorts_the_whole_benchmark_in_time(browser: Any, tmp_path: Path):
    cases = [make_case(i, "real", f"prompt {i}") for i in range(332)]
    methods = {f"m{i}": f"Method {i}" for i in range(6)}
    values = np.random.default_rng(0).random((6, 332, 4, 2))
    index = pd.MultiIndex.from_product(
        [list(methods), [case.id for case in cases], range(4), list(RECORDS)], names=["method", "case", "k", "metric"]
    )
    scores = index.to_frame(index=False).assign(value=values.ravel())
    painted = {(method, case.id): range(4) for method in methods for case in cases}
    page = write_gallery(
        tmp_path, cases=cases, scores=scores, methods=methods, records=RECORDS, title="t", painted=painted
    )
    browser.get(page.as_uri())
    loaded = wait_for(browser, "performance.getEntriesByType('navigation')[0].loadEventEnd")
    assert loaded < 2000  # ms
    took = browser.execute_async_script(
        "const done = arguments[0], from = performance.now(), metric = document.getElementById('metric');"
        "metric.value = '0'; metric.dispatchEvent(new Event('change'));"
        "requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - from)));"
    )
    assert took < 2000
    mean = dict(zip([case.id for case in cases], values[0, :, :, 0].mean(-1), strict=True))
    assert order(browser) == sorted(mean, key=lambda case: -mean[case])
    near = wait_for(browser, "document.querySelectorAll('.row img').length")
    assert near < 30 * 27  # rows far from the screen are empty
    browser.execute_script("document.getElementById('main').scrollTop = 1e9")
    last = "[...document.querySelectorAll('.row')]"
    assert wait_for(browser, f"{last}.at(-1).querySelectorAll('img').length") == 27
    assert wait_for(browser, f"{last}[0].querySelectorAll('img').length === 0")
