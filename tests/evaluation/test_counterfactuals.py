"""Scores of predicted profiles against plain loops and closed forms."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from dssl import keys
from dssl.evaluation import counterfactuals
from dssl.evaluation.counterfactual_queries import CONTEXT, Queries
from dssl.evaluation.counterfactuals import (
    compare_with_controls,
    coverage,
    group_matrix,
    score_queries,
    summarize_counterfactuals,
    summarize_explained,
)

COMPOUNDS, CONTEXTS = ["A", "A", "B", "C", "C", "D"], ["p", "q", "p", "p", "q", "r"]


def made_up_queries() -> Queries:
    obs = pd.DataFrame({keys.COMPOUND_ID: COMPOUNDS, keys.TREATMENT: COMPOUNDS, CONTEXT: CONTEXTS})
    nothing = sparse.csr_matrix((6, 6))
    return Queries(obs, np.array([5, 4, 3, 2, 1, 0]), np.arange(6), nothing, nothing, nothing)


@pytest.mark.parametrize("cells", [counterfactuals.CHUNK_CELLS, 6])
def test_scores_and_their_chance_are_those_of_a_plain_loop(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counterfactuals, "CHUNK_CELLS", cells)
    rng = np.random.default_rng(0)
    profiles, predicted = rng.normal(size=(6, 7)), rng.normal(size=(6, 7))
    queries = made_up_queries()
    found, truth = score_queries(queries, profiles, predicted), profiles[::-1]

    def scores(one: np.ndarray, other: np.ndarray) -> list[float]:
        cosine = one @ other / np.sqrt((one @ one) * (other @ other))
        return [cosine, np.corrcoef(one, other)[0, 1], float(np.mean((one - other) ** 2))]

    for row in range(6):
        names = ["cosine", "pearson", "squared_error"]
        np.testing.assert_allclose(found.loc[row, names].astype(float), scores(predicted[row], truth[row]))
        others = [k for k in range(6) if CONTEXTS[k] == CONTEXTS[row] and COMPOUNDS[k] != COMPOUNDS[row]]
        by_chance = found.loc[row, [f"chance_{name}" for name in names]].astype(float)
        if others:
            np.testing.assert_allclose(by_chance, np.mean([scores(predicted[row], truth[k]) for k in others], axis=0))
        else:
            assert by_chance.isna().all()
    np.testing.assert_allclose(found["truth_square"], (truth**2).mean(axis=1))


def scored(error: float, method: str, rng: np.random.Generator) -> pd.DataFrame:
    """Forty compounds, of which the first has many queries, all of them wrong."""
    ids = [f"C{k}" for k in range(40)] + ["C0"] * 60
    n = len(ids)
    squared = np.where(np.arange(n) >= 40, 50.0, error) + 0.01 * rng.random(n)
    squared[0] = 50.0
    table = pd.DataFrame({"fold": "0", keys.COMPOUND_ID: ids, "squared_error": squared, "truth_square": 2.0})
    same = {"cosine": 0.4, "pearson": 0.3, "chance_cosine": 0.0, "chance_pearson": 0.0, "chance_squared_error": 4.0}
    nothing = dict.fromkeys(["covered", "covered_by_members", "predicted_sd", "member_sd"], np.nan)
    return table.assign(**same, **nothing, context_column="plate", task="transfer", method=method)


def test_every_compound_counts_once_in_r2() -> None:
    rng = np.random.default_rng(0)
    table = summarize_counterfactuals(scored(0.5, "dssl", rng), 200, rng)
    r2 = table[table["metric"] == "r2"].iloc[0]
    assert r2["value"] == pytest.approx(1 - (39 * 0.505 + 50) / 40 / 2, abs=0.01)
    assert r2["chance"] == pytest.approx(1 - 4 / 2)
    assert r2["ci_low"] < r2["value"] < r2["ci_high"]
    assert (r2["n_compounds"], r2["n_queries"]) == (40, 100)
    # without intervals there is no coverage to state
    assert set(table["metric"]) == {"r2", "cosine", "pearson"}


def test_comparisons_say_who_is_better() -> None:
    rng = np.random.default_rng(0)
    methods = [
        scored(0.5, "dssl", rng),
        scored(0.8, "worse", rng),
        scored(0.5, "same", rng),
        scored(0.2, "better", rng),
    ]
    found = compare_with_controls(pd.concat(methods), "dssl", 200, 500, rng)
    errors = found[found["metric"] == "squared_error"].set_index("method_b")
    assert errors.loc["worse", "difference"] == pytest.approx(-0.3 * 39 / 40, abs=0.01)
    assert errors.loc["better", "difference"] == pytest.approx(0.3 * 39 / 40, abs=0.01)
    assert (errors.loc[["worse", "better"], "p_holm"] < 0.01).all()
    assert errors.loc["same", "p_holm"] > 0.05


def test_coverage_of_gaussian_errors_is_nominal() -> None:
    rng = np.random.default_rng(0)
    spread = np.array([0.5, 1.0, 3.0])
    error = rng.normal(size=(4000, 3)) * spread
    found = coverage(error, np.zeros((4000, 3)), spread, np.full((4000, 3), np.nan))
    assert found["covered"].mean() == pytest.approx(0.95, abs=0.01)
    assert np.isnan(found["covered_by_members"]).all()
    half = coverage(error, np.zeros((4000, 3)), spread, np.tile(spread / 2, (4000, 1)))
    assert half["covered_by_members"].mean() == pytest.approx(0.673, abs=0.02)  # P(|z| < 0.98)


def test_groups_weigh_features_by_their_variance() -> None:
    table = pd.DataFrame(
        {
            "feature": ["a", "b", "c"],
            "fold": "0",
            "context_column": "plate",
            "r2_both": [0.8, 0.2, 0.5],
            "variance": [3.0, 1.0, 1.0],
            "kind": ["x", "x", "y"],
        }
    )
    found = summarize_explained(table, 60).set_index("group")
    assert found.loc["x", "r2_both"] == pytest.approx(1 - (3 * 0.2 + 0.8) / 4)
    assert found.loc["all features", "r2_both"] == pytest.approx(1 - (3 * 0.2 + 0.8 + 0.5) / 5)
    heads, matrix = group_matrix(table[["kind"]], 60)
    assert heads["group"].tolist() == ["x", "y"]
    np.testing.assert_allclose(np.array([2.0, 4.0, 5.0]) @ matrix, [3.0, 5.0])
    assert group_matrix(table[["variance"]], 60)[1].shape == (3, 0)
