"""The section on the three pairs of molecule, phenotype and second assay."""

import numpy as np
import pandas as pd
import pytest

from dssl.plan import ASSAY_PAIRS, pair_name
from dssl.report.assays import assays_section
from dssl.report.content import Figure, Folded, Section, Table

METRICS = ("top_1", "top_5", "top_10", "mrr", "mean_normalized_rank")


def retrieval() -> pd.DataFrame:
    rows = []
    for number, pair in enumerate(ASSAY_PAIRS):
        methods = ["all_compounds", "pair_alone", "random", *(["complete_compounds", "dssl"] if number == 2 else [])]
        for direction in (f"{pair[0]}_to_{pair[1]}", f"{pair[1]}_to_{pair[0]}"):
            for method in methods:
                for fold in ("0", "all"):
                    rows += [
                        {
                            **{"pair": pair_name(pair), "direction": direction, "method": method, "fold": fold},
                            **{"metric": metric, "value": 0.3, "ci_low": 0.2, "ci_high": 0.4, "chance": 0.1},
                            **{
                                "p_value": np.nan if method == "dssl" else 0.01,
                                "n_compounds": 40,
                                "library_size": 13.5,
                            },
                        }
                        for metric in METRICS
                    ]
    return pd.DataFrame(rows)


def comparisons(difference: float, p_holm: float) -> pd.DataFrame:
    asked = [
        (pair_name(pair), "all_compounds", other)
        for pair in ASSAY_PAIRS
        for other in ("pair_alone", "random", *(["complete_compounds"] if pair == ASSAY_PAIRS[-1] else []))
    ]
    asked.append((pair_name(ASSAY_PAIRS[-1]), "complete_compounds", "pair_alone"))
    numbers = {"difference": difference, "ci_low": difference - 0.1, "ci_high": difference + 0.1, "p_value": p_holm / 2}
    return pd.DataFrame(
        [
            {
                "pair": pair,
                "method_a": a,
                "method_b": b,
                "metric": metric,
                **numbers,
                "p_holm": p_holm,
                "n_compounds": 40,
            }
            for pair, a, b in asked
            for metric in ("mrr", "mean_normalized_rank")
        ]
    )


COUNTS = pd.DataFrame(
    [("0", True, True, "train", 20), ("0", True, True, "test", 10), ("0", True, False, "train", 7)]
    + [("0", False, True, "left out", 3), ("1", True, True, "train", 30), ("1", True, False, "test", 7)],
    columns=["fold", "phenotype", "second_assay", "role", "n_compounds"],
)


def section(difference: float = 0.12, p_holm: float = 0.01) -> Section:
    return assays_section(retrieval(), comparisons(difference, p_holm), COUNTS, "L1000 signature")


def test_compounds_are_counted_by_what_they_have() -> None:
    counted = section().paragraphs[1]
    assert "30 compounds have both assays, 7 the phenotype only, 3 the L1000 signature only" in counted
    assert "3 compounds would join groups that are held out apart, and are left out of such folds" in counted


@pytest.mark.parametrize(
    ("difference", "p_holm", "words"),
    [
        (0.12, 0.01, "Yes (difference in mean reciprocal rank 0.120 [0.020, 0.220], paired over 40 compounds"),
        (-0.12, 0.01, "No, harm is done (difference"),
        (0.12, 0.2, "These data do not tell ("),
    ],
)
def test_every_question_is_answered_by_its_corrected_test(difference: float, p_holm: float, words: str) -> None:
    answers = section(difference, p_holm).paragraphs[2:]
    assert [text.partition(":")[0] for text in answers] == [
        "Phenotype and molecule",
        "L1000 signature and molecule",
        *["Phenotype and L1000 signature"] * 3,
    ]
    assert all(words in text for text in answers)
    assert "corrected p = " in answers[0]


def test_every_method_stands_beside_chance_and_library_size() -> None:
    figure, folded, table, compared = section().parts
    assert isinstance(figure, Figure)
    assert isinstance(folded, Folded)
    assert isinstance(table, Table)
    assert isinstance(compared, Table)
    headings = [row[0].text for row in table.rows if len(row) == 1]
    assert headings[:2] == ["phenotype → molecule", "molecule → phenotype"]
    assert headings[-1] == "L1000 signature → phenotype"
    assert sum(row[0].text == "chance" for row in table.rows) == len(headings) == 6
    first = table.rows[1]
    assert first[0].text == "all compounds"
    assert [cell.text for cell in first[1:3]] == ["40", "13.5"]
    assert first[3].note == "[0.200, 0.400]\np = 0.010"
    assert figure.data.count("\n") == 1 + 2 * (3 + 3 + 5)
    assert [row[0].text for row in compared.rows if len(row) == 1][2] == "phenotype and L1000 signature"
