"""The whole page: what it says, that it stands alone, and that it survives a tiny screen."""

import base64
import html
import re
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from dssl.report.content import Cell, Figure, Section, Table
from dssl.report.figures import csv_text
from dssl.report.page import render
from dssl.settings.evaluation import ReportSettings
from dssl.steps.registry import paths_of
from dssl.steps.report import manifest, report, wildcards_of


class Elements(HTMLParser):
    """Tags with their attributes, the text outside <style>, and tags left open."""

    VOID = frozenset({"meta", "img", "br", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)


def parse(page: str) -> Elements:
    elements = Elements()
    elements.feed(page)
    return elements


def test_the_page_is_well_formed_and_has_eleven_numbered_sections(made_up_page: str) -> None:
    elements = parse(made_up_page)
    assert elements.open == []
    headings = re.findall(r"<h2 id=\"[a-z]+-heading\">([^<]+)</h2>", made_up_page)
    assert headings[0] == "In short"
    assert [heading.partition(" ")[0] for heading in headings[1:]] == [str(number) for number in range(1, 12)]
    targets = {str(attributes["href"]) for tag, attributes in elements.tags if tag == "a"}
    sections = {f"#{attributes['id']}" for tag, attributes in elements.tags if tag == "section"}
    assert {target for target in targets if target.startswith("#")} == sections
    named = [attributes["id"] for _, attributes in elements.tags if "id" in attributes]
    assert len(named) == len(set(named))
    assert {label for _, attributes in elements.tags if (label := attributes.get("aria-labelledby"))} <= set(named)


def test_every_table_can_be_read_aloud(made_up_page: str) -> None:
    elements = parse(made_up_page)
    assert all(attributes.get("scope") for tag, attributes in elements.tags if tag == "th")
    tables = [attributes for tag, attributes in elements.tags if tag == "table"]
    assert tables
    assert all(attributes.get("aria-labelledby") for attributes in tables)
    assert ("a", {"class": "skip", "href": "#short"}) in elements.tags


def test_the_files_of_every_figure_are_on_the_page_and_beside_it(made_up: Any, made_up_page: str) -> None:
    elements = parse(made_up_page)
    links = {str(a["download"]): str(a["href"]) for tag, a in elements.tags if tag == "a" and "download" in a}
    written = {path.name: path.read_bytes() for path in made_up.arguments["figures"].iterdir()}
    assert {name: base64.b64decode(uri.partition(",")[2]) for name, uri in links.items()} == written
    figures = [str(attributes["id"]).removeprefix("figure-") for tag, attributes in elements.tags if tag == "figure"]
    assert len(figures) == len(set(figures)) >= 12
    assert set(written) == {f"{name}.{ending}" for name in figures for ending in ("svg", "csv")}
    for name in figures:
        assert len(pd.read_csv(made_up.arguments["figures"] / f"{name}.csv")) > 0


def test_methods_have_their_short_names_in_figures(made_up: Any) -> None:
    drawn = "".join(path.read_text() for path in made_up.arguments["figures"].glob("*.svg"))
    # what is drawn as outlines stands in a comment before them
    assert "<!-- kernel ridge on fingerprints -->" in drawn
    assert not re.search("kernel_ridge|nearest_neighbor", drawn)


def test_no_spreadsheet_runs_what_the_user_typed() -> None:
    text = csv_text(pd.DataFrame({"mechanism": ["=cmd()", "@x", "kinase"], "value": [-1.0, 0.5, 1 / 3]}))
    assert text == "mechanism,value\n'=cmd(),-1\n'@x,0.5\nkinase,0.333333\n"


def test_a_file_too_large_for_a_link_is_named_in_its_folder() -> None:
    data = "a\n" + "1\n" * 1_000_000
    figure = Figure("c", "a", "data:image/svg+xml;base64,AAAA", "points", data)
    page = render("t", "s", "0", False, [Section("one", "One", [], [figure])])
    assert 'href="report/figures/points.csv"' in page
    assert 'download="points.svg"' in page


def test_nothing_comes_from_the_network_and_nothing_runs(made_up_page: str) -> None:
    elements = parse(made_up_page)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in elements.tags}
    assert not re.search(r"https?:|@import|url\(", made_up_page)
    sources = [attributes["src"] for tag, attributes in elements.tags if tag == "img"]
    assert sources
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources if source)
    for source in sources:
        drawn = base64.b64decode(str(source).partition(",")[2]).decode()
        assert "<svg" in drawn
        assert "<script" not in drawn


def test_what_the_user_typed_is_escaped(made_up_page: str) -> None:
    assert "<script" not in made_up_page
    assert "&lt;script&gt;alert(&#39;$x_1$&#39;)&lt;/script&gt;" in made_up_page


def test_every_image_says_what_it_shows(made_up_page: str) -> None:
    assert all(attributes.get("alt") for tag, attributes in parse(made_up_page).tags if tag == "img")


