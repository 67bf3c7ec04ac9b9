"""The section about counterfactual profiles says who is better, shows every control, and what was not predicted."""

import pandas as pd
import pytest

from dssl.report.content import Figure, Note, Table
from dssl.report.counterfactuals import NAMES, counterfactuals_section
from dssl.report.page import render
from dssl.training.counterfactuals import MODEL, RIDGE, STRUCTURE, TRANSFER
from tests.predicted import CONTROLS, comparison_rows, summary_rows


def explained_rows() -> pd.DataFrame:
    rows = [("plate", "all", "all features", 12, 3), ("plate", "pathway", "<b>up</b> $x$", 5, 3)]
    table = pd.DataFrame(rows, columns=["context_column", "grouping", "group", "n_features", "n_folds"])
    scores = {"shared": 0.66, "specific": 0.68, "both": 0.77, "chance": -0.02, "inputs": 0.8, "pca": 0.97}
    return table.assign(**{f"r2_{name}": value for name, value in scores.items()})


NOTHING_LEFT_OUT = pd.DataFrame(columns=["fold", "context_column", "task", "compound_id", "treatment", "reason"])


@pytest.mark.parametrize(
    ("difference", "p_value", "said"),
    [(-0.05, 0.001, "is better than"), (0.05, 0.001, "is worse than"), (-0.05, 0.3, "is not told apart from")],
)
def test_the_verdict_follows_the_paired_test(difference: float, p_value: float, said: str) -> None:
    tasks = [TRANSFER, STRUCTURE]
    rows = comparison_rows(tasks, difference, p_value)
    section = counterfactuals_section(summary_rows(tasks), rows, explained_rows(), NOTHING_LEFT_OUT)
    _, transfer, structure = section.paragraphs
    best = NAMES[RIDGE[TRANSFER]]
    assert f"The model {said} the best control, {best}, R² 0.300 [0.270, 0.330]" in transfer
    assert "R² 0.410 [0.380, 0.440] (n = 107 held-out compounds, 210 profiles; chance \N{MINUS SIGN}0.370)" in transfer
    assert "95 % intervals hold 94.1 % of the measured values" in transfer
    assert NAMES[RIDGE[STRUCTURE]] in structure


def test_every_control_stands_in_the_table_with_chance_and_n() -> None:
    tasks = [TRANSFER, STRUCTURE]
    rows = comparison_rows(tasks, -0.05, 0.001)
    section = counterfactuals_section(summary_rows(tasks), rows, explained_rows(), NOTHING_LEFT_OUT)
    figure, table, explained = section.parts
    assert isinstance(figure, Figure)
    assert isinstance(table, Table)
    assert isinstance(explained, Table)
    named = [row[0].text for row in table.rows if len(row) > 1]
    assert named == [NAMES[name] for task in tasks for name in (MODEL, *CONTROLS[task])]
    of_model = next(row for row in table.rows if len(row) > 1)
    assert [cell.text for cell in of_model[1:5]] == ["0.410", "\N{MINUS SIGN}0.370", "0.510", "0.010"]
    assert of_model[-1].text == "107"
    assert explained.rows[0][3].text == "0.770"


def test_a_screen_of_single_plates_is_told_so_instead_of_a_number() -> None:
    left_out = pd.DataFrame(
        [("0", "plate", TRANSFER, "0 profiles of training compounds can be predicted", None)] * 2
        + [("0", "plate", STRUCTURE, "fewer than 3 training treatments are measured there", "C1@1uM")],
        columns=["fold", "context_column", "task", "reason", "treatment"],
    )
    rows = comparison_rows([STRUCTURE], -0.05, 0.001)
    section = counterfactuals_section(summary_rows([STRUCTURE]), rows, explained_rows(), left_out)
    notes = [part.text for part in section.parts if isinstance(part, Note)]
    assert notes[0].startswith(
        "Not predicted: all profiles, plate, from its profiles elsewhere: 0 profiles of training"
    )
    assert "no held-out pair to measure an error with, so no figure is given" in notes[0]
    assert notes[1].startswith("Not predicted: 1 profile, plate, from its structure: fewer than 3")
    assert "no figure" not in notes[1]
    assert len(section.paragraphs) == 2


def test_nothing_at_all_is_no_error_and_names_are_escaped() -> None:
    nothing = counterfactuals_section(
        summary_rows([]), comparison_rows([], 0, 1), explained_rows().iloc[:0], NOTHING_LEFT_OUT
    )
    assert nothing.parts == []
    named = "<script>alert(1)</script> $x$"
    section = counterfactuals_section(
        summary_rows([TRANSFER], named), comparison_rows([TRANSFER], 0, 1, named), explained_rows(), NOTHING_LEFT_OUT
    )
    page = render("t", "s", "0", False, [section])
    assert "<script>alert" not in page
    assert "&lt;b&gt;up&lt;/b&gt; $x$" in page
