import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dssl.evaluation import enrichment
from dssl.evaluation.enrichment import (
    fold_enrichment,
    nearest,
    neighbor_rates,
    odds_ratio,
    permuted_sharing,
    sharing_matrix,
    summarize_neighbors,
    usable,
    value_sets,
)
from dssl.evaluation.retrieval import unit_rows


@pytest.mark.parametrize("cells", [enrichment.CHUNK_CELLS, 20])
def test_several_values_are_told_apart_and_one_in_common_counts(cells, monkeypatch):
    monkeypatch.setattr(enrichment, "CHUNK_CELLS", cells)
    values = value_sets(
        pd.Series(["kinase inhibitor|antioxidant", " antioxidant ", "", None, "kinase", np.nan, "kinase|x"])
    )
    assert values[0] == {"kinase inhibitor", "antioxidant"}
    assert values[2] == values[3] == values[5] == frozenset()
    shared = sharing_matrix(values)
    assert {tuple(pair) for pair in np.argwhere(shared).tolist()} == {(0, 1), (1, 0), (4, 6), (6, 4)}
    assert usable(values).tolist() == [0, 1, 4, 6]
    assert not usable(value_sets(pd.Series(["a", "b", "c"]))).size
    assert not usable(value_sets(pd.Series(["a", "a", ""]))).size
    assert value_sets(pd.Series(["a|b"], dtype="category")) == [{"a", "b"}]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 5000), st.integers(1, 7), st.sampled_from([1, 2, 8]))
def test_rates_equal_a_loop_over_pairs_with_ties_shared(seed, k, d):
    rng = np.random.default_rng(seed)
    queries, items = (unit_rows(rng.integers(-1, 2, size=(6, d)).astype(float)) for _ in range(2))
    shared = sharing_matrix([frozenset(rng.choice(list("abcd"), rng.integers(1, 3))) for _ in range(6)])
    found = neighbor_rates(nearest(queries, items, k), shared)
    k = min(k, 5)
    for i in range(6):
        others = [j for j in range(6) if j != i]
        score = {j: round(float(queries[i] @ items[j]), 7) for j in others}
        last = sorted(score.values(), reverse=True)[k - 1]
        above, tied = [j for j in others if score[j] > last], [j for j in others if score[j] == last]
        weight = dict.fromkeys(above, 1.0) | {j: (k - len(above)) / len(tied) for j in tied}
        inside = sum(weight.get(j, 0) * shared[i, j] for j in others)
        assert found["sharing"][i] == pytest.approx(inside / k)
        assert found["expected"][i] == pytest.approx(sum(shared[i, j] for j in others) / 5)
        if k < 5:
            assert found["others"][i] == pytest.approx((shared[i].sum() - inside) / (5 - k))


def test_a_collapsed_code_has_everybody_as_neighbour_and_no_enrichment():
    rng = np.random.default_rng(0)
    shared = sharing_matrix([frozenset(rng.choice(list("abc"), 1)) for _ in range(12)])
    found = neighbor_rates(nearest(np.ones((12, 3)), np.ones((12, 3)), 4), shared)
    np.testing.assert_allclose(found["sharing"], found["expected"])


@pytest.mark.parametrize("cells", [enrichment.CHUNK_CELLS, 50])
def test_permuted_sharing_is_that_of_values_dealt_out(cells, monkeypatch):
    monkeypatch.setattr(enrichment, "CHUNK_CELLS", cells)
    rng = np.random.default_rng(1)
    vectors = unit_rows(rng.normal(size=(15, 4)))
    neighbors = nearest(vectors, vectors, 3)
    values = [frozenset(rng.choice(list("abcde"), 2)) for _ in range(15)]
    orders = np.stack([np.arange(15), rng.permutation(15), rng.permutation(15)])
    found = permuted_sharing(neighbors, sharing_matrix(values), orders)
    for value, order in zip(found, orders, strict=True):
        dealt = sharing_matrix([values[one] for one in order])
        assert value == pytest.approx(neighbor_rates(neighbors, dealt)["sharing"].mean())


