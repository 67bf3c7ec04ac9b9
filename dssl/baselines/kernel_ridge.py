"""Kernel ridge regression from molecules to targets, for many ridges at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
SMALLEST_EIGENVALUE = 1e-10  # of the landmarks' kernel, relative to the largest: what is below is rounding
ROWS_AT_ONCE = 2048


def kernel_ridge(
    kernel: NDArray[Any], landmarks: Rows, train: Rows, targets: NDArray[Any], ridges: Sequence[float]
) -> dict[float, Floats]:
    """Predict all molecules by kernel ridge regression on centred targets.

    Where all t training compounds are landmarks, it is exact, from one eigendecomposition of their kernel:

        Y_hat = m + K_nt (K_tt + ridge I)^-1 (Y - m), with m the mean of the training targets Y.

    Where they are too many for that, it is ridge regression on the features F = K_nl K_ll^(-1/2) of the l landmarks
    (subset of regressors: Quinonero-Candela and Rasmussen, JMLR 2005),

        Y_hat = m + F_n (F_t^T F_t + ridge I)^-1 F_t^T (Y - m),

    which is the first where the landmarks are the training compounds.

    Parameters
    ----------
    kernel : (n, l) of the molecules to predict with the landmarks.
    landmarks : (l,) their rows.
    train : (t,) rows of the training compounds; those that are landmarks in the same order.
    targets : (t, k) of the training compounds.
    ridges : positive values.

    Returns
    -------
    dict
        The predictions (n, k) of each ridge.
    """
    mean = targets.mean(axis=0, dtype=np.float64)
    is_trained = np.isin(landmarks, train)
    if is_trained.sum() == len(train):
        columns = kernel if is_trained.all() else kernel[:, is_trained]
        return _exact(columns, train, targets - mean, mean, ridges)
    return _by_landmarks(kernel, landmarks, train, targets - mean, mean, ridges)


def _exact(
    kernel: NDArray[Any], train: Rows, centred: NDArray[Any], mean: Floats, ridges: Sequence[float]
) -> dict[float, Floats]:
    eigenvalues, vectors = np.linalg.eigh(kernel[train].astype(np.float64))
    # a kernel has no negative eigenvalues but by rounding
    eigenvalues = np.maximum(eigenvalues, 0)
    left = kernel @ vectors
    right = vectors.T @ centred
    return {float(ridge): mean + (left / (eigenvalues + ridge)) @ right for ridge in ridges}


def _by_landmarks(
    kernel: NDArray[Any],
    landmarks: Rows,
    train: Rows,
    centred: NDArray[Any],
    mean: Floats,
    ridges: Sequence[float],
) -> dict[float, Floats]:
    eigenvalues, vectors = np.linalg.eigh(kernel[landmarks].astype(np.float64))
    kept = eigenvalues > SMALLEST_EIGENVALUE * eigenvalues[-1]
    root = vectors[:, kept] / np.sqrt(eigenvalues[kept])
    products, right = np.zeros((root.shape[1],) * 2), np.zeros((root.shape[1], centred.shape[1]))
    for start in range(0, len(train), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        features = kernel[train[rows]] @ root
        products += features.T @ features
        right += features.T @ centred[rows]
    found = {}
    for ridge in ridges:
        penalised = products + ridge * np.eye(len(products))
        found[float(ridge)] = mean + kernel @ (root @ solve(penalised, right, assume_a="pos"))
    return found
