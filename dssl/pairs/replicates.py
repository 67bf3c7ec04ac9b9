"""Replicate wells of a treatment as one profile."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from dssl import keys
from dssl.errors import ConfigError, first_few
from dssl.pairs.levels import mean_rows, pooled_obs

LOGGER = logging.getLogger(__name__)
SMALLEST_WEIGHT = 0.01
PREFIX = "pooled:"  # else a treatment without dose would be named like its molecule


def pool_replicates(
    values: NDArray[np.float32], obs: pd.DataFrame, how: str, by: Sequence[str]
) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """Pool the wells that agree in treatment and in the columns `by`; a pooled row is a mean within one compound.

    Parameters
    ----------
    values : ndarray, shape (wells, p)
        Normalised profiles, NaN where missing.
    obs : DataFrame
        Their rows, with compound_id, treatment, plate and batch.
    how : str
        "none" (wells stay as they are), "mean" (over the values that are there) or "modz" (`modz_weights`).
    by : sequence of str
        Columns of obs.

    Returns
    -------
    values : ndarray, shape (rows, p)
        In the order in which the treatments first occur.
    obs : DataFrame
        As `dssl.pairs.levels.pooled_obs` describes it, indexed "pooled:" + treatment and the values of `by`.

    Raises
    ------
    ConfigError
        If obs has no such column.
    """
    if how == "none":
        return values, obs
    unknown = [column for column in by if column not in obs]
    if unknown:
        raise ConfigError(
            f"pair_and_split.pool_by: the wells have no column {first_few(unknown)}; they have {first_few(obs, 12)}\n"
            "Correct it, or keep the column with plates.columns.keep."
        )
    labels = obs[keys.TREATMENT].astype(str)
    for column in by:
        labels = labels + "|" + obs[column].astype(str)
    codes, names = pd.factorize(labels)
    weights = np.ones(len(values))
    if how == "modz":
        weights = np.empty(len(values))
        for rows in np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1]):
            weights[rows] = modz_weights(values[rows])
    LOGGER.info("pooled %d wells to %d profiles (%s)", len(values), len(names), how)
    pooled = _weighted_means(values, weights, codes, len(names))
    return pooled, pooled_obs(obs, codes, PREFIX + pd.Index(names))


def modz_weights(replicates: NDArray[np.floating]) -> NDArray[np.float64]:
    """Weights (n,) of replicate profiles (n, p), by how well each agrees with the others (Subramanian et al. 2017).

    The mean Spearman correlation with the other replicates, negative ones counting as 0, at least 0.01, divided by the
    sum over replicates (cmapPy and pycytominer round the weights to 4 decimals). Features missing in one of the
    replicates do not count.
    """
    n = len(replicates)
    complete = replicates[:, np.isfinite(replicates).all(axis=0)]
    if n == 1 or complete.shape[1] < 2:
        return np.full(n, 1 / n)
    correlation = np.nan_to_num(np.corrcoef(rankdata(complete, axis=1)))
    agreement = np.maximum(correlation, 0.0)
    np.fill_diagonal(agreement, 0.0)
    raw = np.maximum(agreement.sum(axis=1) / (n - 1), SMALLEST_WEIGHT)
    return np.asarray(raw / raw.sum())


def _weighted_means(
    values: NDArray[np.float32], weights: NDArray[np.float64], codes: NDArray[np.intp], n: int
) -> NDArray[np.float32]:
    """Means over the values that are there, NaN where none is."""
    there = np.isfinite(values)
    total = mean_rows(np.where(there, values * weights[:, None], 0.0).astype(np.float32), codes, n)
    weight = mean_rows((there * weights[:, None]).astype(np.float32), codes, n)
    means = np.divide(total, weight, out=np.full(total.shape, np.nan), where=weight > 0)
    return np.asarray(means, dtype=np.float32)
