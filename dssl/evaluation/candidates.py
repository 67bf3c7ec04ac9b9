"""Ranks of every compound for every query: what a permuted pairing would have scored."""

import numpy as np
from numpy.typing import NDArray

from dssl.evaluation.ranks import Floats, Mask, TieCounts


def candidate_counts(similarity: Floats, item_compound: NDArray[np.int64], allowed: Mask | None) -> TieCounts:
    """Counts as if each compound in turn were the right one: arrays (queries, compounds).

    Compounds without an item in the query's library have n_hits 0 and meaningless other counts.
    """
    order = np.argsort(item_compound, kind="stable")
    starts = np.flatnonzero(np.diff(item_compound[order], prepend=-1))
    inside = np.ones(similarity.shape, dtype=bool) if allowed is None else allowed
    scores = np.where(inside, similarity, -np.inf)
    best = np.maximum.reduceat(scores[:, order], starts, axis=1)
    per_item = best[:, np.cumsum(np.diff(item_compound[order], prepend=-1) > 0) - 1]
    n_hits = np.add.reduceat(inside[:, order], starts, axis=1, dtype=np.int64)
    n_equal_hits = np.add.reduceat(scores[:, order] == per_item, starts, axis=1, dtype=np.int64)
    ranked = np.sort(scores, axis=1)
    upper = np.stack([np.searchsorted(line, wanted, side="right") for line, wanted in zip(ranked, best, strict=True)])
    lower = np.stack([np.searchsorted(line, wanted, side="left") for line, wanted in zip(ranked, best, strict=True)])
    return TieCounts(
        n_greater=scores.shape[1] - upper,
        n_equal=upper - lower - n_equal_hits,
        n_items=inside.sum(axis=1, keepdims=True) - n_hits + 1,
        n_hits=n_hits,
        n_equal_hits=n_equal_hits,
    )
