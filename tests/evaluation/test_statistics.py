import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dssl.errors import PairingError
from dssl.evaluation.libraries import Pairings
from dssl.evaluation.ranks import METRICS
from dssl.evaluation.retrieval import evaluate_embedding
from dssl.evaluation.statistics import (
    SUMMARY_COLUMNS,
    bootstrap_interval,
    paired_test,
    permutation_p_value,
    summarize,
)


def embedding(rng, signal=0.0, n=20, wells=2, fold="0", method="m", n_permutations=99):
    molecule = rng.normal(size=(n, 5))
    phenotype = np.repeat(signal * molecule, wells, axis=0) + rng.normal(size=(n * wells, 5))
    ids = [f"{fold}-{i}" for i in range(n)]
    obs = pd.DataFrame({"compound_id": np.repeat(ids, wells), "batch": np.tile(["p", "q"], n * wells // 2)})
    return evaluate_embedding(
        phenotype, obs, molecule, ids, "well", method=method, fold=fold, pairings=Pairings(n_permutations, rng)
    )


def test_interval_equals_resampling_by_hand():
    values = np.random.default_rng(0).exponential(size=(30, 2))
    low, high = bootstrap_interval(values, 20_000, np.random.default_rng(1))
    rng = np.random.default_rng(2)
    means = np.array([values[rng.integers(0, 30, 30)].mean(axis=0) for _ in range(20_000)])
    np.testing.assert_allclose([low, high], np.quantile(means, [0.025, 0.975], axis=0), atol=0.015)


def test_interval_covers_the_true_mean():
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(300):
        low, high = bootstrap_interval(rng.normal(1.0, 2.0, size=(60, 1)), 400, rng)
        covered += low[0] <= 1.0 <= high[0]
    assert 0.90 <= covered / 300 <= 0.98


def test_permutation_p_value_counts_and_handles_direction_and_rounding():
    permuted = np.array([0.1, 0.2, 0.3, 0.3 + 1e-16])
    assert permutation_p_value(0.3, permuted) == 3 / 5
    assert permutation_p_value(0.2, permuted, lower_is_better=True) == 3 / 5
    assert permutation_p_value(0.9, permuted) == 1 / 5


def test_summary_by_hand():
    chances = {f"chance_{name}": [0.1, 0.1, 0.3] for name in METRICS}
    queries = pd.DataFrame(
        {"method": "m", "fold": "0", "level": "well", "direction": "d", "library": "whole"}
        | {"compound_id": ["a", "a", "b"], "library_size": [4, 6, 10]}
        | {name: [0.0, 1.0, 1.0] for name in METRICS}
        | chances,
    )
    found = summarize(queries, None, 100, np.random.default_rng(0))
    assert found.columns.tolist() == SUMMARY_COLUMNS
    assert found["fold"].unique().tolist() == ["0", "all"]
    # compounds weigh the same: (mean(0, 1) + 1) / 2
    np.testing.assert_allclose(found["value"], 0.75)
    np.testing.assert_allclose(found["chance"], 0.2)
    np.testing.assert_allclose(found["library_size"], 7.5)
    assert found[["n_queries", "n_compounds"]].drop_duplicates().to_numpy().tolist() == [[3, 2]]
    assert found["p_value"].isna().all()


def test_all_folds_pool_compounds_and_planted_signal_is_significant():
    rng = np.random.default_rng(4)
    parts = [embedding(rng, 1.5, n, fold=fold) for n, fold in ((10, "0"), (30, "1"))]
    queries, null = (pd.concat([part[i] for part in parts], ignore_index=True) for i in range(2))
    found = summarize(queries, null, 200, rng)
    assert len(found) == 3 * 2 * 2 * len(METRICS)
    by_fold = found[found["library"] == "whole"].pivot(index=["direction", "metric"], columns="fold", values="value")
    np.testing.assert_allclose(by_fold["all"], (10 * by_fold["0"] + 30 * by_fold["1"]) / 40)
    wanted = found[(found["metric"].isin(["mrr", "mean_normalized_rank"])) & (found["fold"] == "all")]
    assert (wanted["p_value"] == 0.01).all()
    assert ((found["ci_low"] <= found["value"] + 1e-12) & (found["value"] <= found["ci_high"] + 1e-12)).all()


def test_null_p_values_are_uniform():
    rng = np.random.default_rng(5)
    p_values = []
    for _ in range(80):
        scores = embedding(rng, n=12)
        found = summarize(scores.queries, scores.null, 100, rng)
        p_values.append(found.loc[found["metric"] == "mean_normalized_rank", ["direction", "library", "p_value"]])
    table = pd.concat(p_values)
    for _, group in table.groupby(["direction", "library"]):
        assert stats.kstest(group["p_value"], "uniform").pvalue > 0.001
    assert 0.01 < (table["p_value"] <= 0.05).mean() < 0.1


def test_null_p_values_are_not_too_small_where_libraries_overlap_in_part():
    rng = np.random.default_rng(11)
    p_values = []
    for _ in range(80):
        ids, wells = [f"c{i}" for i in range(15)], 3
        obs = pd.DataFrame({"compound_id": np.repeat(ids, wells), "batch": rng.choice(list("pqrstu"), 15 * wells)})
        scores = evaluate_embedding(
            rng.normal(size=(45, 4)), obs, rng.normal(size=(15, 4)), ids, "well",
            method="m", fold="0", pairings=Pairings(49, rng), libraries=["batch"],
        )  # fmt: skip
        p_values.append(summarize(scores.queries, scores.null, 100, rng).query("fold == 'all'"))
    table = pd.concat(p_values).set_index(["direction", "metric"])["p_value"].sort_index()
    for name in ("top_1", "mrr", "mean_normalized_rank"):
        assert stats.kstest(table[("molecule_to_phenotype", name)], "uniform", alternative="greater").pvalue > 0.005
        assert stats.kstest(table[("phenotype_to_molecule", name)], "uniform", alternative="greater").pvalue > 0.005
    assert table[("molecule_to_phenotype", "mrr")].median() < 0.7


def test_same_seed_same_table():
    a, b = (
        summarize(*embedding(np.random.default_rng(6), 1.0), 100, np.random.default_rng(7)) for _ in range(2)
    )  # fmt: skip
    pd.testing.assert_frame_equal(a, b)


def test_missing_null_is_an_error():
    scores = embedding(np.random.default_rng(8))
    with pytest.raises(PairingError, match="no permutations for m, 0, well"):
        summarize(scores.queries, scores.null.iloc[:0], 100, np.random.default_rng(0))


def queries_of(values, **more):
    return pd.DataFrame({"fold": "0", "compound_id": [f"c{i}" for i in range(len(values))], "mrr": values} | more)


def test_paired_test_agrees_with_the_t_test_and_finds_a_difference():
    rng = np.random.default_rng(9)
    a = rng.normal(size=80)
    b = a - 0.2 + rng.normal(0, 0.8, size=80)
    found = paired_test(queries_of(a), queries_of(b).iloc[::-1], "mrr", rng, n_permutations=20_000)
    assert found.difference == pytest.approx((a - b).mean())
    assert found.p_value == pytest.approx(stats.ttest_rel(a, b).pvalue, abs=0.01)
    assert found.ci_low < found.difference < found.ci_high
    same = paired_test(queries_of(a), queries_of(a), "mrr", rng)
    assert same[:4] == (0, 0, 0, 1)


def test_paired_test_refuses_other_compounds_and_mixed_tables():
    rng = np.random.default_rng(10)
    with pytest.raises(PairingError, match=r"1 are in one only \(\('0', 'c2'\)\)"):
        paired_test(queries_of([0.0, 1.0]), queries_of([0.0, 1.0, 0.5]), "mrr", rng)
    mixed = queries_of([0.0, 1.0], direction=["a", "b"])
    with pytest.raises(PairingError, match="several in direction"):
        paired_test(mixed, mixed, "mrr", rng)
