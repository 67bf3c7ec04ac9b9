from types import ModuleType

import pandas as pd
import pytest

from dssl.report.content import Figure, Note, Section, Table
from dssl.report.preprocessing import comparison_svg, preprocessing_section


def tables(section: Section) -> list[Table]:
    return [part for part in section.parts if isinstance(part, Table)]


@pytest.fixture
def section(made: ModuleType) -> Section:
    return preprocessing_section(made.preprocessing_table(), made.activity_table([f"C{k}" for k in range(10)]))


def test_choices_stand_beside_chance_n_and_their_difference(section: Section) -> None:
    assert any(isinstance(part, Figure) for part in section.parts)
    rows = [[cell.text for cell in row] for row in tables(section)[0].rows]
    assert ["replicate mAP (higher is better)"] in rows
    assert ["sphering", "40", "0.450", "0.100", "0.050", "p = 0.003"] in rows
    assert "of 1: sphering (+0.050, p = 0.003)." in " ".join(section.paragraphs)


def test_what_was_not_measured_is_listed_with_its_reason(section: Section) -> None:
    rows = [[cell.text for cell in row] for row in tables(section)[1].rows]
    assert rows == [
        ["Harmony: replicate mAP, mechanism mAP, batch mAP, plate mAP", "aligns batches, but there is one only"]
    ]


def test_activity_is_counted(section: Section) -> None:
    rows = {row[0].text: row[1].text for row in tables(section)[2].rows}
    assert rows["compounds of treated wells"] == "10"
    assert rows["\N{MINUS SIGN} one well only"] == "1"
    assert rows["= called"] == "9"
    assert rows["active"] == "3"


def test_a_screen_without_controls_says_why_there_is_no_activity(made: ModuleType) -> None:
    activity = made.activity_table(["C0", "C1"])
    activity["mean_average_precision"] = None
    activity["reason"] = "the screen has no unflagged control wells"
    comparison = made.preprocessing_table()
    comparison["value"] = float("nan")
    section = preprocessing_section(comparison, activity)
    notes = [part.text for part in section.parts if isinstance(part, Note)]
    assert notes == ["Activity could not be called: the screen has no unflagged control wells (2 compounds)."]
    assert not any(isinstance(part, Figure) for part in section.parts)


def test_the_figure_is_the_same_every_time(made: ModuleType) -> None:
    comparison: pd.DataFrame = made.preprocessing_table()
    assert comparison_svg(comparison) == comparison_svg(comparison)
    assert b"<svg" in comparison_svg(comparison)
