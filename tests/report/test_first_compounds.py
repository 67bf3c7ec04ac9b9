"""Compounds to look at first: counts recomputed, missing answers, and what the user typed."""

from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from dssl.report.content import Figure, Note, Table
from dssl.report.first_compounds import first_section, first_sentences, first_table
from dssl.report.page import render
from dssl.settings.evaluation import DescribeCompoundsSettings
from dssl.steps.describe import read_compounds

SETTINGS = DescribeCompoundsSettings(novel_below=0.4, confident_above=0.9)


@pytest.fixture
def compounds(made: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    path = tmp_path_factory.mktemp("first") / "compounds.tsv"
    made.compound_rows(made.embedding(41, np.random.default_rng(0), "<b>x</b>").obs).to_csv(path, sep="\t", index=False)
    return read_compounds(path)


def test_the_sentences_count_what_the_table_has(compounds: pd.DataFrame) -> None:
    first, second = first_sentences(compounds, SETTINGS)
    # every third is active, the first five have a percentile of 0.9 or more, every second is novel
    assert first.startswith("Of 41 held-out compounds, 14 are active, 5 are confidently matched")
    assert "before at least 90 % of the others, in both directions; guessing in both: about 0.4)" in first
    assert "and 21 are novel (Tanimoto similarity to the nearest training compound below 0.4)" in first
    # active, confident and novel: 0 only, since 3 is not novel
    assert second == "1 is all three: <b>x</b>."


def test_unknown_answers_count_as_no_but_are_not_said_to_be(compounds: pd.DataFrame) -> None:
    unknown = compounds.assign(active=pd.NA, novel=pd.NA)
    first, second = first_sentences(unknown, SETTINGS)
    assert "none of which could be called active or not, 5 are confidently matched" in first
    assert second.startswith("None is shown to be all three")


def test_never_held_out_is_said(compounds: pd.DataFrame) -> None:
    ranks = [name for name in compounds if "rank" in name or "percentile" in name or name == "library_size"]
    never = compounds.assign(**dict.fromkeys(ranks, np.nan), training_similarity=np.nan)
    assert first_sentences(never, SETTINGS) == [
        "No held-out compound was ranked among others, so that none can be called confidently matched."
    ]
    parts = first_section(never, SETTINGS, 3, []).parts
    assert any(isinstance(part, Note) for part in parts)
    (table,) = [part for part in parts if isinstance(part, Table)]
    assert [cell.note for cell in table.rows[0][3:5]] == ["never held out"] * 2


def test_the_first_are_drawn_in_their_order_with_rank_library_and_share(compounds: pd.DataFrame) -> None:
    table = first_table(compounds.sample(frac=1, random_state=0), 3)
    assert [row[0].note for row in table.rows] == ["C0", "C1", "C2"]
    assert (table.rows[1][3].text, table.rows[1][3].note) == ("2 of 41", "beats 98 %")
    assert all(row[0].drawing.startswith("data:image/svg+xml") for row in table.rows)
    page = render("t", "s", "0", False, [first_section(compounds, SETTINGS, 3, [])])
    assert "<b>x" not in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page


def test_compounds_without_a_name_or_similarity(compounds: pd.DataFrame) -> None:
    bare = compounds.assign(name=np.nan)
    bare.loc[:9, "training_similarity"] = np.nan
    assert first_table(bare, 1).rows[0][0].text == "C0"
    (figure,) = [part for part in first_section(bare, SETTINGS, 1, []).parts if isinstance(part, Figure)]
    assert "(n = 31)" in figure.caption
    assert "10 of 41 were never held out, or have no similarity." in figure.caption
