"""Dependence between two codes of the same rows: linear CKA, kernel CKA (normalised HSIC), and participation ratio."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl.errors import PairingError
from dssl.evaluation.ranks import Floats
from dssl.evaluation.statistics import permutation_p_value

LINEAR_CKA = "linear_cka"
HSIC = "hsic"


def participation_ratio(codes: NDArray[Any]) -> float:
    """How many dimensions a code uses: (sum_i l_i)^2 / sum_i l_i^2 over the eigenvalues l of its covariance.

    It is d for d equally strong dimensions, 1 for one, and 0 for a constant code.
    """
    centered = _centered(codes)
    covariance = centered.T @ centered if centered.shape[1] <= len(centered) else centered @ centered.T
    squares = float((covariance**2).sum())
    return float(np.trace(covariance)) ** 2 / squares if squares > 0 else 0.0


def gaussian_gram(codes: NDArray[Any]) -> Floats:
    """Gaussian kernel exp(-d^2 / (2 s^2)) of the rows; s^2 is the median squared distance between distinct rows."""
    wide = np.asarray(codes, dtype=np.float64)
    norms = (wide**2).sum(axis=1)
    squared = np.maximum(norms[:, None] + norms[None] - 2 * wide @ wide.T, 0)
    np.fill_diagonal(squared, 0)
    apart = squared[np.triu_indices(len(wide), 1)]
    apart = apart[apart > 1e-12 * max(float(norms.max(initial=0)), 1e-300)]
    return np.asarray(np.exp(-squared / (2 * np.median(apart)))) if apart.size else np.ones_like(squared)


def linear_cka(codes_a: NDArray[Any], codes_b: NDArray[Any]) -> float:
    """Linear CKA of centred codes, |A^T B|_F^2 / (|A^T A|_F |B^T B|_F) (Kornblith et al., ICML 2019).

    0 when one of the codes is constant.
    """
    a, b = _centered(codes_a), _centered(codes_b)
    scale = np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
    return float(np.linalg.norm(a.T @ b) ** 2 / scale) if scale > 0 else 0.0


def dependence_table(
    codes_a: NDArray[Any],
    codes_b: NDArray[Any],
    n_permutations: int,
    rng: np.random.Generator,
    max_rows: int = 1000,
) -> pd.DataFrame:
    """Linear CKA and normalised HSIC (Gaussian kernels, median heuristic) with permutation p-values.

    Rows have to be independent of each other (compounds, not wells), since the permutations exchange them freely.

    Parameters
    ----------
    codes_a, codes_b : (n, d1), (n, d2) codes of the same rows.
    n_permutations : permutations of the rows of `codes_b`.
    max_rows : of more rows than this a random sample is used for both measures; n_rows says how many were.

    Returns
    -------
    DataFrame
        measure ("linear_cka", "hsic"), value, chance (mean over permutations), p_value, n_rows.

    Raises
    ------
    PairingError
        If the codes have different numbers of rows, or fewer than three.
    """
    n = len(codes_a)
    if n != len(codes_b) or n < 3:
        raise PairingError(
            f"dependence: expected the same rows (3 or more) in both codes; found {n} and {len(codes_b)}"
        )
    rows = np.arange(n) if n <= max_rows else np.sort(rng.choice(n, max_rows, replace=False))
    a, b = _centered(codes_a[rows]), _centered(codes_b[rows])
    gram_a, gram_b = (_double_centered(gaussian_gram(codes[rows])) for codes in (codes_a, codes_b))
    linear_scale = float(np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b))
    found: dict[str, float] = {LINEAR_CKA: linear_cka(a, b), HSIC: _cosine(gram_a, gram_b)}
    permuted: dict[str, list[float]] = {LINEAR_CKA: [], HSIC: []}
    gram_scale = float(np.linalg.norm(gram_a) * np.linalg.norm(gram_b))
    for _ in range(n_permutations):
        order = rng.permutation(len(rows))
        linear = float(np.linalg.norm(a.T @ b[order]) ** 2)
        kernel = float(np.vdot(gram_a, gram_b[order][:, order]))
        permuted[LINEAR_CKA].append(linear / linear_scale if linear_scale > 0 else 0.0)
        permuted[HSIC].append(kernel / gram_scale if gram_scale > 0 else 0.0)
    return pd.DataFrame(
        {
            "measure": list(found),
            "value": list(found.values()),
            "chance": [float(np.mean(permuted[name])) for name in found],
            "p_value": [permutation_p_value(value, np.array(permuted[name])) for name, value in found.items()],
            "n_rows": len(rows),
        }
    )


def _cosine(a: Floats, b: Floats) -> float:
    scale = np.linalg.norm(a) * np.linalg.norm(b)
    return float(np.vdot(a, b) / scale) if scale > 0 else 0.0


def _centered(codes: NDArray[Any]) -> Floats:
    """Rows minus their mean; exactly zero where a column is constant."""
    wide = np.asarray(codes, dtype=np.float64)
    centered = wide - wide.mean(axis=0)
    centered[:, (wide == wide[:1]).all(axis=0)] = 0
    return np.asarray(centered)


def _double_centered(gram: Floats) -> Floats:
    mean = gram.mean(axis=0)
    centered = gram - mean[None] - gram.mean(axis=1)[:, None] + mean.mean()
    return np.asarray(centered) if np.ptp(gram) > 0 else np.zeros_like(gram)
