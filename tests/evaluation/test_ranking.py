import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dssl.errors import PairingError
from dssl.evaluation import ranking
from dssl.evaluation.libraries import incidence, shares_batch
from dssl.evaluation.ranking import Side, count_true, rank_counts, rounded_cosines
from dssl.evaluation.ranks import tie_counts
from dssl.evaluation.retrieval import unit_rows


def oracle(queries, items, query_batches=None, item_batches=None):
    """The whole matrix of scores at once."""
    allowed = None if query_batches is None else shares_batch(query_batches, item_batches)
    is_match = queries.compound[:, None] == items.compound[None]
    return tie_counts(rounded_cosines(queries.vectors, items.vectors), is_match, allowed)


def assert_same(found, expected):
    for name, one, other in zip(found._fields, found, expected, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=name)


def lattice(rng, n, d):
    """Few distinct vectors, zero among them: many exact ties."""
    return unit_rows(rng.integers(-1, 2, size=(n, d)).astype(float))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 2, 5, 40]), st.booleans())
def test_counts_equal_the_whole_matrix_with_ties_replicates_and_batches(seed, d, batches):
    rng = np.random.default_rng(seed)
    compounds = np.concatenate([np.arange(9), rng.integers(0, 9, 14)])
    queries = Side(lattice(rng, 12, d), rng.integers(0, 9, 12))
    items = Side(lattice(rng, len(compounds), d), compounds)
    if not batches:
        assert_same(rank_counts(queries, items), oracle(queries, items))
        return
    sets = [[frozenset(rng.choice(list("abc"), 2)) for _ in range(n)] for n in (12, len(compounds))]
    sets[1][:9] = [frozenset("abc")] * 9  # every query keeps a hit
    with_batches = (
        side._replace(batches=incidence(own, list("abc"))) for side, own in zip((queries, items), sets, strict=True)
    )
    assert_same(rank_counts(*with_batches), oracle(queries, items, *sets))


@pytest.mark.parametrize("spread", [1.0, 1e-3, 1e-6, 1e-9, 0.0])
def test_scores_closer_than_single_precision_are_told_apart(spread, monkeypatch):
    """Vectors so near to each other that single precision cannot order them; several blocks in both directions."""
    monkeypatch.setattr(ranking, "BLOCK_QUERIES", 7)
    monkeypatch.setattr(ranking, "BLOCK_ITEMS", 33)
    rng = np.random.default_rng(0)
    middle = rng.normal(size=64)
    queries = Side(unit_rows(middle + rng.normal(size=(20, 64))), np.arange(20))
    items = Side(unit_rows(middle + spread * rng.normal(size=(150, 64))), rng.permutation(np.arange(150) % 20))
    found = rank_counts(queries, items)
    assert_same(found, oracle(queries, items))
    if spread == 1e-6:
        single = queries.vectors.astype(np.float32) @ items.vectors.astype(np.float32).T
        wrong = tie_counts(single, queries.compound[:, None] == items.compound[None])
        assert (wrong.n_greater != found.n_greater).any()


def test_a_query_without_a_hit_in_its_library_is_an_error():
    rng = np.random.default_rng(0)
    queries, items = (
        Side(unit_rows(rng.normal(size=(3, 4))), np.arange(3)),
        Side(unit_rows(rng.normal(size=(2, 4))), np.arange(2)),
    )
    with pytest.raises(PairingError, match=r"1 of 3 queries have no matching item in their library \(rows 2\)"):
        rank_counts(queries, items)
    apart = Side(*items[:2], incidence(["a", "b"], ["a", "b"]))
    with pytest.raises(PairingError, match=r"1 of 2 queries .* \(rows 1\)"):
        rank_counts(Side(queries.vectors[:2], np.arange(2), incidence(["a", "a"], ["a", "b"])), apart)


@given(st.integers(0, 4), st.sampled_from([0, 1, 7, 8, 255 * 8, 255 * 8 + 3, 6000]), st.floats(0, 1))
def test_true_cells_are_counted(rows, width, share):
    mask = np.random.default_rng(width).random((rows, width)) < share
    np.testing.assert_array_equal(count_true(mask), mask.sum(axis=1))
    assert count_true(np.ones((2, width), bool)).tolist() == [width, width]


def test_memory_is_that_of_a_block_not_of_the_matrix():
    rng = np.random.default_rng(5)
    n = 4000
    queries, items = (Side(unit_rows(rng.normal(size=(n, 4))), np.arange(n)) for _ in range(2))
    tracemalloc.start()
    rank_counts(queries, items)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * n * n / 4  # a quarter of the scores in single precision
