"""Regularised canonical correlation analysis of two modalities."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dssl.errors import PairingError

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CanonicalDirections:
    """Linear maps of two modalities to pairs of coordinates that correlate one by one.

    Attributes
    ----------
    first_mean, second_mean : (p,) and (q,) means, subtracted before the maps are applied.
    first, second : (p, c) and (q, c) directions; c = min(p, q).
    correlations : (c,) regularised canonical correlations in [0, 1], falling.
    """

    first_mean: Floats
    second_mean: Floats
    first: Floats
    second: Floats
    correlations: Floats


def canonical_directions(first: NDArray[Any], second: NDArray[Any], ridge: float) -> CanonicalDirections:
    r"""Regularised CCA (Vinod, Journal of Econometrics 1976) of paired rows.

    .. math:: (S_{11} + r_1 I)^{-1/2} S_{12} (S_{22} + r_2 I)^{-1/2} = U \, diag(\rho) \, V^T

    with the covariances S (divisor n); the directions are the columns of :math:`(S_{11} + r_1 I)^{-1/2} U` and
    :math:`(S_{22} + r_2 I)^{-1/2} V`: the coordinates of a modality have the regularised covariance I, and those of
    the two modalities the covariance diag(rho). On kernel principal components this is kernel CCA.

    Parameters
    ----------
    first, second : (n, p) and (n, q) paired rows.
    ridge : r_i is this times the mean eigenvalue of S_ii. Of each pair of directions, the largest loading of the first
        is positive.

    Raises
    ------
    PairingError
        If the rows do not pair, or a modality does not vary.
    """
    if len(first) != len(second) or len(first) < 2:
        raise PairingError(
            f"canonical correlations: expected at least two paired rows; found {len(first)} and {len(second)}\n"
            "Give both modalities of the same training compounds."
        )
    wide_first, wide_second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    first_mean, second_mean = wide_first.mean(axis=0), wide_second.mean(axis=0)
    centred_first, centred_second = wide_first - first_mean, wide_second - second_mean
    first_root, second_root = _inverse_root(centred_first, ridge), _inverse_root(centred_second, ridge)
    cross = centred_first.T @ centred_second / len(first)
    left, correlations, right = np.linalg.svd(first_root @ cross @ second_root, full_matrices=False)
    first_map, second_map = first_root @ left, second_root @ right.T
    sign = np.sign(first_map[np.abs(first_map).argmax(axis=0), np.arange(len(correlations))])
    return CanonicalDirections(
        first_mean, second_mean, first_map * sign, second_map * sign, np.clip(correlations, 0.0, 1.0)
    )


def _inverse_root(centred: Floats, ridge: float) -> Floats:
    """(S + ridge x mean eigenvalue x I)^(-1/2), symmetric; directions without any variance get 0 when ridge is 0."""
    eigenvalues, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    eigenvalues = np.maximum(eigenvalues, 0.0)  # a covariance has no negative eigenvalues but by rounding
    mean = eigenvalues.mean()
    if not mean > 0:
        raise PairingError(
            "canonical correlations: a modality is the same in all rows\n"
            "Give it features that vary over the training compounds."
        )
    regularised = eigenvalues + ridge * mean
    present = regularised > eigenvalues[-1] * len(eigenvalues) * np.finfo(np.float64).eps
    weights = np.zeros_like(regularised)
    weights[present] = regularised[present] ** -0.5
    return np.asarray((vectors * weights) @ vectors.T)
