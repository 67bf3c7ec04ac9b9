"""Ranks of every compound for every query: what a permuted pairing would have scored."""

import numpy as np
from numpy.typing import NDArray

from dssl.evaluation.ranks import Floats, Mask, TieCounts


def candidate_counts(
    similarity: Floats, item_compound: NDArray[np.int64], allowed: Mask | None, wanted: NDArray[np.int64] | None = None
) -> TieCounts:
    """Counts as if each compound in turn were the right one: arrays (queries, compounds).

    With `wanted` (queries, k) only these compounds of each query are counted. Compounds without an item in the query's
    library have n_hits 0 and meaningless other counts.
    """
    order = np.argsort(item_compound, kind="stable")
    starts = np.flatnonzero(np.diff(item_compound[order], prepend=-1))
    inside = np.ones(similarity.shape, dtype=bool) if allowed is None else allowed
    scores = np.where(inside, similarity, -np.inf)
    best = np.maximum.reduceat(scores[:, order], starts, axis=1)
    per_item = best[:, np.cumsum(np.diff(item_compound[order], prepend=-1) > 0) - 1]
    n_hits = np.add.reduceat(inside[:, order], starts, axis=1, dtype=np.int64)
    n_equal_hits = np.add.reduceat(scores[:, order] == per_item, starts, axis=1, dtype=np.int64)
    if wanted is not None:
        best, n_equal_hits = (np.take_along_axis(values, wanted, axis=1) for values in (best, n_equal_hits))
        n_hits = np.take_along_axis(np.broadcast_to(n_hits, (len(scores), len(starts))), wanted, axis=1)
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


def target_counts(similarity: Floats, item_compound: NDArray[np.int64], library: Mask) -> TieCounts:
    """Counts as if each query were made for each compound in turn, ranked in that compound's library.

    Parameters
    ----------
    similarity : (q, n) scores.
    item_compound : (n,) compound of each item.
    library : (compounds, n) items of each compound's library, its own items among them.

    Returns
    -------
    TieCounts
        Arrays (queries, compounds).
    """
    shape = (len(similarity), len(library))
    counts = TieCounts(*(np.empty(shape, dtype=np.int64) for _ in TieCounts._fields))
    for compound, inside in enumerate(library):
        own = item_compound == compound
        hits, others = similarity[:, own], similarity[:, inside & ~own]
        best = hits.max(axis=1, keepdims=True)
        counts.n_greater[:, compound] = (others > best).sum(axis=1)
        counts.n_equal[:, compound] = (others == best).sum(axis=1)
        counts.n_equal_hits[:, compound] = (hits == best).sum(axis=1)
        counts.n_items[:, compound] = others.shape[1] + 1
        counts.n_hits[:, compound] = hits.shape[1]
    return counts
