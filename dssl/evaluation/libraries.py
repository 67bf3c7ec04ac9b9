"""Libraries: which items a query is ranked against, and which pairings a permutation may draw from them."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from dssl.evaluation.ranks import Mask

WHOLE = "whole"
BATCH = "batch"
LIBRARIES = (WHOLE, BATCH)

N_SWAP_ROUNDS = 100


def as_sets(batches: Sequence[Any]) -> list[frozenset[str]]:
    """Batches of each row as sets: a cell is one batch, or a collection of batches (set, tuple, list, array)."""
    return [frozenset({str(cell)}) if _is_one(cell) else frozenset(map(str, cell)) for cell in batches]


def _is_one(cell: Any) -> bool:
    return isinstance(cell, str) or not isinstance(cell, Collection | np.ndarray)


def incidence(rows: Sequence[Collection[str]], names: Sequence[str]) -> csr_matrix:
    """Sparse (rows, names) matrix that is 1 where a row has that name."""
    place = {name: index for index, name in enumerate(names)}
    columns = [place[name] for row in rows for name in row]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return csr_matrix((np.ones(len(columns), dtype=np.int32), columns, starts), shape=(len(rows), len(names)))


def shares_batch(query_batches: Sequence[Any], item_batches: Sequence[Any]) -> Mask:
    """Whether query and item have a batch in common: (q, n) mask.

    Parameters
    ----------
    query_batches, item_batches : one cell per row, a batch or a collection of batches.
    """
    queries, items = as_sets(query_batches), as_sets(item_batches)
    names = sorted(frozenset().union(*queries, *items))
    return np.asarray((incidence(queries, names) @ incidence(items, names).T).toarray() > 0)


def permuted_pairings(
    n_permutations: int, n_compounds: int, candidate: Mask | None, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Random pairings of queries' compounds with items' compounds: (n_permutations, n_compounds).

    Parameters
    ----------
    candidate : (compounds, compounds) whether the column's compound is in the library of the row's; None: always.

    Notes
    -----
    Where libraries do not overlap (plates with their own compounds), compounds are shuffled inside each. Where they
    overlap in part, images are swapped at random as long as both stay inside their libraries, starting from a common
    pairing that was itself reached from the observed one by the same moves in reverse order, so that the observed
    pairing and the drawn ones are exchangeable (Besag and Clifford, Biometrika 1989). Where hardly any other
    pairing fits (every compound on batches of its own choice), the p-value is conservative.
    """
    identity = np.arange(n_compounds)
    if candidate is None or candidate.all():
        return rng.permuted(np.tile(identity, (n_permutations, 1)), axis=1)
    n_blocks, block = connected_components(candidate | candidate.T, directed=False)
    members = [np.flatnonzero(block == b) for b in range(n_blocks)]
    if all(candidate[np.ix_(rows, rows)].all() for rows in members):
        drawn = np.tile(identity, (n_permutations, 1))
        for rows in members:
            drawn[:, rows] = rng.permuted(drawn[:, rows], axis=1)
        return drawn
    return _swapped(n_permutations, candidate, rng)


class Pairings:
    """Permuted pairings, drawn once for each set of libraries, so that all methods are held against the same ones.

    Parameters
    ----------
    n_permutations : int
        Pairings of each set.
    rng : Generator
        Draws them.
    """

    def __init__(self, n_permutations: int, rng: np.random.Generator) -> None:
        self.n_permutations, self._rng = n_permutations, rng
        self._drawn: dict[tuple[int, bytes | None], NDArray[np.int64]] = {}

    def of(self, n_compounds: int, candidate: Mask | None) -> NDArray[np.int64]:
        """The pairings of these libraries: (n_permutations, n_compounds); see `permuted_pairings`."""
        libraries = n_compounds, None if candidate is None else candidate.tobytes()
        if libraries not in self._drawn:
            self._drawn[libraries] = permuted_pairings(self.n_permutations, n_compounds, candidate, self._rng)
        return self._drawn[libraries]


def is_closed(library: Mask, candidate: Mask) -> bool:
    """Whether compounds that are candidates for each other, over any number of steps, have the same library."""
    n_blocks, block = connected_components(candidate | candidate.T, directed=False)
    first = np.full(n_blocks, len(block))
    np.minimum.at(first, block, np.arange(len(block)))
    return all(np.array_equal(own, library[one]) for own, one in zip(library, first[block], strict=True))


def _swapped(n_permutations: int, candidate: Mask, rng: np.random.Generator) -> NDArray[np.int64]:
    n = len(candidate)
    orders = []
    for _ in range(N_SWAP_ROUNDS):
        # compounds with similar libraries get similar keys, so that neighbours in this order can often be swapped
        key = candidate @ rng.standard_normal(n)
        orders.append(np.argsort(key + key.std() * rng.uniform(0, 1) * rng.standard_normal(n)))
    start = np.arange(n)[None]
    for order in reversed(orders):
        start = _swap_round(start, order, candidate, rng)
    drawn = np.repeat(start, n_permutations, axis=0)
    for order in orders:
        drawn = _swap_round(drawn, order, candidate, rng)
    return drawn


def _swap_round(
    pairing: NDArray[np.int64], order: NDArray[np.int64], candidate: Mask, rng: np.random.Generator
) -> NDArray[np.int64]:
    half = len(order) // 2
    first, second = order[0 : 2 * half : 2], order[1 : 2 * half : 2]
    to_first, to_second = pairing[:, second], pairing[:, first]
    swap = candidate[first, to_first] & candidate[second, to_second] & (rng.random(to_first.shape) < 0.5)
    swapped = pairing.copy()
    swapped[:, first] = np.where(swap, to_first, to_second)
    swapped[:, second] = np.where(swap, to_second, to_first)
    return swapped
