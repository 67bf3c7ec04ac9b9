"""The report in Chromium, opened from disk: quiet, offline, usable by keyboard, and its files can be taken home."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dssl.report.content import Answers, Cell, Figure, Folded, Section, Table, Text
from dssl.report.figures import csv_text, style, svg_uri
from dssl.report.page import render

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NASTY = "<script>document.title = 'run'</script>"
SIZES = ((1440, 900), (820, 1180))


def figure(name: str, n: int) -> Figure:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas

    with style():
        canvas = Canvas(figsize=(9, 3), layout="constrained")
        canvas.subplots().plot(range(n))
        return Figure(NASTY, NASTY, svg_uri(canvas), name, csv_text(pd.DataFrame({"value": range(n)})))


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [[Cell(NASTY), *(Cell(f"column {k} of a wide table") for k in range(30))] for _ in range(4)]
    wide = Table("A wide table", ["name", *(f"column {k}" for k in range(30))], rows)
    # over 1 MB of numbers: near the longest address that Chromium opens
    parts = [figure("small", 5), figure("large", 180_000), wide, Folded("More", [Text(NASTY), figure("folded", 3)])]
    sections = [
        Section("short", "In short", [], [Answers([(NASTY, [NASTY], "data")])]),
        Section("data", NASTY, [NASTY], parts),
    ]
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render(NASTY, NASTY, "0", False, sections), encoding="utf-8")
    return path


@pytest.fixture(params=SIZES, ids=["desk", "tablet"])
def page(browser: "Browser", page_file: Path, request: pytest.FixtureRequest) -> "Iterator[Page]":
    """The page at one size; what it logs or asks of a network makes the test fail."""
    width, height = request.param
    opened = browser.new_page(viewport={"width": width, "height": height})
    heard: list[str] = []
    opened.on("console", lambda message: heard.append(message.text))
    opened.on("pageerror", lambda error: heard.append(str(error)))
    opened.on("request", lambda made: heard.append(made.url) if not made.url.startswith(("file:", "data:")) else None)
    opened.goto(page_file.as_uri())
    yield opened
    opened.close()
    assert heard == []


def test_what_was_typed_is_shown_and_not_run(page: "Page") -> None:
    assert page.title() == NASTY
    assert page.locator("h1").inner_text() == NASTY
    assert page.locator("dt").inner_text() == NASTY
    assert page.locator("script").count() == 0


def test_the_page_is_no_wider_than_the_window_and_its_images_are_there(page: "Page") -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    widths = page.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert widths
    assert min(widths) > 0


def test_every_file_can_be_downloaded(page: "Page", tmp_path: Path) -> None:
    page.locator("summary").first.click()
    links = page.locator("a[download]")
    assert links.count() == 6
    for place in range(links.count()):
        with page.expect_download() as begun:
            links.nth(place).click()
        path = tmp_path / begun.value.suggested_filename
        begun.value.save_as(path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{name}.{ending}" for name in ("folded", "large", "small") for ending in ("csv", "svg")
    ]
    assert (tmp_path / "small.csv").read_text() == "value\n0\n1\n2\n3\n4\n"
    assert len((tmp_path / "large.csv").read_text().splitlines()) == 180_001
    assert "<svg" in (tmp_path / "large.svg").read_text()


def test_the_keyboard_reaches_the_summary_the_tables_and_what_is_folded(page: "Page") -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.url.endswith("#short")
    table = page.get_by_role("region", name="A wide table")
    table.focus()
    assert page.evaluate("document.activeElement.classList.contains('scroll')")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.activeElement.scrollLeft > 0")
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("#figure-folded img").is_visible()


def test_headings_and_rows_have_names(page: "Page") -> None:
    assert page.get_by_role("heading", level=2).all_inner_texts() == ["In short", f"1 {NASTY}"]
    assert page.get_by_role("rowheader", name=NASTY).count() == 4
    assert page.get_by_role("navigation", name="Sections").get_by_role("link").count() == 2
