"""Controls with latent directions: partial least squares, and regularised canonical correlations."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dssl.model.canonical import CanonicalDirections

Floats = NDArray[np.float64]


def partial_least_squares(
    inputs_train: NDArray[Any], inputs_all: NDArray[Any], targets: NDArray[Any], components: Sequence[int]
) -> dict[int, Floats]:
    """Predict by PLS2 regression (scikit-learn's PLSRegression) with several numbers of components, from one fit.

    The components of a larger model begin with those of a smaller one. Nothing is scaled: inputs and targets come
    scaled as they should weigh.

    Parameters
    ----------
    inputs_train, inputs_all : (t, p) inputs of the training molecules, and (n, p) of those to predict.
    targets : (t, k) of the training compounds.
    components : numbers of components; one that exceeds min(t - 1, p) means as many as there are.

    Returns
    -------
    dict
        The predictions (n, k) of each number of components.
    """
    from sklearn.cross_decomposition import PLSRegression

    # the (t - 1)-th component leaves nothing of t centred rows
    most = min(max(components), len(targets) - 1, inputs_train.shape[1])
    model = PLSRegression(most, scale=False, max_iter=2000).fit(inputs_train, targets)
    scores = (inputs_all - inputs_train.mean(axis=0, dtype=np.float64)) @ model.x_rotations_
    mean = targets.mean(axis=0, dtype=np.float64)
    return {n: mean + scores[:, :n] @ model.y_loadings_[:, :n].T for n in components}


def canonical_maps(directions: CanonicalDirections, n: int) -> tuple[Floats, Floats]:
    """Maps (p, n) and (q, n) of centred inputs to their first n canonical coordinates, each times its correlation.

    The weight makes the coordinates that the modalities share count more than those that they hardly share: on both
    sides, since a cosine divides by the length of both. All directions are taken where there are fewer than n.
    """
    weights = directions.correlations[:n]
    return directions.first[:, :n] * weights, directions.second[:, :n] * weights
