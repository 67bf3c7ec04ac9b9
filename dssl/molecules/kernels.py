"""Similarities of molecules: Tanimoto on counts, Gaussian on descriptors. Arrays in, arrays out."""

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from dssl.errors import DsslError, first_few

_BLOCK = 2048  # rows of b made dense at a time


def tanimoto_count_kernel(a: sp.csr_matrix, b: sp.csr_matrix) -> npt.NDArray[np.float64]:
    r"""Min-max Tanimoto similarity of non-negative vectors (Ralaivola et al., Neural Networks 2005).

    .. math:: k(a, b) = \sum_i \min(a_i, b_i) / \sum_i \max(a_i, b_i)

    Two empty vectors are equal and have similarity 1 (RDKit says 0), so that k(a, a) = 1 always and the kernel stays
    positive semi-definite; an empty and a non-empty one have 0. Exact:
    min(a, b) = sum over the distinct values t of b of (t - preceding t) [a >= t][b >= t] when a holds no other values,
    so the union of both matrices' values is used, and each term is a product of two sparse 0/1 matrices.

    Parameters
    ----------
    a, b : csr_matrix, shapes (n, d) and (m, d)
        Counts (any non-negative numbers).

    Returns
    -------
    ndarray, shape (n, m)
        Similarities in [0, 1].

    Raises
    ------
    DsslError
        If the widths differ or a value is negative or not finite.
    """
    left, right = _counts(a), _counts(b)
    if left.shape[1] != right.shape[1]:
        raise DsslError(f"tanimoto_count_kernel: the vectors have different lengths, {left.shape[1]}, {right.shape[1]}")
    shared = np.zeros((left.shape[0], right.shape[0]))
    for start in range(0, right.shape[0], _BLOCK):
        shared[:, start : start + _BLOCK] = _sum_of_minima(left, right[start : start + _BLOCK])
    total = left.sum(axis=1).A1[:, None] + right.sum(axis=1).A1[None, :] - shared
    similarity: npt.NDArray[np.float64] = np.divide(shared, total, out=np.ones_like(shared), where=total > 0)
    return similarity


def gaussian_kernel(
    a: npt.NDArray[np.floating[Any]], b: npt.NDArray[np.floating[Any]], scale: float
) -> npt.NDArray[np.float64]:
    """Gaussian similarity exp(-|a - b|^2 / (2 scale^2)) of the rows of `a` (n, d) and `b` (m, d).

    `scale` is in the units of the distance. Raises DsslError unless it is positive.
    """
    if not scale > 0:
        raise DsslError(f"gaussian_kernel: scale must be positive, found {scale}")
    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    centre = right.mean(axis=0)  # less cancellation in the expansion of the square
    left, right = left - centre, right - centre
    square = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)[None, :] - 2 * left @ right.T
    similarity: npt.NDArray[np.float64] = np.exp(-np.maximum(square, 0) / (2 * scale**2))
    return similarity


def _counts(matrix: sp.csr_matrix) -> sp.csr_matrix:
    counts = sp.csr_matrix(matrix, dtype=np.float64, copy=True)
    counts.sum_duplicates()
    counts.eliminate_zeros()
    wrong = counts.data[~(np.isfinite(counts.data) & (counts.data > 0))]
    if len(wrong):
        raise DsslError(
            f"tanimoto_count_kernel expects non-negative finite counts; {len(wrong)} are not: {first_few(wrong, 3)}\n"
            "Descriptors do not belong into this kernel; use gaussian_kernel for them."
        )
    return counts


def _sum_of_minima(a: sp.csr_matrix, b: sp.csr_matrix) -> npt.NDArray[np.float64]:
    result = np.zeros((a.shape[0], b.shape[0]))
    values = np.union1d(a.data, b.data)
    for threshold, step in zip(values, np.diff(values, prepend=0.0), strict=True):
        above_a, above_b = _at_least(a, threshold), _at_least(b, threshold)
        rows, columns = np.flatnonzero(np.diff(above_a.indptr)), np.flatnonzero(np.diff(above_b.indptr))
        if not len(rows) or not len(columns):
            break
        used = np.unique(above_b.indices)
        reached = above_a[rows][:, used] @ above_b[columns][:, used].T.toarray()
        result[np.ix_(rows, columns)] += step * reached
    return result


def _at_least(matrix: sp.csr_matrix, threshold: float) -> sp.csr_matrix:
    keep = matrix.data >= threshold
    starts = np.concatenate([[0], np.cumsum(keep)])[matrix.indptr]
    return sp.csr_matrix((np.ones(keep.sum()), matrix.indices[keep], starts), shape=matrix.shape)
