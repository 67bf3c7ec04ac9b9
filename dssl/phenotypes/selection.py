"""Which of several features that repeat one another is kept."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from dssl.phenotypes.statistics import Array, nan_mean_std

# mean correlations are compared after rounding to what single precision tells: equal ones stay equal
DECIMALS = 6


def uncorrelated(
    correlation: Array, names: Sequence[str], threshold: float
) -> tuple[npt.NDArray[np.bool_], dict[str, str]]:
    """Drop features until no two are correlated above `threshold`.

    Features are visited from the smallest mean absolute correlation with all features to the largest, ties in the
    order of names; one is kept unless it is correlated above the threshold with one that is kept already. So of each
    pair the feature with the larger mean goes, and every feature that goes has a representative that stays.

    Parameters
    ----------
    correlation : ndarray, shape (p, p)
        Absolute Pearson correlations, diagonal 1.
    names : sequence of str
        The features.
    threshold : float
        Largest correlation allowed.

    Returns
    -------
    keep : ndarray of bool, shape (p,)
    dropped : dict of str
        Reason (the kept feature that it repeats) of every other feature, in the order of the columns.
    """
    mean = np.round(correlation.mean(axis=1), DECIMALS)
    above = correlation > threshold
    order = np.lexsort((np.asarray(names, dtype=np.str_), mean))
    keep = np.zeros(len(names), dtype=bool)
    for position in order:
        keep[position] = not (above[position] & keep).any()
    reasons = {}
    for position in np.flatnonzero(~keep).tolist():
        twin = int(np.where(keep, correlation[position], -1.0).argmax())
        reasons[names[position]] = f"correlation {correlation[position, twin]:.3f} with {names[twin]}"
    return keep, reasons


def streamed_correlation(blocks: Iterable[npt.NDArray[np.floating]]) -> Array:
    """Absolute Pearson correlation between the columns of all blocks of rows together, holding one block at a time.

    A missing value counts as its column's mean in its block; a column that does not vary is correlated with nothing.

    Parameters
    ----------
    blocks : iterable of ndarray, shape (n_i, p)
        At least one row in all.
    """
    n, shift, total, products = 0, np.zeros(0), np.zeros(0), np.zeros((0, 0))
    for block in blocks:
        values = np.asarray(block, dtype=np.float64)
        if not len(values):
            continue
        centre = np.nan_to_num(nan_mean_std(values)[0])
        if n == 0:
            # sums of squares about a value near the mean lose no digits
            shift, total = centre, np.zeros(len(centre))
            products = np.zeros((len(centre), len(centre)))
        moved = np.where(np.isnan(values), centre, values) - shift
        total += moved.sum(axis=0)
        products += moved.T @ moved
        n += len(values)
    # in place: for thousands of features this is the largest array here
    products -= np.outer(total, total / n)
    deviation = np.sqrt(np.maximum(np.diag(products), 0.0))
    inverse = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    products *= inverse[:, None]
    products *= inverse
    np.abs(products, out=products)
    np.minimum(products, 1.0, out=products)
    np.fill_diagonal(products, 1.0)
    return np.asarray(products)
