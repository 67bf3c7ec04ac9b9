"""Column statistics that skip missing values, for many columns at once."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
MAD_TO_STD = 1.4826  # of a normal distribution; the constant that pycytominer's mad_robustize uses


def nan_median(values: Array) -> Array:
    """Median of every column over the values that are there; NaN where there is none.

    As `numpy.nanmedian(values, axis=0)`, but in one sort and without its warning about empty columns.
    """
    if not values.shape[0]:
        return np.full(values.shape[1], np.nan)
    ordered = np.sort(values, axis=0)  # NaN go last
    count = np.count_nonzero(~np.isnan(values), axis=0)
    column = np.arange(values.shape[1])
    low = ordered[np.maximum(count - 1, 0) // 2, column]
    high = ordered[count // 2, column]
    return np.where(count > 0, (low + high) / 2, np.nan)


def nan_mad(values: Array, centre: Array) -> Array:
    """Median absolute deviation of every column from `centre`, unscaled."""
    return nan_median(np.abs(values - centre))


def nan_mean_std(values: Array) -> tuple[Array, Array]:
    """Mean and population standard deviation (divisor n) of every column over the values that are there."""
    count = np.count_nonzero(~np.isnan(values), axis=0)
    known = count > 0
    empty = np.full(values.shape[1], np.nan)
    mean = np.divide(np.nansum(values, axis=0), count, out=empty.copy(), where=known)
    variance = np.divide(np.nansum((values - mean) ** 2, axis=0), count, out=empty.copy(), where=known)
    return mean, np.sqrt(variance)
