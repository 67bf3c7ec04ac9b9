"""What was held out, strata, and what neighbours share: words, figures and tables against their tables."""

from types import ModuleType

import numpy as np
import pytest

from dssl.report.retrieval_neighbors import NO_NEIGHBORS, neighbor_parts, neighbor_sentences
from dssl.report.retrieval_question import held_out_text
from dssl.report.retrieval_strata import compared_methods, shown_strata, strata_parts
from dssl.report.retrieval_tables import comparison_table
from dssl.report.retrieval_words import tally
from dssl.settings.preparation import PairAndSplitSettings


@pytest.mark.parametrize("split", ["plate", "batch", "dose"])
def test_known_compounds_are_called_known(split: str) -> None:
    units = {"plate": "plates", "batch": "batches", "dose": "doses"}[split]
    known = held_out_text(PairAndSplitSettings(split=split, known_compounds="queried"))
    assert known.startswith(f"Held out: new {units}, known compounds.")
    unseen = held_out_text(PairAndSplitSettings(split=split))
    assert unseen.startswith(f"Held out: new {units}, new compounds.")


def test_every_split_and_repeats_are_said() -> None:
    texts = {
        split: held_out_text(PairAndSplitSettings(split=split, n_folds=4, n_repeats=3))
        for split in ("random", "skeleton", "scaffold", "cluster")
    }
    assert len(set(texts.values())) == 4
    assert all("in one of 4 folds; the folds were drawn 3 times anew" in text for text in texts.values())
    assert "Tanimoto distance up to 0.6" in texts["cluster"]
    user = held_out_text(PairAndSplitSettings(split="column", fold_column="f"))
    assert user.endswith("in one of 5 folds.")


def test_strata_show_the_model_beside_its_strongest_control(made: ModuleType) -> None:
    table = made.strata_table()
    shown = shown_strata(table)
    assert set(shown["library"]) == {"whole"}
    assert compared_methods(shown) == ["dssl", "nearest_neighbor"]
    better = table.assign(value=table["value"].where(table["method"] != "kernel_ridge", 0.9))
    assert compared_methods(shown_strata(better)) == ["dssl", "kernel_ridge", "nearest_neighbor"]
    figure, listed = strata_parts(table)
    assert figure.kind == "figure"
    headings = [row[0].text for row in listed.rows if len(row) == 1]
    assert headings[0] == "By similarity to the nearest training compound (Tanimoto). Phenotype → molecule"
    assert len(headings) == 4
    line = listed.rows[1]
    assert [cell.text for cell in line[:6]] == ["0 to 0.3", "dssl", "20", "40.0", "0.400", "0.050"]
    assert line[4].note == "[0.300, 0.600]"
    assert strata_parts(table.iloc[:0]) == []


def test_one_measure_of_strength_is_shown_and_calls_come_first(made: ModuleType) -> None:
    table = made.strata_table()
    called = table[table["by"] == "profile_length"].assign(by="active")
    both = shown_strata(made.pd.concat([table, called]))
    assert list(dict.fromkeys(both["by"])) == ["nearest_training_similarity", "active"]


def test_strata_without_interval_are_drawn(made: ModuleType) -> None:
    assert strata_parts(made.strata_table().assign(ci_low=np.nan, ci_high=np.nan))[0].uri.startswith("data:image/svg")


def test_sentences_say_what_neighbours_share(made: ModuleType) -> None:
    (said,) = neighbor_sentences(made.enrichment_table())
    assert said.startswith("Of two random held-out compounds, 10.0 % have a value of mechanism in common (n = 44 ")
    assert (
        "Of a compound and its 5 nearest: 30.0 % by shared codes, phenotypes near a phenotype (3.00 times as " in said
    )
    assert "many [2.00, 4.00], corrected p = 0.004)" in said
    assert said.count("by specific codes") == said.count("by shared codes") == 3
    assert neighbor_sentences(made.enrichment_table().iloc[:0]) == [NO_NEIGHBORS]
    assert neighbor_parts(made.enrichment_table().iloc[:0]) == []


def test_every_panel_of_neighbours_reaches_as_far_as_its_intervals(
    made: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = made.enrichment_table()
    far = table["space"] == "molecule"
    drawn = []
    monkeypatch.setattr("dssl.report.retrieval_neighbors.svg_uri", lambda canvas: drawn.append(canvas) or "")
    neighbor_parts(table.assign(fold_enrichment_high=table["fold_enrichment_high"].where(~far, 25.0)))
    assert [axis.get_xlim() for axis in drawn[0].axes] == [(0, 1.05 * 25)] * 3


def test_table_of_neighbours_is_bold_only_where_corrected(made: ModuleType) -> None:
    weak = made.enrichment_table().assign(p_holm=0.2)
    figure, table = neighbor_parts(weak)
    assert figure.kind == "figure"
    assert not any(cell.strong for row in table.rows for cell in row)
    rows = [row for row in neighbor_parts(made.enrichment_table())[1].rows if len(row) > 1]
    assert len(rows) == 9
    assert all(row[4].strong for row in rows)
    assert rows[0][5].text == "4.20"


def test_comparisons_are_judged_by_corrected_p_values(made: ModuleType) -> None:
    compared = made.comparison_rows(0.2, 0.01).assign(p_holm=0.3)
    assert not any(cell.strong for row in comparison_table(compared).rows for cell in row)
    assert "not told apart from 3" in tally(compared)[0]
