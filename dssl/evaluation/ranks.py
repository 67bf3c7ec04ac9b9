"""Ranks of the right item when scores may tie: counts, and exact expectations under random order of the tied."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from dssl.errors import PairingError, first_few

TOP_K = {"top_1": 1, "top_5": 5, "top_10": 10}
TOP_1PCT = "top_1pct"
MRR = "mrr"
MEAN_NORMALIZED_RANK = "mean_normalized_rank"
METRICS = (*TOP_K, TOP_1PCT, MRR, MEAN_NORMALIZED_RANK)
LOWER_IS_BETTER = frozenset({MEAN_NORMALIZED_RANK})

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class TieCounts(NamedTuple):
    """What the rank of a query's best hit depends on; all arrays have the same shape.

    Attributes
    ----------
    n_greater : items (not hits) that score higher than the best hit.
    n_equal : items (not hits) that score the same as the best hit.
    n_items : library size: the items that are not hits, plus one, since the hits together are one item.
    n_hits : rows that are hits (several rows of one molecule).
    n_equal_hits : how many of the hits share the best hit's score (1 unless hits tie with each other).
    """

    n_greater: Counts
    n_equal: Counts
    n_items: Counts
    n_hits: Counts
    n_equal_hits: Counts


def tie_counts(similarity: NDArray[Any], is_match: Mask, allowed: Mask | None = None) -> TieCounts:
    """Count what scores higher than, and the same as, each query's best hit.

    Several matching items are one item: the best of them counts, the others leave the ranking. Queries are independent
    of each other, so a large matrix can be given in slices of rows.

    Parameters
    ----------
    similarity : (q, n) scores, higher is closer.
    is_match : (q, n) whether the item is a hit.
    allowed : (q, n) whether the item is in the query's library; everything when left out.

    Raises
    ------
    PairingError
        If a score is NaN, or a query has no hit in its library.
    """
    check_scores(similarity)
    hits = is_match if allowed is None else is_match & allowed
    others = ~is_match if allowed is None else allowed & ~is_match
    n_hits = hits.sum(axis=1)
    lost = np.flatnonzero(n_hits == 0)
    if lost.size:
        raise PairingError(
            f"retrieval: {lost.size} of {len(hits)} queries have no matching item in their library "
            f"(rows {first_few(lost)})\nEvery query's own compound has to be among the items."
        )
    best = np.where(hits, similarity, -np.inf).max(axis=1, keepdims=True)
    return TieCounts(
        n_greater=(others & (similarity > best)).sum(axis=1),
        n_equal=(others & (similarity == best)).sum(axis=1),
        n_items=others.sum(axis=1) + 1,
        n_hits=n_hits,
        n_equal_hits=(hits & (similarity == best)).sum(axis=1),
    )


def check_scores(similarity: NDArray[Any]) -> None:
    """Refuse NaN scores: they have no rank."""
    bad = np.flatnonzero(np.isnan(similarity).any(axis=1))
    if bad.size:
        raise PairingError(
            f"retrieval: {bad.size} of {len(similarity)} queries have NaN scores (rows {first_few(bad)})\n"
            "An embedding holds NaN or infinite values: look at the model's training log."
        )


def expected_metrics(counts: TieCounts) -> dict[str, Floats]:
    """Every metric's expected value when tied items come in random order.

    With g items above, e items tied and m hits tied, the rank is g + J where J is the place of the first of m hits
    among e + m shuffled rows: P(J > j) = C(e, j) / C(e + m, j), which for m = 1 is uniform on 1..e+1. Hence

    - top-k: 1 - P(J > k - g); top-1 %: the same with k = ceil(n / 100)
    - MRR: E[1 / (g + J)], for m = 1 (H_{g+e+1} - H_g) / (e + 1) with harmonic numbers H
    - mean normalised rank: (g + e / (m + 1)) / (n - 1); 1 / (m + 1), the chance level, when the library is one item

    Returns
    -------
    dict
        Name of the metric (METRICS) -> array of the counts' shape.
    """
    n_others = counts.n_items - 1
    found = {name: _top(counts, np.full_like(counts.n_items, k)) for name, k in TOP_K.items()}
    found[TOP_1PCT] = _top(counts, -(-counts.n_items // 100))
    found[MRR] = _reciprocal_rank(counts)
    mean_above = counts.n_greater + counts.n_equal / (counts.n_equal_hits + 1)
    found[MEAN_NORMALIZED_RANK] = np.where(n_others > 0, mean_above / np.maximum(n_others, 1), 1 / (counts.n_hits + 1))
    return found


def chance(n: ArrayLike, n_hits: ArrayLike = 1) -> dict[str, Floats]:
    """Expected metrics of a ranking that knows nothing, for a library of `n` items (see TieCounts.n_items).

    One hit: top-k is k / n, MRR is H_n / n, the mean normalised rank is 1/2. With `n_hits` rows of the right molecule
    the best of them is the first of `n_hits` among n - 1 + n_hits shuffled rows, and chance is better than that.
    """
    items, hits = np.broadcast_arrays(np.asarray(n, dtype=np.int64), np.asarray(n_hits, dtype=np.int64))
    return expected_metrics(TieCounts(np.zeros_like(items), items - 1, items, hits, hits))


def _top(counts: TieCounts, k: Counts) -> Floats:
    """P(rank <= k)."""
    left = np.clip(k - counts.n_greater, 0, counts.n_equal + 1)
    tied = counts.n_equal + counts.n_equal_hits
    single = left / np.maximum(tied, 1)
    several = (counts.n_equal_hits > 1) & (left > 0)
    if not several.any():
        return np.asarray(single, dtype=np.float64)
    e, m, j = counts.n_equal[several], counts.n_equal_hits[several], left[several]
    missed = np.where(j > e, 0.0, np.exp(_log_choose(e, np.minimum(j, e)) - _log_choose(e + m, j)))
    single[several] = 1 - missed
    return np.asarray(single, dtype=np.float64)


def _reciprocal_rank(counts: TieCounts) -> Floats:
    g, e, m = counts.n_greater, counts.n_equal, counts.n_equal_hits
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, int((g + e).max(initial=0)) + 2))])
    found = np.asarray((harmonic[g + e + 1] - harmonic[g]) / (e + 1), dtype=np.float64)
    several = (m > 1) & (e > 0)
    if several.any():
        # rare outside of collapsed embeddings, where few distinct cases repeat: each is summed once
        cases, where = np.unique(np.stack([g[several], e[several], m[several]]), axis=1, return_inverse=True)
        sums = np.array([_first_hit_reciprocal(*map(int, case)) for case in cases.T])
        found[several] = sums[where.ravel()]
    return found


def _first_hit_reciprocal(g: int, e: int, m: int) -> float:
    """E[1 / (g + J)] with P(J = j) = C(e + m - j, m - 1) / C(e + m, m)."""
    j = np.arange(1, e + 2)
    log_p = _log_choose(e + m - j, np.full_like(j, m - 1)) - _log_choose(np.array(e + m), np.array(m))
    return float((np.exp(log_p) / (g + j)).sum())


def _log_choose(n: NDArray[Any], k: NDArray[Any]) -> Floats:
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1), dtype=np.float64)
