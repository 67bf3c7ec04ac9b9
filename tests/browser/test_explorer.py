import csv
import io
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from dssl.report.explorer.page import render
from dssl.simulate.library import drug_like_library
from tests.explored import SMILES, explored

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HOSTILE = {"names": ["<script>alert(1)</script>", "=cmd()", "x" * 500], "mechanism": "<img src=x onerror=alert(2)>"}
REDRAWN = """(() => {
    const from = performance.now();
    maps.forEach((map) => map.draw());
    return performance.now() - from;
})()"""
Open = Callable[..., "Page"]


@pytest.fixture
def opened(browser: "Browser", tmp_path: Path) -> Iterator[Open]:
    """Opens a page from disk; fails if it complained or asked for anything but itself."""
    complaints: list[str] = []
    contexts = []

    def open_page(content: dict[str, Any], width: int = 1440, height: int = 900) -> "Page":
        path = tmp_path / "explorer.html"
        path.write_text(render(content), encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"a dialog: {dialog.message}"))
        page.on(
            "request",
            lambda request: complaints.append(request.url) if request.url.startswith(("http", "ws")) else None,
        )
        page.goto(path.as_uri())
        page.wait_for_selector("body[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def on_map(page: "Page", place: int, compound: int) -> tuple[float, float]:
    """Where a compound lies on the screen."""
    box = page.locator(".canvas canvas:last-child").nth(place).bounding_box()
    x, y = page.evaluate(f"[maps[{place}].x[{compound}], maps[{place}].y[{compound}]]")
    assert box is not None
    return box["x"] + x, box["y"] + y


def download(page: "Page", button: str, tmp_path: Path) -> bytes:
    with page.expect_download() as waiting:
        page.click(button)
    path = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path.read_bytes()


def test_hover_click_and_neighbours(opened: Open) -> None:
    page = opened(explored(60))
    assert page.locator(".map").count() == 3
    page.mouse.move(*on_map(page, 1, 7))
    page.wait_for_selector("#tip:not([hidden])")
    hovered = page.evaluate("state.hovered")
    assert page.inner_text("#tip strong") == f"compound {hovered}"
    assert "Mechanism" in page.inner_text("#tip")
    page.mouse.down()
    page.mouse.up()
    assert page.evaluate("state.selected") == hovered
    panel = page.inner_text("#panel")
    assert f"C{hovered:05d}" in panel
    assert "Among 30 compounds held out in fold" in panel
    assert page.locator("#panel .heat td[style]").count() == 6
    assert page.locator("#panel .wells tbody tr").count() == 4
    assert page.locator("#panel .codes .card").count() == 4 * 8
    page.locator("#panel .codes .card").first.click()
    expected = explored(60)["codes"][0]["places"][hovered * 8] - 1
    assert page.evaluate("state.selected") == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("C00007", {7}),
        ("compound 12", {12}),
        ("[nH]", {i for i in range(40) if "[nH]" in SMILES[i % 8]}),
        ("morpholine", {i for i in range(40) if i % 8 == 6}),
        ("mechanism 3", {i for i in range(40) if i % 12 == 3}),
    ],
)
def test_search(opened: Open, words: str, expected: set[int]) -> None:
    page = opened(explored(40))
    page.keyboard.press("/")
    page.keyboard.type(words)
    found = {int(each) for each in page.eval_on_selector_all("#list .row", "rows => rows.map((row) => row.dataset.i)")}
    assert found == expected
    assert page.evaluate("Array.from(state.marked).reduce((a, b) => a + b)") == len(expected)
    page.keyboard.press("ArrowDown")
    assert page.evaluate("state.selected") in expected
    page.keyboard.press("Escape")
    assert page.locator("#list .row").count() == 40


def test_the_keyboard_walks_through_the_list_and_over_a_map(opened: Open) -> None:
    page = opened(explored(30))
    page.focus("#list")
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    assert page.evaluate("state.selected") == 2
    assert page.get_attribute("#list", "aria-activedescendant") == "row2"
    assert page.inner_text("#status") == "compound 2, mechanism 2"
    page.locator(".canvas canvas:last-child").nth(2).focus()
    page.keyboard.press("ArrowRight")
    moved = page.evaluate("[state.selected, maps[2].x[state.selected] > maps[2].x[2]]")
    assert moved[0] != 2
    assert moved[1]


def test_the_held_out_retrieval_in_both_directions(opened: Open) -> None:
    content = explored(50)
    ranks = next(each for each in content["columns"] if each["name"] == "rank_phenotype_to_molecule")["data"]
    page = opened(content)
    page.locator("#list .row").nth(4).click()
    page.click("#tab-phenotype_to_molecule")
    text = page.inner_text("#panel")
    assert f"Rank {ranks[4]:g} of 25" in text
    assert "chance: rank 13" in text
    assert page.locator("#panel .card.right").count() == 1
    page.keyboard.press("ArrowRight")
    assert "Which phenotype belongs to this molecule?" in page.inner_text("#panel")


