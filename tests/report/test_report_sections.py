"""The sections one by one: numbers and sentences against what is obvious from their tables."""

from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dssl import keys
from dssl.phenotypes.position import well_position
from dssl.report import examples
from dssl.report.attribution import attribution_parts
from dssl.report.content import Figure, Note, Section, Table, interval, number, p_text, percent, text_of
from dssl.report.examples import example_parts, expected_ranks, spread_over
from dssl.report.funnel import reason_kinds
from dssl.report.information import information_figure, information_table
from dssl.report.knowledge import knowledge_section, mean_probes
from dssl.report.leakage import leakage_sentence, leakage_table
from dssl.report.maps import coloured_groups, maps_section, named
from dssl.report.plates import flagged_sentence, plate_maps, plates_parts
from dssl.report.retrieval import retrieval_section
from dssl.report.retrieval_tables import best_methods, main_table
from dssl.settings.preparation import PairAndSplitSettings


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.000"),
        (0.31234, "0.312"),
        (-0.5, "\N{MINUS SIGN}0.500"),
        (1.0, "1.00"),
        (107.0, "107"),
        (1234.5, "1,234"),
        (0.00012, "1.20e\N{MINUS SIGN}04"),
        (-2.2e-16, "0.000"),
        (float("nan"), "\N{EN DASH}"),
    ],
)
def test_numbers_are_written_as_people_read_them(value: float, text: str) -> None:
    assert number(value) == text


def test_intervals_and_p_values() -> None:
    assert interval(0.1, 0.2) == "[0.100, 0.200]"
    assert interval(float("nan"), 0.2) == ""
    assert [p_text(value) for value in (0.0004, 0.04, 0.04975, float("nan"))] == [
        "p < 0.001",
        "p = 0.040",
        "p = 0.04975",
        "",
    ]
    assert [text_of(value) for value in (None, 12345, True, "x")] == ["\N{EN DASH}", "12,345", "True", "x"]


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.376, "38 %"), (0.0467, "4.7 %"), (0.0996, "10 %"), (1.0, "100 %"), (0.0, "0 %"), (float("nan"), "\N{EN DASH}")],
)
def test_shares_are_written_as_people_read_them(share: float, text: str) -> None:
    assert percent(share) == text


def test_reasons_are_counted_by_kind() -> None:
    reasons = pd.Series(
        ["compound 'A' is not among the molecules", 'compound "B\'s" is not among the molecules', "control"]
        + ["not paired: same observation as C1", "not paired: same observation as C2"]
        + ["rejected: 200 heavy atoms, more than max", "rejected: 201 heavy atoms, more than max"]
        + ["2 different structures for one id: C, N"]
    )
    assert reason_kinds(reasons).to_dict() == {
        "compound is not among the molecules": 2,
        "not paired: same observation as another": 2,
        "rejected: heavy atoms: more than max": 2,
        "control": 1,
        "different structures for one id": 1,
    }


def test_many_kinds_of_reasons_are_summed_and_none_is_lost() -> None:
    counts = reason_kinds(pd.Series([f"reason {number}" for number in range(40)]))
    assert len(counts) == 15
    assert counts.sum() == 40
    assert counts.index[-1].startswith("26 other reasons")