def scored(rng, signal, n=40, n_permutations=199, fold="0", method="m"):
    """Compounds of eight mechanisms, codes near their mechanism's centre by `signal`."""
    mechanism = np.arange(n) % 8
    vectors = unit_rows(signal * rng.normal(size=(8, 6))[mechanism] + rng.normal(size=(n, 6)))
    shared = sharing_matrix([frozenset([str(one)]) for one in mechanism])
    neighbors = nearest(vectors, vectors, 4)
    labels = {"fold": fold, "space": "phenotype", "column": "moa", "method": method}
    ids = [f"{fold}-{one}" for one in range(n)]
    rates = neighbor_rates(neighbors, shared).assign(**labels, compound_id=ids, n_neighbors=4)
    orders = rng.permuted(np.tile(np.arange(n), (n_permutations, 1)), axis=1)
    null = pd.DataFrame({**labels, "permutation": np.arange(n_permutations)})
    return rates, null.assign(sharing=permuted_sharing(neighbors, shared, orders))


def test_planted_mechanisms_are_enriched_and_ratios_are_those_of_the_counts():
    rng = np.random.default_rng(2)
    tables = [scored(rng, signal, method=method) for signal, method in ((3.0, "good"), (0.0, "bad"))]
    rates, null = (pd.concat([table[i] for table in tables], ignore_index=True) for i in range(2))
    found = summarize_neighbors(rates, null, 500, rng).set_index("method")
    good = found.loc["good"]
    assert good["p_value"] == pytest.approx(1 / 200)
    assert good["p_holm"] == pytest.approx(2 / 200)
    assert found.loc["bad", "p_value"] > 0.05
    assert found.loc["bad", "fold_enrichment_low"] < 1 < found.loc["bad", "fold_enrichment_high"]
    assert found["expected"].to_numpy() == pytest.approx(4 / 39)
    # 40 compounds, 4 neighbours each: the two-by-two table of pairs
    sharing = good["sharing"] * 160
    table = np.array([[sharing, 160 - sharing], [160 - sharing, 40 * 35 - (160 - sharing)]])
    assert good["odds_ratio"] == pytest.approx(
        stats.contingency.odds_ratio(table.round().astype(int), kind="sample").statistic
    )
    assert good["fold_enrichment"] == pytest.approx(good["sharing"] / (4 / 39))
    assert good["fold_enrichment_low"] < good["fold_enrichment"] < good["fold_enrichment_high"]
    assert good["odds_ratio_low"] < good["odds_ratio"] < good["odds_ratio_high"]


def test_p_values_without_signal_are_not_too_small():
    rng = np.random.default_rng(3)
    p_values = [summarize_neighbors(*scored(rng, 0.0, 24, 59), 100, rng)["p_value"].item() for _ in range(120)]
    # few distinct values tie often, which makes them conservative
    assert stats.kstest(p_values, "uniform", alternative="greater").pvalue > 0.005
    assert 0.3 < np.mean(p_values) < 0.7


def test_compounds_of_repeats_are_averaged_first():
    rng = np.random.default_rng(4)
    once = scored(rng, 2.0)
    again = [table.assign(fold="1") for table in once]
    twice = [pd.concat(pair, ignore_index=True) for pair in zip(once, again, strict=True)]
    twice[0]["compound_id"] = once[0]["compound_id"].tolist() * 2
    single, repeated = (summarize_neighbors(*tables, 300, np.random.default_rng(5)) for tables in (once, twice))
    pd.testing.assert_frame_equal(single, repeated)


def test_ratios_that_are_undefined_are_missing():
    rates = np.array([[0.5, 0.0, 0.0], [0.0, 0.2, 0.1], [1.0, 0.5, 0.5]])
    np.testing.assert_array_equal(fold_enrichment(rates), [np.nan, 0, 2])
    np.testing.assert_array_equal(odds_ratio(rates), [np.nan, 0, np.nan])