def test_a_predicted_profile_stands_beside_its_measured_error(opened: Open) -> None:
    content = explored(50)
    page = opened(content)
    page.evaluate("select(2)")
    picture = page.locator("#panel .prediction")
    assert (
        picture.get_attribute("aria-label")
        == "This compound (1 µM) on the cell state of plate <P2>, by compartment × channel"
    )
    texts = picture.locator("title").all_text_contents()
    assert len(texts) == 6
    assert all("not measured; error on 107 held-out compounds" in text for text in texts)
    page.select_option("#panel select", label="This compound (1 µM) on the cell state of plate P1")
    shown = page.locator("#panel .prediction")
    places = content["counterfactuals"]
    first = (places["starts"][2] + 1) * 6
    value, truth = places["predicted"][first] / 100, places["measured"][first] / 100
    title = (shown.locator("title").first.text_content() or "").replace("95 %", "")
    numbers = [float(each.replace("\N{MINUS SIGN}", "-")) for each in re.findall("[\N{MINUS SIGN}]?[0-9.]+", title)]
    assert numbers[:5] == pytest.approx([3, value, value - 1.96 * 0.5, value + 1.96 * 0.5, truth], abs=0.01)
    text = page.inner_text("#panel")
    assert "is better than the best control, ridge regression on the profile" in text
    assert "from its structure: no profiles are shown, since a simple control" in text
    page.evaluate("select(3)")
    assert page.locator("#panel .prediction").count() == 0
    assert "it was never held out" in page.inner_text("#panel")


def test_the_lasso_selects_and_the_selection_is_saved(opened: Open, tmp_path: Path) -> None:
    page = opened(explored(90))
    points = np.array([on_map(page, 1, i) for i in range(90)])
    inside = set(range(1, 90, 3))  # one of the three groups lies apart on every map
    low, high = (getattr(points[sorted(inside)], name)(axis=0) for name in ("min", "max"))
    corners = [low - 6, [high[0] + 6, low[1] - 6], high + 6, [low[0] - 6, high[1] + 6]]
    expected = {i for i, point in enumerate(points) if (point > low - 6).all() and (point < high + 6).all()}
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner, steps=5)
    page.mouse.up()
    assert page.inner_text("#count") == f"{len(expected)} compounds inside the lasso"
    rows = list(csv.DictReader(io.StringIO(download(page, "#save-table", tmp_path).decode("utf-8-sig"))))
    assert {int(row["compound_id"][1:]) for row in rows} == expected
    assert all(row["smiles"] == SMILES[int(row["compound_id"][1:]) % 8] for row in rows)
    drawing = download(page, "#save-svg", tmp_path).decode()
    assert drawing.count("<circle") >= 3 * 90
    assert "Specific code of molecules" in drawing
    assert download(page, "#save-png", tmp_path).startswith(b"\x89PNG")


def test_what_a_user_typed_is_shown_as_typed_and_no_spreadsheet_runs_it(opened: Open, tmp_path: Path) -> None:
    content = explored(24)
    content["names"][:3] = HOSTILE["names"]
    content["about"]["title"] = "</title><script>alert(3)</script>"
    next(each for each in content["columns"] if each["name"] == "mechanism")["values"][0] = HOSTILE["mechanism"]
    page = opened(content)
    assert page.inner_text("h1") == "</title><script>alert(3)</script>"
    for place in range(3):
        page.locator("#list .row").nth(place).click()
        assert page.get_attribute("#panel h2", "title") == HOSTILE["names"][place]
    assert HOSTILE["mechanism"] in page.inner_text("#legend")
    rows = list(csv.DictReader(io.StringIO(download(page, "#save-table", tmp_path).decode("utf-8-sig"))))
    assert [row["name"] for row in rows[:3]] == ["<script>alert(1)</script>", "'=cmd()", "x" * 500]
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_colours_of_many_categories_and_of_numbers(opened: Open) -> None:
    page = opened(explored(200, n_mechanisms=100))
    assert page.locator("#legend .chip").count() == 9
    assert "92 others" in page.inner_text("#legend")
    page.click("#choose")
    page.fill("#choose-search", "mechanism 77")
    page.locator("#choices input").first.check()
    assert "mechanism 77" in page.inner_text("#legend")
    page.select_option("#color", label="Cell count")
    assert "cells per well" in page.inner_text("#legend")
    page.select_option("#color", label="Percentile, phenotype to molecule")
    assert "chance 0.5" in page.inner_text("#legend")


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (820, 1180)])
@pytest.mark.parametrize("n", [1, 60])
def test_both_sizes_fit_and_are_drawn(opened: Open, tmp_path: Path, width: int, height: int, n: int) -> None:
    page = opened(explored(n), width, height)
    page.locator("#list .row").first.click()
    page.screenshot(path=tmp_path / f"explorer_{n}_{width}.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    pixels = page.evaluate(
        "maps.map(({points}) => points.getContext('2d').getImageData(0, 0, points.width, points.height).data"
        ".filter((value, k) => k % 4 === 3 && value).length)"
    )
    assert min(pixels) >= 20


def test_twenty_thousand_compounds(opened: Open, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    n = 20_000
    content = many(n)
    page = opened(content)
    size = (tmp_path / "explorer.html").stat().st_size
    seconds = page.evaluate("explorerReadyAfter") / 1000
    redraw = page.evaluate(REDRAWN)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{n} compounds: {size / 1e6:.1f} MB, interactive after {seconds:.2f} s, maps redrawn in {redraw:.0f} ms\n"
        )
    assert size < 15e6
    page.fill("#search", "compound 19999")
    assert page.locator("#list .row").count() == 1


def many(n: int) -> dict[str, Any]:
    """A large screen. Its structures recur, so their coordinates are made to differ, lest they take less room than others."""
    rng = np.random.default_rng(0)
    smiles = list(drug_like_library(150, rng)["smiles"])
    content = explored(n, n_mechanisms=10_000, smiles=smiles)
    for axis in "xy":
        content["structures"][axis] += rng.integers(-99, 100, content["structures"][axis].size).astype(np.int16)
    return content
