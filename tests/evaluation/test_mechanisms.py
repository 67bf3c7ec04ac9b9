import numpy as np
import pandas as pd
import pytest

from dssl.evaluation.mechanisms import FEWEST, mean_by_value


def test_means_are_those_of_a_loop_and_several_values_count_for_each() -> None:
    rng = np.random.default_rng(0)
    annotation = pd.Series(["a", "a|b", None, "b", "", "a", "a ", "c", "a"])
    scores = pd.DataFrame({"first": rng.random(9), "second": rng.random(9)})
    table = mean_by_value(scores, annotation, 500, np.random.default_rng(1)).set_index("value")
    members = {"a": [0, 1, 5, 6, 8], "b": [1, 3], "c": [7]}
    assert table.index.to_list() == ["a", "b", "c"]
    for value, rows in members.items():
        assert table.loc[value, "n_compounds"] == len(rows)
        for name in scores:
            assert table.loc[value, name] == pytest.approx(sum(scores[name][row] for row in rows) / len(rows))
            assert np.isnan(table.loc[value, f"{name}_low"]) == (len(rows) < FEWEST)
    assert table.loc["a", "first_low"] < table.loc["a", "first"] < table.loc["a", "first_high"]


def test_the_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    scores = pd.DataFrame({"score": rng.normal(size=8000)})
    table = mean_by_value(scores, pd.Series(np.repeat(np.arange(200).astype(str), 40)), 300, rng)
    covered = ((table["score_low"] < 0) & (table["score_high"] > 0)).mean()
    assert 0.88 < covered < 0.99


def test_nothing_annotated_gives_an_empty_table() -> None:
    table = mean_by_value(pd.DataFrame({"score": [1.0]}), pd.Series([None]), 10, np.random.default_rng(0))
    assert table.empty
    assert list(table.columns) == ["value", "n_compounds", "score", "score_low", "score_high"]