@given(st.integers(0, 701), st.integers(0, 47))
def test_a_well_is_where_its_name_says(row: int, column: int) -> None:
    letters = chr(65 + row) if row < 26 else chr(64 + row // 26) + chr(65 + row % 26)
    assert well_position(f"{letters}{column + 1:02d}") == (row, column)


def test_wells_without_positions_are_said_not_drawn(made: ModuleType) -> None:
    profiles = made.well_profiles(np.random.default_rng(0), ["P"])
    profiles.obs["well"] = [str(number) for number in range(profiles.n_obs)]
    assert plate_maps(profiles) is None
    parts = plates_parts(made.quality_table("P"), profiles)
    assert [part.kind for part in parts] == ["note", "table"]
    assert flagged_sentence(made.quality_table("P")) == "1 of 24 wells (4.2 %) carry a quality flag."


def test_more_plates_than_fit_are_mentioned(made: ModuleType) -> None:
    figure = plate_maps(made.well_profiles(np.random.default_rng(0), [f"P{number}" for number in range(14)]))
    assert figure is not None
    assert figure.caption.startswith("The first 12 of 14 plates.")


def section_of(made: ModuleType, retrieval: pd.DataFrame, comparisons: pd.DataFrame) -> Section:
    queries = made.query_rows([f"C{k}" for k in range(9)])
    return retrieval_section(retrieval, comparisons, made.strata_table(), queries, PairAndSplitSettings())


def main_rows(made: ModuleType, **changes: float) -> pd.DataFrame:
    table = made.retrieval_table()
    main = table[(table["fold"] == "all") & (table["level"] == "compound")].copy()
    for method, value in changes.items():
        main.loc[main["method"] == method, "value"] = value
    return main


def test_the_best_of_a_block_is_the_lowest_mean_rank_and_nobody_when_tied(made: ModuleType) -> None:
    block = main_rows(made)
    block = block[(block["direction"] == "phenotype_to_molecule") & (block["library"] == "whole")]
    best = best_methods(block)
    assert best["mrr"] == "dssl"
    assert best["mean_normalized_rank"] == "random"
    assert best_methods(block.assign(value=0.5)) == {}


def test_the_main_table_has_chance_in_every_block(made: ModuleType) -> None:
    rows = main_table(main_rows(made)).rows
    headings = [row[0].text for row in rows if len(row) == 1]
    assert headings[0] == "Phenotype \N{RIGHTWARDS ARROW} molecule, whole library"
    assert len(headings) == 4
    assert sum(row[0].text == "chance" for row in rows) == 4
    assert rows[1][6].text == "0.312"
    assert rows[1][6].note == "[0.282, 0.342]\np = 0.004"
    assert rows[1][6].strong


def test_no_retrieval_is_said(made: ModuleType) -> None:
    section = section_of(made, made.retrieval_table().iloc[:0], made.comparison_rows(0, 1).iloc[:0])
    assert [part.kind for part in section.parts] == ["note"]


def test_probes_are_averaged_over_folds_and_skipped_ones_listed(made: ModuleType) -> None:
    probes = made.probe_rows(["0", "1"])
    probes.loc[(probes["fold"] == "1") & (probes["column"] == "mechanism"), ["score", "p_value"]] = [0.42, 0.5]
    means = mean_probes(probes).set_index(["column", "code"]).loc[("mechanism", "shared_molecule")]
    assert means["score"] == pytest.approx(0.52)
    assert (means["n_significant"], means["n_folds"]) == (1, 2)
    folds = ["0", "1"]
    others = made.information_rows(), made.attribution_rows(folds), made.leakage_rows(folds)
    parts = knowledge_section(probes, made.dependence_rows(folds), *others).parts
    kinds = [part.kind for part in parts if part.kind in ("figure", "table")]
    assert kinds == ["figure", "table", "figure", "table", "figure", "table", "table", "table", "table"]


def test_nothing_probed_is_said(made: ModuleType) -> None:
    probes = made.probe_rows(["0"])
    unasked = made.attribution_rows(["0"]).assign(shared=np.nan, specific=np.nan, both=np.nan, neither=np.nan)
    empty = made.dependence_rows(["0"]).iloc[:0], made.information_rows(()), unasked, made.leakage_rows([])
    section = knowledge_section(probes[probes["column"] == "constant"], *empty)
    first, second = (part.text for part in section.parts if isinstance(part, Note))
    assert "too few compounds are held out" in first
    assert "No column could be probed" in second
    assert section.paragraphs == []


def test_leakage_is_told_in_words(made: ModuleType) -> None:
    quiet = leakage_sentence(made.leakage_rows(["0", "1"]))
    assert "mean reciprocal rank of 0.060 (chance 0.050; shared codes: 0.310), in no fold" in quiet
    assert "above chance (p < 0.05) in 4 of 4 folds" in leakage_sentence(made.leakage_rows(["0", "1"], 0.01))
    cells = [[cell.text for cell in row] for row in leakage_table(made.leakage_rows(["0", "1"])).rows]
    assert cells[0] == ["shared", "raw", "Phenotype \N{RIGHTWARDS ARROW} molecule", "0.310", "0.050", "2 of 2", "53"]


def test_the_curve_names_its_knee_or_says_why_there_is_none(made: ModuleType) -> None:
    caption = information_figure(made.information_rows()).caption
    assert "code of the molecule: beta 0.01; code of the phenotype: beta 0.01" in caption
    assert "No knee is marked" in information_figure(made.information_rows((0.1,)).assign(knee=False)).caption
    point = made.information_rows((0.1,)).assign(kl_upper=np.nan, kl_upper_lowest=np.nan, kl_upper_highest=np.nan)
    assert "have no upper bound" in information_table(point).caption
    assert information_figure(point).uri.startswith("data:image/svg")


def test_bars_of_many_groups_say_how_many_are_shown(made: ModuleType) -> None:
    rows = made.attribution_rows(["0"])
    many = pd.concat([rows[:1], *(rows[1:2].assign(group=f"set {number}") for number in range(50))])
    figure, table = attribution_parts(many)
    assert "The 40 largest of 50 groups are shown." in figure.caption
    assert len([row for row in table.rows if len(row) > 1]) == 51
    assert "1 feature that did not vary" in table.caption


@given(st.integers(1, 8), st.integers(0, 1000))
def test_ranks_agree_with_counting(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cosine = rng.integers(0, 3, size=(n, n)).astype(float)
    right = rng.integers(0, n, size=n)
    for row, rank in enumerate(expected_ranks(cosine, right)):
        own = cosine[row, right[row]]
        better = sum(value > own for value in cosine[row])
        tied = sum(value == own for value in cosine[row])
        # mean over all places that the right one can take among its equals
        assert rank == pytest.approx(np.mean([better + place for place in range(1, tied + 1)]))


def test_examples_reach_from_the_best_rank_to_the_worst() -> None:
    ranks = np.array([4.0, 1.0, 3.0, 2.0, 5.0])
    assert spread_over(ranks, 3) == [1, 2, 4]
    assert spread_over(ranks, 1) == [1]
    assert spread_over(ranks, 9) == [1, 3, 2, 0, 4]


@pytest.mark.parametrize("cells", [examples.CHUNK_CELLS, 13])
def test_the_right_molecule_is_marked_and_the_nearest_come_first(
    made: ModuleType, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examples, "CHUNK_CELLS", cells)
    adata = made.embedding(12, np.random.default_rng(0), "aspirin")
    (part,) = example_parts(adata, adata, "0", 3)
    assert part.kind == "examples"
    for example in part.examples:
        assert example.query.text == "rank 1 of 6"
        assert [neighbour.is_right for neighbour in example.neighbours] == [True, False, False]
        assert example.neighbours[0].name == example.query.name
        assert example.neighbours[0].text == "cosine 1.00"


@pytest.mark.parametrize(
    ("n_examples", "split", "text"), [(0, "test", "n_examples is 0"), (3, "train", "no test compounds")]
)
def test_why_there_are_no_examples(made: ModuleType, n_examples: int, split: str, text: str) -> None:
    adata = made.embedding(4, np.random.default_rng(0), "aspirin")
    adata.obs["split"] = split
    (note,) = example_parts(adata, adata, "0", n_examples)
    assert note.kind == "note"
    assert text in note.text


def test_maps_take_columns_of_molecules_and_survive_missing_values(made: ModuleType) -> None:
    compounds = made.embedding(30, np.random.default_rng(0), "aspirin")
    molecules = compounds.copy()
    compounds.obs = compounds.obs.drop(columns="mechanism")
    molecules.obs["mechanism"] = molecules.obs["mechanism"].where(np.arange(30) > 3)
    molecules.obs["empty"] = np.nan
    section = maps_section(compounds, molecules, "full", ["mechanism", "empty"])
    by_mechanism, note, by_batch = section.parts
    assert isinstance(by_mechanism, Figure)
    assert isinstance(by_batch, Figure)
    assert by_mechanism.caption.startswith("Coloured by mechanism.")
    assert by_mechanism.caption.endswith("Outlined: compounds that the model was not trained on.")
    assert [by_mechanism.name, by_batch.name] == ["map-1", "map-2"]
    assert "the same empty" in note.text
    compounds.obs[keys.SPLIT] = keys.TRAIN
    assert "Outlined" not in maps_section(compounds, molecules, "full", []).parts[-1].caption


def test_groups_of_a_map_are_coloured_by_size_and_the_rest_is_grey() -> None:
    texts = [f"group {size:02}" for size in range(1, 15) for _ in range(size)]
    values = named(pd.Series([*texts, "", " ", None, np.nan], dtype=object))
    coloured, in_grey = coloured_groups(values)
    assert coloured == {f"group {size:02}": size for size in range(14, 2, -1)}
    assert in_grey == {"others": 2 + 1, "not known": 4}
    assert coloured_groups(named(pd.Series(["a", "b"]))) == ({"a": 1, "b": 1}, {})


def test_tables_begin_with_the_phenotype_and_the_whole_library(made: ModuleType) -> None:
    shuffled = made.retrieval_table().sort_values(["library", "direction"])
    parts = section_of(made, shuffled, made.comparison_rows(0.1, 0.2)).parts
    table = next(part for part in parts if isinstance(part, Table))
    headings = [row[0].text for row in table.rows if len(row) == 1]
    arrow = "\N{RIGHTWARDS ARROW}"
    assert headings == [
        f"Phenotype {arrow} molecule, whole library",
        f"Phenotype {arrow} molecule, batch library",
        f"Molecule {arrow} phenotype, whole library",
        f"Molecule {arrow} phenotype, batch library",
    ]
