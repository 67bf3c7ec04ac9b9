"""Controls that fit nothing: random vectors, and the profiles of the most similar training molecules."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
TIE_TOLERANCE = 1e-12


def random_vectors(n: int, size: int, rng: np.random.Generator) -> Floats:
    """Gaussian vectors (n, size): a control that knows nothing."""
    return rng.standard_normal((n, size))


def nearest_neighbors(kernel_all: NDArray[Any], targets: NDArray[Any], neighbors: int) -> Floats:
    """Mean target (n, k) of the most similar training molecules.

    Parameters
    ----------
    kernel_all : (n, t) similarity of the molecules with training compounds.
    targets : (t, k) of the training compounds.
    neighbors : how many; all that tie with the last of them count too, and all there are if there are fewer.
    """
    last = min(neighbors, kernel_all.shape[1])
    threshold = -np.partition(-kernel_all, last - 1, axis=1)[:, last - 1 : last]
    nearest = kernel_all >= threshold - TIE_TOLERANCE
    return np.asarray((nearest / nearest.sum(axis=1, keepdims=True)) @ targets, dtype=np.float64)
