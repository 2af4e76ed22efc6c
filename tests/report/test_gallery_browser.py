"""The pages in a real browser, opened from disk."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from records import rows_of
from small_gallery import (
    METHODS,
    NASTY,
    RECORDS,
    data_of,
    gallery_of,
    make_case,
    make_folder,
    make_scores,
    paint,
    write_results,
)

from spin_bench.report.votes import read_votes
from spin_bench.statistics.bradley_terry import bradley_terry

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_results(tmp_path_factory.mktemp("results with a space & a #"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        # Not a package of PyPI, so no install of ours can bring it; what the pages hold is tested without it, too.
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

    return WebDriverWait(browser, 60).until(lambda driver: driver.execute_script(f"return {script}"))


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
    choose(browser, subset="sketch")
    assert set(order(browser)) == {case for case in spin if case.startswith("sketch")}
    assert text_of(browser, "size").startswith("n = 12 cases")  # four are too few for a table of their own
    choose(browser, find="cat no. 9")
    assert order(browser) == ["sketch-0009"] and text_of(browser, "count") == "1 of 12 cases"
    choose(browser, find="nothing of the kind")
    assert order(browser) == [] and browser.execute_script("return !document.getElementById('none').hidden")
    assert no_complaints(browser)


def test_browser_shows_the_table_of_the_chosen_cases(browser: Any, folder: Path):
    opened(browser, folder / "index.html")
    means = "[...document.querySelectorAll('#numbers tbody:not([hidden]) .mean')].map((mean) => mean.textContent)"
    of_all = browser.execute_script(f"return {means}")
    choose(browser, subset="unseen objects")
    assert text_of(browser, "size") == (
        "unseen objects: n = 6 cases (real 4, sketch 2); images per case: 6 (Uni 2, oracle 1)."
    )
    assert text_of(browser, "missing").startswith("Missing cases: Spin: CLIP-I 1, LPIPS 1")
    uni = sum(0.9005 - 0.5 * c / 12 for c in range(1, 12, 2)) / 6
    assert browser.execute_script(f"return {means}")[2] == f"{uni:.3f}"
    assert set(order(browser)) == {f"{'real' if c < 8 else 'sketch'}-{c:04d}" for c in range(1, 12, 2)}
    choose(browser, subset="")
    assert browser.execute_script(f"return {means}") == of_all and no_complaints(browser)


def test_browser_sorts_by_a_number_of_the_table(browser: Any, folder: Path):
    opened(browser, folder / "index.html")
    cells = browser.find_elements("css selector", "#numbers tbody button")
    assert [cell.find_element("class name", "mean").text for cell in cells[2:4]] == ["0.671", "0.336"]  # Uni's means
    cells[3].click()  # LPIPS, lower is better
    chosen = [
        browser.execute_script(f"return document.getElementById('{name}').value") for name in ("metric", "method")
    ]
    assert chosen == ["1", "1"]
    assert order(browser) == sorted(order(browser), key=lambda case: -int(case[-4:]))  # it falls with the case
    head = "document.getElementById('head').getBoundingClientRect()"
    assert browser.execute_script(f"return {head}.top") >= 0  # the rows are in sight under their head
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

    opened(browser, folder / "vote.html")
    browser.execute_script("localStorage.clear()")
    browser.refresh()  # it waits for the page, where location.reload() would let keys fall on the old one
    questions = data_of(folder / "vote.html")["questions"]
    assert len(questions) == 12
    wait_for(browser, "document.getElementById('count').textContent === '0 of 12 answered'")
    shown = browser.execute_script("return document.body.innerText").lower()
    assert not any(title.lower() in shown for title in (*METHODS, *(row.title for row in METHODS.values())))
    assert wait_for(browser, "[...document.images].every((image) => image.naturalWidth)")
    for answers, question in enumerate(questions[:5], 1):  # a voter who always sees Spin ahead
        press(browser, Keys.ARROW_LEFT if question["pair"][0][0] == "spin" else Keys.ARROW_RIGHT)
        wait_for(browser, f"document.getElementById('count').textContent === '{answers} of 12 answered'")
    press(browser, Keys.ARROW_DOWN + Keys.BACKSPACE)
    answered = "document.getElementById('count').textContent === '5 of 12 answered'"
    wait_for(browser, answered)  # a key may be under way still
    browser.refresh()  # votes outlive a reload
    wait_for(browser, answered)
    for _ in questions[5:]:
        browser.find_element("id", "tie").click()
    assert browser.find_element("id", "done").is_displayed() and not browser.find_element("id", "left").is_displayed()
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    browser.find_element("id", "export").click()
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 60).until(lambda _: (tmp_path / "votes.csv").exists())
    votes = read_votes([tmp_path / "votes.csv"], methods=list(METHODS))
    assert votes["case"].tolist() == [question["case"] for question in questions]
    assert votes["left"].tolist() == [question["pair"][0][0] for question in questions]
    assert votes["winner"].tolist() == ["spin"] * 5 + ["tie"] * 7
    assert bradley_terry(votes, draws=20)["method"].tolist() == ["spin", "uni_paint"]
    assert no_complaints(browser)


def test_browser_opens_and_sorts_the_whole_benchmark_in_time(browser: Any, tmp_path: Path):
    cases = [make_case(i, "real", f"prompt {i}") for i in range(332)]
    methods = rows_of(**{f"m{i}": f"Method {i}" for i in range(6)})
    values = np.random.default_rng(0).random((6, 332, 4, 2))
    index = pd.MultiIndex.from_product(
        [list(methods), [case.id for case in cases], range(4), list(RECORDS)], names=["method", "case", "k", "metric"]
    )
    scores = index.to_frame(index=False).assign(value=values.ravel())
    scores = scores.assign(domain="real", seed=1)
    page = gallery_of(make_folder(tmp_path, cases, dict.fromkeys(methods, range(4)), scores, methods=methods))
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


def test_browser_shows_a_failure_with_its_reason_and_finds_it(browser: Any, tmp_path: Path):
    cases = [make_case(i, "real", f"prompt {i}") for i in range(4)]
    images = {"spin": range(2), "uni_paint": range(2)}
    paint(tmp_path, cases, dict.fromkeys(images, 2))
    results = make_folder(tmp_path, cases, images, make_scores(cases, dict.fromkeys(images, 2)))
    place, reason = ("uni_paint", cases[2].id), "no <b>memory</b>"
    about = replace(results.about, painted={**results.about.painted, place: ()}, failures={place: reason})
    page = gallery_of(replace(results, about=about), flags={("spin", cases[1].id, 0): "black"})
    browser.get(page.as_uri())
    odd = "document.querySelector('.row .odd')?.textContent"
    for subset, case, words in (("with a failure", 2, reason), ("with a flagged picture", 1, "1 black")):
        choose(browser, subset=subset)
        assert order(browser) == [cases[case].id] and wait_for(browser, odd) == words
