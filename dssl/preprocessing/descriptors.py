"""Standardised molecular descriptors."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SMALLEST_STD = 1e-12  # below this (relative to the mean) a descriptor is constant, up to rounding


@dataclass(frozen=True, eq=False)
class DescriptorScaling:
    """Means and standard deviations of the descriptors that vary over the training molecules; shapes (d,)."""

    names: tuple[str, ...]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    clip: float


def fit_descriptors(
    values: NDArray[np.float64], names: tuple[str, ...], clip: float
) -> tuple[DescriptorScaling, tuple[str, ...]]:
    """Fit on training molecules; missing and infinite values are left out of mean and standard deviation.

    Parameters
    ----------
    values : ndarray, shape (n, p)
        Descriptors of the training molecules.
    names : tuple of str
        Their p names.
    clip : float
        Bound of standardised values.

    Returns
    -------
    scaling : DescriptorScaling
        Of the descriptors that vary.
    constant : tuple of str
        Names of the others.
    """
    present = np.isfinite(values)
    n_present = np.maximum(present.sum(axis=0), 1)
    mean = np.where(present, values, 0.0).sum(axis=0) / n_present
    std = np.sqrt((np.where(present, values - mean, 0.0) ** 2).sum(axis=0) / n_present)
    varies = std > SMALLEST_STD * np.maximum(1.0, np.abs(mean))
    kept = np.flatnonzero(varies)
    scaling = DescriptorScaling(tuple(names[position] for position in kept.tolist()), mean[kept], std[kept], clip)
    return scaling, tuple(names[position] for position in np.flatnonzero(~varies).tolist())


def scale_descriptors(scaling: DescriptorScaling, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standardise and clip descriptors (n, d), columns as in `scaling.names`; missing values become the mean, 0."""
    scaled = (np.where(np.isfinite(values), values, scaling.mean) - scaling.mean) / scaling.std
    return np.clip(scaled, -scaling.clip, scaling.clip)
