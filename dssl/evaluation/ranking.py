"""Exact ranks of large libraries, a block at a time: what `tie_counts` counts, without the matrix of all scores."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dssl.errors import PairingError, first_few
from dssl.evaluation.ranks import Counts, Floats, Mask, TieCounts

SIMILARITY_DECIMALS = 7
CHUNK_CELLS = 2_000_000
BLOCK_QUERIES, BLOCK_ITEMS = 512, 1024
PAIR_CELLS = 4_000_000
DENSE_SHARE = 32  # a row with more than a 32nd of a block's items near its threshold is recomputed as a whole
OUTSIDE = np.float32(-2)  # below every cosine
Singles = NDArray[np.float32]


class Side(NamedTuple):
    """Rows of one modality: unit vectors (n, d), code of each row's compound, and sparse batch memberships or None."""

    vectors: Floats
    compound: NDArray[np.int64]
    batches: Any = None


class _Hits(NamedTuple):
    """Best score of each query's hits (q,), how many hits there are, and how many of them have that score."""

    best: Floats
    n_hits: Counts
    n_equal: Counts


def rank_counts(queries: Side, items: Side) -> TieCounts:
    """Count what ranks above, and ties with, the best hit of every query; scores are rounded cosines.

    A block of scores is computed in single precision. Its rounding error is at most (d + 4) 2^-24 for unit vectors of d
    dimensions (Cauchy-Schwarz, whatever the order of the sum), so that only scores nearer than that to the best hit's
    are in doubt; they are computed again in double precision and rounded to `SIMILARITY_DECIMALS`, as `rounded_cosines`
    does. The counts are those of `tie_counts` on the whole matrix; memory is that of the vectors and a block.

    Parameters
    ----------
    queries, items : unit vectors or zeros, compounds (an item of the query's compound is a hit), and, for libraries of
        shared batches only, the batches of each row (sparse 0/1, same columns).

    Returns
    -------
    TieCounts
        Arrays (q,).

    Raises
    ------
    PairingError
        If a query has no hit in its library.
    """
    hits = _hits(queries, items)
    n = len(queries.vectors)
    greater, equal, library = (np.zeros(n, dtype=np.int64) for _ in range(3))
    singles = np.ascontiguousarray(queries.vectors, np.float32), np.ascontiguousarray(items.vectors, np.float32)
    margin = (items.vectors.shape[1] + 4) * 2.0**-24 + 10.0**-SIMILARITY_DECIMALS
    # one block of scores and two of masks, used again and again: fresh memory costs as much as the comparisons
    cells = BLOCK_QUERIES * BLOCK_ITEMS
    scores, masks = np.empty(cells, np.float32), (np.empty(cells, bool), np.empty(cells, bool))
    for first in range(0, n, BLOCK_QUERIES):
        rows = slice(first, min(first + BLOCK_QUERIES, n))
        lower, upper = ((hits.best[rows, None] + sign * margin).astype(np.float32) for sign in (-1, 1))
        for start in range(0, len(items.vectors), BLOCK_ITEMS):
            columns = slice(start, min(start + BLOCK_ITEMS, len(items.vectors)))
            shape = rows.stop - rows.start, columns.stop - columns.start
            block = scores[: shape[0] * shape[1]].reshape(shape)
            is_above, is_not_below = (mask[: shape[0] * shape[1]].reshape(shape) for mask in masks)
            np.matmul(singles[0][rows], singles[1][columns].T, out=block)
            library[rows] += _outside(block, queries, items, rows, columns)
            np.greater_equal(block, lower, out=is_not_below)
            n_not_below = count_true(is_not_below)
            reached = np.flatnonzero(n_not_below)
            if 2 * reached.size > len(block):  # more would be copied than is spared
                reached, part = np.arange(len(block)), block
            else:
                part, is_not_below = block[reached], is_not_below[reached]
            above = np.greater(part, upper[reached], out=is_above[: len(part)])
            n_above = count_true(above)
            greater[reached + first] += n_above
            doubtful = np.flatnonzero(n_not_below[reached] > n_above)
            if doubtful.size:
                is_near, lines = is_not_below[doubtful] ^ above[doubtful], reached[doubtful] + first
                more, same = _recount(queries, items, hits.best, lines, start, is_near)
                greater[lines] += more
                equal[lines] += same
    return TieCounts(greater, equal - hits.n_equal, library - hits.n_hits + 1, hits.n_hits, hits.n_equal)


