from types import ModuleType

import pandas as pd
import pytest

from dssl.report.activity import activity_parts, activity_sentence
from dssl.report.content import Figure, Note, Part, Table, number
from dssl.report.preprocessing import choice_sentences, comparison_svg, effect_sentence, preprocessing_parts

MINUS = "\N{MINUS SIGN}"


def tables(parts: list[Part]) -> list[Table]:
    return [part for part in parts if isinstance(part, Table)]


@pytest.fixture
def activity(made: ModuleType) -> pd.DataFrame:
    table: pd.DataFrame = made.activity_table([f"C{k}" for k in range(10)])
    return table


def test_choices_stand_beside_chance_n_and_their_difference(made: ModuleType) -> None:
    parts = preprocessing_parts(made.preprocessing_table())
    assert any(isinstance(part, Figure) for part in parts)
    rows = [[cell.text for cell in row] for row in tables(parts)[0].rows]
    assert ["replicate mAP (higher is better)"] in rows
    assert ["sphering", "40", "0.450", "0.100", "0.050", "p = 0.003"] in rows


def test_choices_that_differ_are_counted_and_the_most_different_is_named(made: ModuleType) -> None:
    rows = made.preprocessing_table()
    extra = rows[rows["choice"] == "sphering"]
    shifts = {"worst": -0.2, "worse": -0.1, "best": 0.3}
    more = [extra.assign(choice=name, difference=shift) for name, shift in shifts.items()]
    said = choice_sentences(pd.concat([rows, *more, extra.assign(choice="unclear", p_value=0.05)]))
    assert said[0].startswith("Of 5 other choices of preprocessing, this many give a replicate mAP that differs")
    assert f"2 higher (most: best, +0.300, p = 0.003); 2 lower (most: worst, {MINUS}0.200, p = 0.003)." in said[0]
    assert choice_sentences(extra.assign(p_value=0.5))[0].endswith("not corrected for their number: none.")


@pytest.mark.parametrize(("chance", "text"), [(0.1, "some batch effect is left"), (0.35, "no batch effect is seen")])
def test_a_batch_effect_is_left_where_the_interval_lies_above_chance(
    made: ModuleType, chance: float, text: str
) -> None:
    said = effect_sentence(made.preprocessing_table().assign(chance=chance))
    assert text in said
    assert f"mAP 0.400 [0.300, 0.500]; chance {number(chance)}" in said
    assert effect_sentence(made.preprocessing_table().assign(value=None)).endswith("was not measured.")


def test_what_was_not_measured_is_listed_with_its_reason(made: ModuleType) -> None:
    rows = [[cell.text for cell in row] for row in tables(preprocessing_parts(made.preprocessing_table()))[1].rows]
    assert rows == [
        ["Harmony: replicate mAP, mechanism mAP, batch mAP, plate mAP", "aligns batches, but there is one only"]
    ]


def test_activity_is_counted(activity: pd.DataFrame) -> None:
    figure, table = activity_parts(activity)
    assert isinstance(figure, Figure)
    assert len(figure.data.splitlines()) == 10
    rows = {row[0].text: row[1].text for row in tables([table])[0].rows}
    assert rows["compounds of treated wells"] == "10"
    assert rows[f"{MINUS} one well only"] == "1"
    assert rows["= called"] == "9"
    assert rows["active"] == "3"
    assert activity_sentence(activity).startswith("3 of 9 compounds (33 %) have a phenotype that differs")
    assert "wells in random order would give 0.200" in activity_sentence(activity)


def test_a_screen_without_controls_says_why_there_is_no_activity(activity: pd.DataFrame) -> None:
    why = activity[:2].assign(mean_average_precision=None, reason="the screen has no unflagged control wells")
    (note,) = activity_parts(why)
    assert note == Note("Activity could not be called: the screen has no unflagged control wells (2 compounds).")
    assert "could not be called: the screen has no" in activity_sentence(why)


def test_nothing_compared_gives_no_figure(made: ModuleType) -> None:
    parts = preprocessing_parts(made.preprocessing_table().assign(value=float("nan"), p_value=float("nan")))
    assert not any(isinstance(part, Figure) for part in parts)


def test_the_figure_is_the_same_every_time(made: ModuleType) -> None:
    comparison: pd.DataFrame = made.preprocessing_table()
    assert comparison_svg(comparison) == comparison_svg(comparison)
    assert b"<svg" in comparison_svg(comparison)
