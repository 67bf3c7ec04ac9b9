"""Controls that fit nothing: random vectors, and the profiles of the most similar training molecules."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
TIE_TOLERANCE = 1e-12


def random_vectors(n: int, size: int, rng: np.random.Generator) -> Floats:
    """Gaussian vectors (n, size): a control that knows nothing."""
    return rng.standard_normal((n, size))


def nearest_neighbors(
    similarities: Iterable[NDArray[Any]], targets: NDArray[Any], neighbors: Sequence[int]
) -> dict[int, Floats]:
    """Mean target of the most similar training molecules.

    Parameters
    ----------
    similarities : blocks (m, t) of the similarity of the molecules with all training compounds, one after the other.
    targets : (t, k) of the training compounds.
    neighbors : how many; all that tie with the last of them count too, and all there are if there are fewer.

    Returns
    -------
    dict
        The means (n, k) of each number of neighbors.
    """
    means: dict[int, list[Floats]] = {number: [] for number in neighbors}
    for block in similarities:
        for number, of_number in means.items():
            last = min(number, block.shape[1])
            threshold = -np.partition(-block, last - 1, axis=1)[:, last - 1 : last]
            nearest = block >= threshold - TIE_TOLERANCE
            of_number.append((nearest / nearest.sum(axis=1, keepdims=True)) @ targets)
    return {number: np.concatenate(parts).astype(np.float64, copy=False) for number, parts in means.items()}