def cosine_chunks(queries: Floats, items: Floats) -> Iterator[tuple[slice, Floats]]:
    """Slices of queries with their rounded cosines to all items; rows are units. One slice fits in memory."""
    step = max(1, CHUNK_CELLS // len(items))
    for start in range(0, len(queries), step):
        scores = rounded_cosines(queries[start : start + step], items)
        yield slice(start, start + len(scores)), scores


def rounded_cosines(unit_a: Floats, unit_b: Floats) -> Floats:
    """Cosines of unit rows, rounded to what single precision carries, so that equal vectors tie."""
    return np.asarray(np.round(unit_a @ unit_b.T, SIMILARITY_DECIMALS), dtype=np.float64)


def count_true(mask: Mask) -> Counts:
    """Number of true cells (q,) in every row of a mask (q, n)."""
    rows, width = mask.shape
    whole = width // 8 * 8
    # eight cells at a time: at most 255 words are added before a byte could overflow
    words = np.ascontiguousarray(mask[:, :whole]).view(np.uint64)
    parts = [
        np.add.reduce(words[:, start : start + 255], axis=1)[:, None].view(np.uint8).sum(axis=1, dtype=np.int64)
        for start in range(0, words.shape[1], 255)
    ]
    rest = mask[:, whole:].sum(axis=1, dtype=np.int64)
    return np.asarray(np.sum([rest, *parts], axis=0) if rows else rest, dtype=np.int64)


def _hits(queries: Side, items: Side) -> _Hits:
    """Scores of every query with the items of its own compound that are in its library."""
    order = np.argsort(items.compound, kind="stable")
    ordered = items.compound[order]
    first, last = (np.searchsorted(ordered, queries.compound, side=side) for side in ("left", "right"))
    n_own = last - first
    query = np.repeat(np.arange(len(queries.compound)), n_own)
    item = order[np.arange(n_own.sum()) + np.repeat(first - np.cumsum(n_own) + n_own, n_own)]
    if queries.batches is not None:
        shared = np.asarray(queries.batches[query].multiply(items.batches[item]).sum(axis=1)).ravel() > 0
        query, item = query[shared], item[shared]
    n_hits = np.bincount(query, minlength=len(queries.compound))
    lost = np.flatnonzero(n_hits == 0)
    if lost.size:
        raise PairingError(
            f"retrieval: {lost.size} of {len(n_hits)} queries have no matching item in their library "
            f"(rows {first_few(lost)})\nEvery query's own compound has to be among the items."
        )
    scores = _pair_scores(queries, items, query, item)
    starts = np.cumsum(n_hits) - n_hits
    best = np.maximum.reduceat(scores, starts)
    return _Hits(best, n_hits, np.add.reduceat(scores == best[query], starts, dtype=np.int64))


def _outside(block: Singles, queries: Side, items: Side, rows: slice, columns: slice) -> Counts:
    """Items of the block in each query's library; the scores of the others are put below every cosine."""
    if queries.batches is None:
        return np.full(len(block), block.shape[1])
    allowed = (queries.batches[rows] @ items.batches[columns].T).toarray() > 0
    block[~allowed] = OUTSIDE
    return count_true(allowed)


def _recount(
    queries: Side, items: Side, best: Floats, rows: NDArray[np.intp], start: int, is_near: Mask
) -> tuple[Counts, Counts]:
    """How many of the items in doubt are above, and equal to, each row's best hit: in double precision."""
    more, same = np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=np.int64)
    dense = count_true(is_near) * DENSE_SHARE > is_near.shape[1]
    for row in np.flatnonzero(dense):
        columns = start + np.flatnonzero(is_near[row])
        whole = rounded_cosines(queries.vectors[rows[row], None], items.vectors[columns])[0]
        more[row], same[row] = (whole > best[rows[row]]).sum(), (whole == best[rows[row]]).sum()
    is_near[dense] = False
    line, column = np.divmod(np.flatnonzero(is_near), is_near.shape[1])
    exact, wanted = _pair_scores(queries, items, rows[line], start + column), best[rows[line]]
    np.add.at(more, line, exact > wanted)
    np.add.at(same, line, exact == wanted)
    return more, same


def _pair_scores(queries: Side, items: Side, query: NDArray[np.intp], item: NDArray[np.intp]) -> Floats:
    """Rounded cosine of each pair of rows."""
    step = max(1, PAIR_CELLS // max(1, items.vectors.shape[1]))
    parts = [
        np.einsum("ij,ij->i", queries.vectors[query[start : start + step]], items.vectors[item[start : start + step]])
        for start in range(0, len(query), step)
    ]
    return np.asarray(np.round(np.concatenate(parts or [np.empty(0)]), SIMILARITY_DECIMALS), dtype=np.float64)