@pytest.mark.parametrize(
    "text",
    [
        "72 wells on 3 plates and 43 compound ids came in; 57 treated wells of 40 compounds are paired",
        "compound is not among the molecules",
        "rejected: SMILES cannot be parsed (syntax)",
        "merged with another id (same inchikey)",
        "3 of 72 wells (4.2 %) carry a quality flag",
        "13 of 39 compounds (33 %) have a phenotype that differs from the controls",
        "the model puts the right one of 107 molecules among the first five for 31 % [28 %, 34 %] of 44 compounds; a blind "
        "guess would for 5.0 %",
        "these data do not tell which of the two is better (difference in mean reciprocal rank 0.012",
        "of 3 controls the model is better than none, worse than none, and not told apart from 3",
        "report.color_by names nonsense",
        "Columns that were not probed.",
        "participation ratio",
        "Test compounds of fold 0",
        "This screen is simulated.",
        "train_shared.optimizer.epochs",
    ],
)
def test_the_page_says(made_up_page: str, text: str) -> None:
    assert text in " ".join("".join(parse(made_up_page).text).split())


def test_the_same_tables_give_the_same_page(made_up: Any, made_up_page: str, tmp_path: Path) -> None:
    report(**made_up.arguments | {"html": tmp_path / "again.html", "figures": tmp_path / "figures"})
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == made_up_page


def test_one_fold_one_compound_and_nothing_left_out(made: ModuleType, tmp_path: Path) -> None:
    screen = made.make_up(tmp_path, n_compounds=1, folds=("0",), full=False)
    made.retrieval_table(("dssl",)).to_csv(screen.arguments["retrieval"], sep="\t", index=False)
    header = screen.arguments["comparisons"].read_text().splitlines()[0]
    screen.arguments["comparisons"].write_text(header + "\n")
    report(**screen.arguments | {"simulated": False, "settings": ReportSettings()})
    page = screen.arguments["html"].read_text()
    assert "24 wells on 1 plate and 1 compound id came in; 24 treated wells of 1 compound are paired" in page
    assert "simulated." not in page
    assert "<title>made-up</title>" in page
    assert "rank 1 of 1" in page
    assert "No held-out compound was ranked among others" in page
    assert "No value of mechanism has 5 held-out compounds" in page


def test_every_path_of_the_step_is_declared(made: ModuleType, tmp_path: Path) -> None:
    screen = made.make_up(tmp_path, n_compounds=2)
    outputs = paths_of(report, screen.arguments, "output")
    inputs = paths_of(report, screen.arguments, "input")
    assert list(outputs) == ["html", "figures"]
    assert set(screen.arguments) - set(inputs) - set(outputs) == {"settings", "screen", "simulated"}


def test_numbers_stay_with_their_signs_and_units_at_the_end_of_a_line() -> None:
    page = render("t", "s", "0", False, [Section("short", "In short", ["Of 38 % (n = 5, p < 0.001), step = 5"])])
    space = "\N{NO-BREAK SPACE}"
    assert f"Of 38{space}% (n{space}={space}5, p{space}<{space}0.001), step = 5" in html.unescape(page)


def test_wildcards_are_read_from_a_path() -> None:
    path = Path("results/x/train_specific/fold~full/beta~1e-05/lambda~10/seed~2/history.jsonl")
    assert wildcards_of(path) == {"fold": "full", "beta": "1e-05", "lambda": "10", "seed": "2"}


def test_a_row_of_one_cell_is_a_heading_and_a_folded_table_can_be_opened() -> None:
    table = Table(
        "Caption <b>", ["a", "b"], [[Cell("Block & co")], [Cell("x", strong=True), Cell("1", "note")]], folded=True
    )
    page = render("t", "s", "0", False, [Section("one", "One", [], [table])])
    assert '<th scope="rowgroup" colspan="2">Block &amp; co</th>' in page
    assert '<th scope="row" class="label"><strong>x</strong></th>' in page
    assert "<td><small>" not in page
    assert "<strong>x</strong>" in page
    assert "1<small>note</small>" in page
    assert "<details><summary>Show the table (2 rows)</summary>" in page
    assert "Caption &lt;b&gt;" in page


def test_manifest_joins_the_records(made: ModuleType, tmp_path: Path) -> None:
    from dssl.io import read_json, write_json
    from dssl.provenance import provenance_record
    from dssl.settings.evaluation import ManifestSettings

    source, made, last = (tmp_path / name for name in ("source.csv", "made.tsv", "report.html"))
    for path in (source, made, last):
        path.write_text(path.name)
    records = [tmp_path / "first.json", tmp_path / "second.json"]
    listed = tmp_path / "records.tsv"
    listed.write_text(f"record\n{records[0]}\n")
    write_json(records[0], provenance_record("first", {"seed": 3}, {"table": [source]}, {"made": [made]}))
    write_json(records[1], provenance_record("report", {}, {"made": [made]}, {"html": [last]}))
    manifest(
        settings=ManifestSettings(licence="CC0"),
        screen="x",
        records=[listed],
        records_of_lists=records[1:],
        manifest=tmp_path / "manifest.json",
    )
    found = read_json(tmp_path / "manifest.json")
    assert (found["screen"], found["licence"]) == ("x", "CC0")
    assert [Path(artifact["path"]).name for artifact in found["artifacts"]] == ["made.tsv", "report.html"]
    assert [Path(each["path"]).name for each in found["sources"]] == ["source.csv"]
