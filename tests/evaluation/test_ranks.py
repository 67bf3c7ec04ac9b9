import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dssl.errors import PairingError
from dssl.evaluation.ranks import METRICS, TieCounts, chance, expected_metrics, tie_counts


def one_order(scores, hits, order):
    """Metrics of one query when rows that tie come in `order`."""
    ranked = sorted(range(len(scores)), key=lambda i: (-scores[i], order.index(i)))
    rank = 1 + next(place for place, i in enumerate(ranked) if hits[i])
    n = sum(not hit for hit in hits) + 1
    found = {f"top_{k}": float(rank <= k) for k in (1, 5, 10)}
    found["top_1pct"] = float(rank <= math.ceil(n / 100))
    found["mrr"] = 1 / rank
    found["mean_normalized_rank"] = (rank - 1) / (n - 1) if n > 1 else math.nan
    return found


def enumerated(scores, hits):
    """Mean over every order of the rows: slow and obvious."""
    everything = [one_order(scores, hits, order) for order in itertools.permutations(range(len(scores)))]
    return {name: np.mean([found[name] for found in everything]) for name in METRICS}


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=2, max_size=6), st.data())
def test_expected_metrics_equal_the_mean_over_all_orders_of_the_tied(scores, data):
    n_hits = data.draw(st.integers(1, len(scores) - 1))
    hits = np.arange(len(scores)) < n_hits
    counts = tie_counts(np.array([scores]), hits[None])
    truth = enumerated(scores, hits.tolist())
    for name, value in expected_metrics(counts).items():
        assert value[0] == pytest.approx(truth[name], abs=1e-12), name


def test_longer_ties_against_simulated_orders():
    rng = np.random.default_rng(0)
    greater, equal, hits_tied = 3, 25, 4
    ranks = np.array([greater + 1 + rng.permutation(equal + hits_tied)[:hits_tied].min() for _ in range(40_000)])
    counts = TieCounts(*(np.array([v]) for v in (greater, equal, 120, 6, hits_tied)))
    found = {name: value[0] for name, value in expected_metrics(counts).items()}
    truth = {"top_1": 0, "top_5": (ranks <= 5).mean(), "top_10": (ranks <= 10).mean(), "mrr": (1 / ranks).mean()}
    truth |= {"top_1pct": (ranks <= 2).mean(), "mean_normalized_rank": ((ranks - 1) / 119).mean()}
    assert found == pytest.approx(truth, abs=0.008)


@pytest.mark.parametrize("n", [1, 2, 7, 100, 101, 1000])
def test_chance_in_closed_form(n):
    found = chance(n)
    for k in (1, 5, 10):
        assert found[f"top_{k}"] == pytest.approx(min(k / n, 1))
    assert found["top_1pct"] == pytest.approx(math.ceil(n / 100) / n)
    assert found["mrr"] == pytest.approx(sum(1 / r for r in range(1, n + 1)) / n)
    assert found["mean_normalized_rank"] == pytest.approx(0.5)


def test_chance_of_the_best_of_several_rows_is_higher():
    found = chance(np.array([21, 21]), np.array([1, 5]))
    # the first of 5 among 25 shuffled rows comes first once in 5
    assert found["top_1"] == pytest.approx([1 / 21, 1 / 5])
    assert found["top_5"][1] == pytest.approx(1 - math.comb(20, 5) / math.comb(25, 5))
    assert found["mean_normalized_rank"] == pytest.approx([1 / 2, 1 / 6])


@given(
    arrays(float, (4, 6), elements=st.sampled_from([-1.0, 0.0, 0.25, 1.0])),
    arrays(bool, (4, 6)),
    arrays(bool, (4, 6)),
)
def test_counts_equal_a_loop(similarity, is_match, allowed):
    is_match[:, 0] = allowed[:, 0] = True
    found = tie_counts(similarity, is_match, allowed)
    for q in range(4):
        inside = [i for i in range(6) if allowed[q, i]]
        hits = [similarity[q, i] for i in inside if is_match[q, i]]
        others = [similarity[q, i] for i in inside if not is_match[q, i]]
        best = max(hits)
        expected = (sum(s > best for s in others), others.count(best), len(others) + 1, len(hits), hits.count(best))
        assert tuple(int(count[q]) for count in found) == expected


def test_nan_scores_and_lost_queries_are_errors():
    similarity = np.zeros((2, 3))
    with pytest.raises(PairingError, match=r"1 of 2 queries have no matching item .*rows 1"):
        tie_counts(similarity, np.array([[True, False, False], [False] * 3]))
    with pytest.raises(PairingError, match="no matching item"):
        tie_counts(similarity, np.ones((2, 3), bool), np.zeros((2, 3), bool))
    similarity[1, 2] = np.nan
    with pytest.raises(PairingError, match=r"1 of 2 queries have NaN scores \(rows 1\)"):
        tie_counts(similarity, np.ones((2, 3), bool))
