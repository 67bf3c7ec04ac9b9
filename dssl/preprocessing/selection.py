"""Which phenotype features are kept: present, varying, and not repeating another one."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl.phenotypes.selection import uncorrelated

FEATURE, REASON = "feature", "reason"


def absolute_correlation(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Absolute Pearson correlation between the columns of `values` (n, p), which must vary; diagonal 1."""
    scaled = values - values.mean(axis=0)
    scaled /= np.sqrt((scaled**2).sum(axis=0))
    correlation: NDArray[np.float64] = np.minimum(np.abs(scaled.T @ scaled), 1.0)
    np.fill_diagonal(correlation, 1.0)
    return correlation


def correlation_filter(
    values: NDArray[np.float64], names: Sequence[str], threshold: float
) -> tuple[NDArray[np.bool_], pd.DataFrame]:
    """Drop features until no two are correlated above `threshold`, as `dssl.phenotypes.selection.uncorrelated` does.

    Parameters
    ----------
    values : ndarray, shape (n, p)
        Training profiles, without missing values and constant columns.
    names : sequence of str
        The columns' names.
    threshold : float
        Largest absolute Pearson correlation allowed.

    Returns
    -------
    keep : ndarray of bool, shape (p,)
    dropped : DataFrame
        Columns feature and reason (the kept feature it repeats), in the order of the columns.
    """
    keep, reasons = uncorrelated(absolute_correlation(values), names, threshold)
    return keep, pd.DataFrame(list(reasons.items()), columns=[FEATURE, REASON], dtype=object)
