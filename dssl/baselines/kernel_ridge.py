"""Kernel ridge regression from molecules to targets, for many ridges at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def kernel_ridge(
    kernel_train: NDArray[Any], kernel_all: NDArray[Any], targets: NDArray[Any], ridges: Sequence[float]
) -> dict[float, Floats]:
    """Predict by kernel ridge regression on centred targets, from one eigendecomposition of the training kernel.

    Y_hat = m + K(all, train) (K + ridge I)^-1 (Y - m), with m the mean of the training targets Y.

    Parameters
    ----------
    kernel_train : (t, t) kernel among training compounds.
    kernel_all : (n, t) kernel of the molecules to predict with training compounds.
    targets : (t, k) of the training compounds.
    ridges : positive values.

    Returns
    -------
    dict
        The predictions (n, k) of each ridge.
    """
    mean = targets.mean(axis=0, dtype=np.float64)
    eigenvalues, vectors = np.linalg.eigh(kernel_train.astype(np.float64))
    # a kernel has no negative eigenvalues but by rounding
    eigenvalues = np.maximum(eigenvalues, 0)
    left = kernel_all @ vectors
    right = vectors.T @ (targets - mean)
    return {float(ridge): mean + (left / (eigenvalues + ridge)) @ right for ridge in ridges}
