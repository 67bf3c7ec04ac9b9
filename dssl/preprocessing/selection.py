"""Which phenotype features are kept: present, varying, and not repeating another one."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FEATURE, REASON = "feature", "reason"
# mean correlations are compared after rounding to what single precision tells: equal ones stay equal
DECIMALS = 6


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
    """Drop features until no two are correlated above `threshold`.

    Features are visited from the smallest mean absolute correlation with all features to the largest, ties in the
    order of names; one is kept unless it is correlated above the threshold with one that is kept already. So of each
    pair the feature with the larger mean goes, and every feature that goes has a representative that stays.

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
    correlation = absolute_correlation(values)
    mean = np.round(correlation.mean(axis=1), DECIMALS)
    above = correlation > threshold
    order = np.lexsort((np.asarray(names, dtype=np.str_), mean))
    keep = np.zeros(len(names), dtype=bool)
    for position in order:
        keep[position] = not (above[position] & keep).any()
    rows = []
    for position in np.flatnonzero(~keep).tolist():
        twin = int(np.where(keep, correlation[position], -1.0).argmax())
        rows.append((names[position], f"correlation {correlation[position, twin]:.3f} with {names[twin]}"))
    return keep, pd.DataFrame(rows, columns=[FEATURE, REASON], dtype=object)
