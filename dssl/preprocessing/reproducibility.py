"""How well replicate wells agree, feature by feature."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl.errors import TableError
from dssl.settings.preparation import PhenotypePreprocessingSettings

Floats = NDArray[np.float64]


def disagreement(
    values: NDArray[np.float64], treatments: NDArray[np.object_], settings: PhenotypePreprocessingSettings
) -> NDArray[np.object_]:
    """Why a feature is not reproducible; "" where it is, or where nothing tells."""
    groups = replicate_groups(treatments)
    reasons = np.full(values.shape[1], "", dtype=object)
    if settings.max_replicate_std is not None:
        std = replicate_std(values, groups)
        for column in np.flatnonzero(std > settings.max_replicate_std):
            reasons[column] = f"standard deviation {std[column]:.3f} between replicates"
    if settings.min_replicate_correlation is not None:
        correlation = intraclass_correlation(values, groups)
        for column in np.flatnonzero(correlation < settings.min_replicate_correlation):
            reasons[column] = f"correlation {correlation[column]:.3f} between replicates"
    return reasons


def replicate_groups(treatments: Sequence[str] | NDArray[np.object_]) -> NDArray[np.intp]:
    """Number of every well's treatment, 0 .. G - 1; -1 for wells without a replicate.

    Raises
    ------
    TableError
        If no treatment has two wells.
    """
    codes, names = pd.factorize(np.asarray(treatments, dtype=object))
    several = np.bincount(codes, minlength=len(names)) > 1
    if not several.any():
        raise TableError(
            f"none of {len(names)} treatments (compound and dose) has two training wells, so no feature's replicates\n"
            "can be compared. Set fit_preprocessing.phenotype.min_replicate_correlation and max_replicate_std to null."
        )
    renumbered = np.where(several, np.cumsum(several) - 1, -1)
    return np.asarray(renumbered[codes], dtype=np.intp)


def intraclass_correlation(values: Floats, groups: NDArray[np.intp]) -> Floats:
    """Correlation between two replicate wells of a treatment, for every feature: ICC(1) of Shrout and Fleiss (1979).

    (MSB - MSW) / (MSB + (n0 - 1) MSW), with the mean squares between and within treatments of a one-way analysis of
    variance and n0 = (N - sum of n_g^2 / N) / (G - 1). 1 where replicates are equal, about 0 where a feature tells
    nothing of the treatment, and NaN with fewer than two treatments or without any variation.

    Parameters
    ----------
    values : ndarray, shape (n, p)
        Wells, without missing values.
    groups : ndarray of int, shape (n,)
        `replicate_groups`; wells with -1 are left out.
    """
    kept, codes = values[groups >= 0], groups[groups >= 0]
    counts = np.bincount(codes)
    n, n_groups = len(kept), len(counts)
    means, within = _moments(kept, codes, counts)
    if n_groups < 2:
        return np.full(values.shape[1], np.nan)
    between = (counts[:, None] * (means - kept.mean(axis=0)) ** 2).sum(axis=0) / (n_groups - 1)
    error = within.sum(axis=0) / (n - n_groups)
    typical = (n - (counts**2).sum() / n) / (n_groups - 1)
    total = between + (typical - 1) * error
    return np.asarray(np.divide(between - error, total, out=np.full(values.shape[1], np.nan), where=total > 0))


def replicate_std(values: Floats, groups: NDArray[np.intp]) -> Floats:
    """Mean over treatments of the standard deviation (divisor n) between their wells, for every feature.

    As pycytominer's `noise_removal`, but for treatments with one well, which there count as 0 and here are left out.
    """
    kept, codes = values[groups >= 0], groups[groups >= 0]
    counts = np.bincount(codes)
    within = _moments(kept, codes, counts)[1]
    return np.asarray(np.sqrt(within / counts[:, None]).mean(axis=0))


def _moments(values: Floats, codes: NDArray[np.intp], counts: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Mean and sum of squares about it, (G, p) each, of every group's rows."""
    order = np.argsort(codes, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    means = np.add.reduceat(values[order], starts, axis=0) / counts[:, None]
    squares = np.add.reduceat((values - means[codes])[order] ** 2, starts, axis=0)
    return means, squares
