from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dssl.evaluation.libraries import Pairings, is_closed, permuted_pairings, shares_batch

batch_sets = st.lists(st.frozensets(st.sampled_from("abcd"), max_size=3), min_size=1, max_size=6)


@given(batch_sets, batch_sets)
def test_shares_batch_equals_set_intersection(queries, items):
    found = shares_batch(queries, items)
    assert found.tolist() == [[bool(q & i) for i in items] for q in queries]


def test_cells_may_be_one_batch_or_any_collection():
    found = shares_batch(["ab", ("a", "ab"), np.array(["b"])], ["a", "ab"])
    assert found.tolist() == [[False, True], [True, True], [False, False]]


def test_permutations_are_uniform_in_the_whole_library():
    drawn = permuted_pairings(6000, 3, None, np.random.default_rng(0))
    counts = Counter(map(tuple, drawn))
    assert len(counts) == 6
    assert max(abs(count - 1000) for count in counts.values()) < 150


def test_permutations_stay_inside_separate_libraries_and_are_uniform_there():
    block = np.array([0, 1, 0, 1, 0])
    candidate = block[:, None] == block[None]
    drawn = permuted_pairings(12_000, 5, candidate, np.random.default_rng(1))
    assert (block[drawn] == block).all()
    counts = Counter(map(tuple, drawn))
    assert len(counts) == 12
    assert max(abs(count - 1000) for count in counts.values()) < 150


def test_permutations_of_overlapping_libraries_are_uniform_over_all_that_fit():
    sets = [{"a"}, {"a", "b"}, {"a", "b"}, {"b"}]
    candidate = shares_batch(sets, sets)
    drawn = permuted_pairings(8000, 4, candidate, np.random.default_rng(2))
    assert (np.sort(drawn, axis=1) == np.arange(4)).all()
    assert candidate[np.arange(4), drawn].all()
    # of 24 permutations these exclude 0 -> 3 and 3 -> 0: 24 - 6 - 6 + 2
    counts = Counter(map(tuple, drawn))
    assert len(counts) == 14
    assert max(abs(count - 8000 / 14) for count in counts.values()) < 110


def test_same_seed_same_permutations():
    a, b = (permuted_pairings(50, 6, None, np.random.default_rng(3)) for _ in range(2))
    assert (a == b).all()
    assert (a != permuted_pairings(50, 6, None, np.random.default_rng(4))).any()


def test_libraries_are_closed_when_they_do_not_overlap_in_part():
    for sets, closed in (("aab", True), ([{"a", "b"}, {"a", "b"}, {"c"}], True), ([{"a"}, {"a", "b"}, {"b"}], False)):
        shared = shares_batch(sets, sets)
        assert is_closed(shared, shared) is closed


def test_pairings_are_drawn_once_for_each_set_of_libraries():
    candidate = np.ones((6, 6), dtype=bool)
    candidate[:3, 3:] = candidate[3:, :3] = False
    pairings = Pairings(20, np.random.default_rng(0))
    first, whole = pairings.of(6, candidate), pairings.of(6, None)
    assert pairings.of(6, candidate.copy()) is first
    assert pairings.of(6, None) is whole
    assert (np.sort(first[:, :3], axis=1) == [0, 1, 2]).all()
    assert not (np.sort(whole[:, :3], axis=1) == [0, 1, 2]).all()
