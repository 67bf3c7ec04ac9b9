"""Both pages in Firefox, opened from disk: quiet, and what a reader does with them works."""

import csv
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dssl.report.content import Figure, Section, Text
from dssl.report.explorer.page import render as render_explorer
from dssl.report.figures import csv_text, style, svg_uri
from dssl.report.page import render as render_report
from tests.explored import explored

COMPLAINTS = """
    return Services.console.getMessageArray()
        .filter((message) => message instanceof Ci.nsIScriptError && message.sourceName.startsWith("file:"))
        .map((message) => message.errorMessage);
"""
# what the page's own scripts declare is seen by a script of the page only
ASK = """
    const body = document.body;
    delete body.dataset.answer;
    const script = document.createElement("script");
    script.textContent = `document.body.dataset.answer = JSON.stringify(${arguments[0]})`;
    document.head.append(script);
    script.remove();
    return body.dataset.answer === undefined ? null : JSON.parse(body.dataset.answer);
"""
SECONDS = 30  # that a download or the page may take


@pytest.fixture
def firefox(tmp_path: Path) -> Iterator[Any]:
    """Firefox without a window, which saves files to the test's folder; fails if a page complained."""
    executable = shutil.which("firefox-esr") or shutil.which("firefox")
    if executable is None:
        pytest.skip("there is no Firefox; install Debian's package firefox-esr")
    reason = "marionette-driver, which drives Firefox, is not installed"
    driver = pytest.importorskip("marionette_driver.marionette", reason=reason)
    types = "text/csv,image/svg+xml,image/png"
    prefs = {
        "browser.download.folderList": 2,
        "browser.download.dir": str(tmp_path / "downloads"),
        "browser.helperApps.neverAsk.saveToDisk": types,
    }
    log = str(tmp_path / "gecko.log")
    client = driver.Marionette(bin=executable, headless=True, prefs=prefs, gecko_log=log)
    client.start_session()
    client.set_window_rect(width=1440, height=900)
    yield client
    with client.using_context("chrome"):
        complaints = client.execute_script(COMPLAINTS)
    client.quit(in_app=False)
    assert complaints == []


def wait(client: Any, expression: str) -> Any:
    """The value of an expression of the page's, once it is true."""
    end = time.monotonic() + SECONDS
    while not (value := client.execute_script(ASK, [expression])):
        assert time.monotonic() < end, f"{expression} did not become true"
        time.sleep(0.1)
    return value


def downloaded(folder: Path, name: str) -> Path:
    end = time.monotonic() + SECONDS
    while not ((folder / name).exists() and (folder / name).stat().st_size):
        assert time.monotonic() < end, f"{name} was not saved"
        time.sleep(0.1)
    return folder / name


def test_the_explorer_in_firefox(firefox: Any, tmp_path: Path) -> None:
    path = tmp_path / "explorer.html"
    path.write_text(render_explorer(explored(60)), encoding="utf-8")
    firefox.navigate(path.as_uri())
    wait(firefox, "document.body.dataset.ready")

    def on_map(place: int, compound: int) -> list[float]:
        box = f"maps[{place}].above.getBoundingClientRect()"
        point = f"[{box}.left + maps[{place}].x[{compound}], {box}.top + maps[{place}].y[{compound}]]"
        return [round(each) for each in wait(firefox, point)]

    def pointer() -> Any:
        return firefox.actions.sequence("pointer", "mouse", {"pointerType": "mouse"})

    pointer().pointer_move(*on_map(1, 7)).perform()
    assert wait(firefox, "document.querySelector('#tip:not([hidden]) strong').textContent") == "compound 7"
    pointer().pointer_down(0).pointer_up(0).perform()
    assert wait(firefox, "state.selected") == 7
    assert wait(firefox, "document.querySelectorAll('#panel .card').length") == 4 * 8
    points = [on_map(1, i) for i in range(1, 60, 3)]  # one of the three groups lies apart
    (left, top), (right, bottom) = ([way(each) for each in zip(*points, strict=True)] for way in (min, max))
    lasso = pointer().pointer_move(left - 6, top - 6).pointer_down(0)
    for x, y in ((right + 6, top - 6), (right + 6, bottom + 6), (left - 6, bottom + 6), (left - 6, top - 6)):
        lasso = lasso.pointer_move(x, y, duration=100)
    lasso.pointer_up(0).perform()
    assert wait(firefox, "document.getElementById('count').textContent.includes('inside the lasso')")
    n = wait(firefox, "list.rows.length")
    assert n >= 20
    for button in ("table", "svg", "png"):
        firefox.find_element("id", f"save-{button}").click()
    rows = list(csv.DictReader(downloaded(tmp_path / "downloads", "made-up_compounds.csv").open(encoding="utf-8-sig")))
    assert len(rows) == n
    assert "<circle" in downloaded(tmp_path / "downloads", "made-up_maps.svg").read_text()
    assert downloaded(tmp_path / "downloads", "made-up_maps.png").read_bytes().startswith(b"\x89PNG")
    firefox.find_element("id", "search").send_keys("morpholine")
    assert wait(firefox, "state.markedBy === 'search' && list.rows.length") == 7


def test_the_report_in_firefox(firefox: Any, tmp_path: Path) -> None:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas

    with style():
        canvas = Canvas(figsize=(9, 3), layout="constrained")
        canvas.subplots().plot([1, 2])
        figure = Figure("caption", "words", svg_uri(canvas), "figure", csv_text(pd.DataFrame({"value": [1, 2]})))
    path = tmp_path / "report.html"
    sections = [Section("short", "In short"), Section("data", "Data", [], [Text("<b>"), figure])]
    path.write_text(render_report("title", "screen", "0", False, sections), encoding="utf-8")
    firefox.navigate(path.as_uri())
    (image,) = firefox.find_elements("tag name", "img")
    assert image.get_property("naturalWidth") > 100
    firefox.find_element("css selector", "a[download$='.csv']").click()
    assert downloaded(tmp_path / "downloads", "figure.csv").read_text() == "value\n1\n2\n"
