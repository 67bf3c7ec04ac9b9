"""Sentences on retrieval: every number recomputed, and honest where the model does not win."""

from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from dssl.report.retrieval_curve import curve_figure, curve_table, exact_interval
from dssl.report.retrieval_words import retrieval_sentences, strongest_control, tally, whole_library

FORWARD = "phenotype_to_molecule"


def scores(made: ModuleType, **values: float) -> pd.DataFrame:
    """Compound level of all folds; the named methods with other values in every metric."""
    table = made.retrieval_table()
    main = table[(table["fold"] == "all") & (table["level"] == "compound")].copy()
    for method, value in values.items():
        main.loc[main["method"] == method, "value"] = value
    return main


def test_a_model_that_loses_to_a_control_is_said_to_lose(made: ModuleType) -> None:
    first, second = retrieval_sentences(scores(made, kernel_ridge=0.9), made.comparison_rows(-0.2, 0.001))
    for said in (first, second):
        assert (
            "kernel ridge regression from fingerprints (kernel ridge on fingerprints), does so for 90 % [23 %, 29 %]"
            in said
        )
        assert "the model is worse than it, so that the control should be used instead" in said
        assert "difference in mean reciprocal rank \N{MINUS SIGN}0.200" in said
        assert "better than it" not in said
    assert first.startswith("Phenotype")
    assert second.startswith("Molecule")


@pytest.mark.parametrize(("p_value", "is_clear"), [(0.049, True), (0.05, False), (0.5, False), (float("nan"), False)])
def test_better_is_said_only_below_the_threshold(made: ModuleType, p_value: float, is_clear: bool) -> None:
    said = retrieval_sentences(scores(made), made.comparison_rows(0.2, p_value))[0]
    assert ("the model is better than it" in said) == is_clear
    assert ("these data do not tell which of the two is better" in said) != is_clear


@pytest.mark.parametrize(
    ("p_value", "value", "text"),
    [
        (0.2, 0.3, "That is not shown to be better than guessing (p = 0.200)"),
        (float("nan"), 0.3, "That is not shown to be better than guessing."),
        (0.01, 0.05, "On average over all ranks that is no better than guessing."),
        (0.01, 0.3, "That is better than guessing (p = 0.010)."),
    ],
)
def test_chance_is_judged(made: ModuleType, p_value: float, value: float, text: str) -> None:
    main = scores(made, dssl=value).assign(p_value=p_value)
    assert text in retrieval_sentences(main, made.comparison_rows(0.2, 0.001))[0]


@pytest.mark.parametrize(
    ("size", "words"), [(20.0, "among the first five"), (19.0, "in the first place"), (1.0, "in the first place")]
)
def test_a_small_library_is_asked_for_its_first(made: ModuleType, size: float, words: str) -> None:
    main = scores(made).assign(library_size=size, chance=1 / size)
    said = retrieval_sentences(main, made.comparison_rows(0.2, 0.001))[0]
    assert words in said
    assert f"one of {size:.0f} molecule{'' if size == 1 else 's'} " in said
    assert ("With a single one to choose from, this says nothing." in said) == (size == 1)


def test_parts_of_the_model_are_no_controls(made: ModuleType) -> None:
    main = scores(made)
    part = main[main["method"] == "dssl"].assign(method="dssl_trained", value=0.99)
    rows = whole_library(pd.concat([main, part]), FORWARD)
    assert strongest_control(rows) == "kernel_ridge"
    assert strongest_control(rows[rows["method"].str.startswith("dssl")]) is None
    alone = retrieval_sentences(rows[rows["method"] == "dssl"], made.comparison_rows(0.1, 0.1).iloc[:0])
    assert len(alone) == 1
    assert "control" not in alone[0]


def test_controls_are_tallied(made: ModuleType) -> None:
    rows = made.comparison_rows(0.2, 0.01)
    is_ridge = rows["method_b"] == "kernel_ridge"
    rows.loc[is_ridge, "difference"] *= -1
    rows.loc[rows["method_b"] == "random", "p_holm"] = 0.2
    told = tally(rows)
    assert [text.partition(":")[0].partition(", ")[2] for text in told] == ["mean reciprocal rank", "mean rank"] * 2
    for text in told:
        assert (
            "of 3 controls the model is better than 1 (nearest neighbour), worse than 1 (kernel ridge on fingerprints)"
            in text
        )
        assert "not told apart from 1 (random)" in text
    assert tally(rows.iloc[:0]) == []


def test_the_curve_counts_compounds_and_has_exact_intervals(made: ModuleType) -> None:
    compounds = [f"C{k}" for k in range(20)]
    queries = made.query_rows(compounds)
    curve = curve_table(queries, scores(made))
    assert set(curve["method"]) == {"dssl", "kernel_ridge"}
    one = curve[(curve["method"] == "dssl") & (curve["direction"] == FORWARD)]
    ranks = np.arange(1, 21)
    for looked, found in zip(one["share_looked_at"], one["share_found"], strict=True):
        assert found == pytest.approx(np.mean(ranks / 20 <= looked + 1e-9))
    assert one["share_found"].iloc[-1] == 1
    assert curve_figure(curve).caption.startswith("How far down its list")
    low, high = exact_interval(np.array([0, 3, 10]), 10)
    for place, found in enumerate((0, 3, 10)):
        oracle = binomtest(found, 10).proportion_ci(0.95, "exact")
        assert (low[place], high[place]) == pytest.approx((oracle.low, oracle.high))


def test_compounds_of_repeated_folds_count_once(made: ModuleType) -> None:
    compounds = [f"C{k}" for k in range(20)]
    twice = pd.concat([made.query_rows(compounds), made.query_rows(compounds[::-1], "1")])
    assert set(curve_table(twice, scores(made))["n_compounds"]) == {20}


def test_the_whole_list_is_told_beside_its_own_strongest_control(made: ModuleType) -> None:
    main, metric = scores(made), "mean_normalized_rank"
    is_rank = main["metric"] == metric
    for method, value in {"dssl": 0.3, "kernel_ridge": 0.45, "nearest_neighbor": 0.35, "random": 0.5}.items():
        main.loc[is_rank & (main["method"] == method), ["value", "ci_low", "ci_high", "chance"]] = (
            value,
            0.28,
            0.33,
            0.5,
        )
    compared = made.comparison_rows(0.05, 0.01)
    said = retrieval_sentences(main, compared)[0]
    assert "on average before 70 % [67 %, 72 %] of the others (guessing: 50 %)" in said
    assert "the most similar training molecules (nearest neighbour), before 65 %; the model is better than it" in said
    assert "(difference in mean rank \N{MINUS SIGN}0.050" in said
    worse = retrieval_sentences(main, made.comparison_rows(-0.05, 0.01))[0]
    assert "before 65 %; the model is worse than it" in worse
