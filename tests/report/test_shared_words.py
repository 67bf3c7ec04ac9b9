"""What is shared and what is specific, in words, and the funnel as a figure."""

import io
from types import ModuleType

import numpy as np
import pandas as pd

from dssl.report.attribution import variance_sentences
from dssl.report.content import Answers
from dssl.report.funnel import Screened, funnel_section
from dssl.report.summary import summary_section


def test_shares_of_variance_are_means_over_folds(made: ModuleType) -> None:
    rows = made.attribution_rows(["0", "1"])
    rows.loc[(rows["fold"] == "1") & (rows["group"] == "all features"), "shared"] = 0.2
    rows.loc[rows["group"] == "down", "specific"] = 0.5
    rows.loc[rows["group"] == "up $x$", "shared"] = 0.6
    first, second = variance_sentences(rows)
    assert "(12 features), 30 % is told by the shared code only" in first
    assert "20 % by the specific code only" in first
    assert "chance: at most 1.0 %" in first
    assert second == (
        "By pathway, the structure tells most of up $x$ (60 % by the shared code only), and the specific code most of "
        "down (50 %)."
    )
    assert variance_sentences(rows.assign(shared=np.nan, specific=np.nan, both=np.nan, neither=np.nan)) == []


def test_the_funnel_loses_what_the_tables_list(made: ModuleType) -> None:
    ids = pd.DataFrame({"compound_id": ["a", "b"], "fold_0": ["train", "test"]})
    wells = pd.DataFrame({"reason": ["control"] * 4 + ["qc_dead"]})
    none = pd.DataFrame({"reason": pd.Series([], dtype=str)})
    rejected = pd.DataFrame({"reason": ["SMILES cannot be parsed (<b>)"]})
    screened = Screened(made.quality_table("P"), wells, none, ids, rejected, none, none, ids)
    section = funnel_section(screened)
    data = pd.read_csv(io.StringIO(section.parts[0].data))
    steps = data[data["what"] == "Wells"]
    assert steps["n"].to_list() == [24, -4, -1, 19]
    assert steps["remaining"].to_list() == [24, 20, 19, 19]
    assert data[data["what"] == "Molecules"]["n"].to_list() == [3, -1, 2]
    assert "control 4; qc_dead 1; paired wells 19" in section.parts[0].alt


def test_a_question_without_an_answer_says_so() -> None:
    section = summary_section(["a"], ["b"], [], ["d"], ["e"], ["f"], ["g"])
    (part,) = section.parts
    assert isinstance(part, Answers)
    assert [answer for _, answer, _ in part.answers][2] == ["These results do not say."]
