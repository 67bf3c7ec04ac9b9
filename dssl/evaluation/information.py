"""Bounds, in nats, on what a code of X1 says about X2 and on what it says of X1 alone; the knee of the curve they draw."""

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from dssl.errors import PairingError
from dssl.evaluation.ranking import CHUNK_CELLS
from dssl.evaluation.ranks import Floats

# of the temperature, in units of the mean squared distance of codes that do not match; searched on a log scale
TEMPERATURES = (1e-4, 1e2)


class Bound(NamedTuple):
    """A bound in nats and its standard error over compounds."""

    value: float
    standard_error: float


def infonce_lower_bound(draws: NDArray[Any], other_means: NDArray[Any], temperature: float) -> Bound:
    """InfoNCE lower bound on I(Z;X2): log n - loss, at most log n (van den Oord et al. 2018; Poole et al., ICML 2019).

    With s_ij = -|z_i - m_j|^2 / (2 temperature), the log density of z_i around the other modality's code of pair j:
    log n + (1/n) sum_i [s_ii - log sum_j e^{s_ij}]. It holds for every critic s that was not fitted on these pairs, and
    in expectation over pairs, so a sample's value may lie above it by chance. The sum goes over x2 alone: with codes
    whose length varies, the other direction is loose for this critic. The mean over the draws is taken.

    Parameters
    ----------
    draws : (r, n, d) r draws of the code of each of n pairs from p(z|x1).
    other_means : (n, d) the same pairs' codes by the other modality, without noise: a function of x2.
    temperature : as `fit_temperature` finds it on other pairs.

    Returns
    -------
    Bound
        The standard error is that of the mean over pairs, taken as independent.

    Raises
    ------
    PairingError
        If there are fewer than two pairs, or shapes disagree.
    """
    gains = np.mean([_gains(drawn, other_means, temperature) for drawn in _checked(draws, other_means)], axis=0)
    return _mean(gains)


def fit_temperature(draws: NDArray[Any], other_means: NDArray[Any]) -> float:
    """Temperature with the highest `infonce_lower_bound`; fit it on other pairs than the bound is then given for."""
    checked = _checked(draws, other_means)
    unit = float(np.mean([_mean_squared_distance(drawn, other_means) for drawn in checked])) or 1.0
    low, high = (math.log(factor * unit) for factor in TEMPERATURES)

    def loss(log_temperature: float) -> float:
        return -float(np.mean([_gains(drawn, other_means, math.exp(log_temperature)).mean() for drawn in checked]))

    grid = np.linspace(low, high, 13)
    best = int(np.argmin([loss(point) for point in grid]))
    bounds = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    return math.exp(float(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 0.01}).x))


def kl_upper_bound(kl: NDArray[Any]) -> Bound:
    """Upper bound on I(Z;X1|X2): the mean of KL[p(z|x1) || q(z|x2)] over pairs (n,), whatever q is.

    I(Z;X1|X2) is the same mean with q = p(z|x2) = E[p(z|x1) | x2], and no other q makes it smaller.
    """
    return _mean(np.asarray(kl, dtype=np.float64))


def knee(kl: NDArray[Any], infonce: NDArray[Any]) -> int | None:
    """Point of the curve farthest above the chord between its ends, both axes scaled to 0..1; None if there is none.

    The ends are the points with the smallest and the largest KL bound. Towards larger KL than at the knee, a nat of
    I(Z;X2) costs more nats of I(Z;X1|X2) than on average. There is none with fewer than three points, or when no point
    lies above the chord.

    Parameters
    ----------
    kl, infonce : (points,) upper bound on I(Z;X1|X2), lower bound on I(Z;X2).
    """
    x, y = np.asarray(kl, dtype=np.float64), np.asarray(infonce, dtype=np.float64)
    if len(x) < 3 or not np.isfinite(np.concatenate([x, y])).all():
        return None
    first, last = int(x.argmin()), int(x.argmax())
    if not (x[last] > x[first] and np.ptp(y) > 0):
        return None
    across, up = (x - x[first]) / (x[last] - x[first]), (y - y[first]) / np.ptp(y)
    above = up - across * up[last]
    best = int(above.argmax())
    return best if above[best] > 1e-9 else None


def information_curve(table: pd.DataFrame) -> pd.DataFrame:
    """The curve of each modality over beta: means and ranges over folds and seeds, the knee, and what was chosen.

    Parameters
    ----------
    table : a row for each fold, modality (whose code it is: X1), beta and seed, with infonce_lower, kl_upper, log_n,
        chosen (whether beta is the fold's choice).

    Returns
    -------
    DataFrame
        modality, beta; <bound>, <bound>_lowest, <bound>_highest for both bounds; log_n; n_models; n_folds_chosen;
        knee (of the means).
    """
    bounds = ("infonce_lower", "kl_upper")
    grouped = table.groupby(["modality", "beta"], sort=True)
    columns = {name: grouped[name].mean() for name in (*bounds, "log_n")}
    for name in bounds:
        columns |= {f"{name}_lowest": grouped[name].min(), f"{name}_highest": grouped[name].max()}
    folds = table[table["chosen"]].groupby(["modality", "beta"])["fold"].nunique()
    curve = pd.DataFrame({**columns, "n_models": grouped.size(), "n_folds_chosen": folds})
    curve = curve.fillna({"n_folds_chosen": 0}).astype({"n_folds_chosen": int}).assign(knee=False).reset_index()
    for _, rows in curve.groupby("modality"):
        best = knee(rows["kl_upper"].to_numpy(), rows["infonce_lower"].to_numpy())
        if best is not None:
            curve.loc[rows.index[best], "knee"] = True
    return curve


def _checked(draws: NDArray[Any], other_means: NDArray[Any]) -> Floats:
    wide = np.asarray(draws, dtype=np.float64)
    if wide.ndim != 3 or wide.shape[1:] != other_means.shape or len(other_means) < 2:
        raise PairingError(
            "information: expected draws (r, n, d) and codes (n, d) of the same two or more pairs; found shapes "
            f"{np.shape(draws)} and {np.shape(other_means)}"
        )
    return wide


def _squared_distances(drawn: Floats, means: NDArray[Any]) -> Floats:
    wide = np.asarray(means, dtype=np.float64)
    products = drawn @ wide.T
    return np.asarray((drawn**2).sum(axis=1)[:, None] + (wide**2).sum(axis=1)[None] - 2 * products)


def _mean_squared_distance(drawn: Floats, means: NDArray[Any]) -> float:
    """Mean of `_squared_distances`, without them."""
    lengths = (drawn**2).sum(axis=1).mean() + (np.asarray(means, dtype=np.float64) ** 2).sum(axis=1).mean()
    return float(lengths - 2 * drawn.mean(axis=0) @ means.mean(axis=0, dtype=np.float64))


def _gains(drawn: Floats, means: NDArray[Any], temperature: float) -> Floats:
    """What each pair adds to the bound."""
    gains, n_rows = np.empty(len(drawn)), max(1, CHUNK_CELLS // len(means))
    for start in range(0, len(drawn), n_rows):
        scores = -_squared_distances(drawn[start : start + n_rows], means) / (2 * temperature)
        gains[start : start + n_rows] = np.diagonal(scores, start) - _log_mean_exp(scores)
    return gains


def _log_mean_exp(scores: Floats) -> Floats:
    highest = scores.max(axis=1, keepdims=True)
    return np.asarray(highest.squeeze(1) + np.log(np.exp(scores - highest).mean(axis=1)))


def _mean(values: Floats) -> Bound:
    return Bound(float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values))))
