"""Harmony, fitted on training wells, with the projection that new wells of the same batches are given."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl.errors import TableError, first_few
from dssl.phenotypes.group_scaling import group_numbers
from dssl.settings.preparation import HarmonySettings

Floats = NDArray[np.float64]
KEY = "fit_preprocessing.phenotype.harmony"
WELLS_PER_CLUSTER, MOST_CLUSTERS = 30, 100
_ROUNDS = 50  # of alternating assignment and correction; it settles in a few


@dataclass(frozen=True, eq=False)
class HarmonyState:
    """What was fitted on training wells.

    Attributes
    ----------
    batches : tuple of str
        The B batches.
    centroids : ndarray, shape (K, k)
        Unit vectors, in the corrected space.
    sigma : float
        Width of the soft assignment.
    offsets : ndarray, shape (K, B, k)
        What is subtracted from a well of a batch, as far as it belongs to a cluster.
    """

    batches: tuple[str, ...]
    centroids: Floats
    sigma: float
    offsets: Floats


def fit_harmony(
    inputs: Floats, batches: Sequence[str] | NDArray[np.object_], settings: HarmonySettings
) -> HarmonyState:
    """Align the batches of training wells by `harmonypy` (Korsunsky et al. 2019) and keep what did it.

    Of the fitted clusters the soft assignments R and the centroids are taken; the offsets of the batches in a cluster
    are the ridge regression that Harmony's last correction makes of them: with the design Phi (intercept and batches),

        W_k = (Phi' diag(R_k) Phi + ridge I)^-1 Phi' diag(R_k) Z,        Z_corrected = Z - sum over k of R_k Phi W_k

    without the intercept, neither in the ridge nor in the correction.

    Parameters
    ----------
    inputs : ndarray, shape (n, k)
        Training wells.
    batches : sequence of str, length n
        Batch of every well.
    settings : HarmonySettings
        Clusters and penalties.

    Raises
    ------
    TableError
        If there is only one batch.
    """
    import harmonypy

    names, numbers = np.unique(np.asarray(batches, dtype=np.str_), return_inverse=True)
    if len(names) < 2:
        raise TableError(
            f"{KEY} aligns batches, but the training wells have one only: {first_few(names)}\n"
            f"Name the column of the batch in plates.columns.batch, or set {KEY}: null."
        )
    n = len(inputs)
    n_clusters = settings.n_clusters or max(1, min(round(n / WELLS_PER_CLUSTER), MOST_CLUSTERS))
    fitted = harmonypy.run_harmony(
        np.asarray(inputs, dtype=np.float64),
        pd.DataFrame({"batch": numbers}),
        "batch",
        theta=settings.theta,
        lamb=settings.ridge,
        sigma=settings.sigma,
        nclust=n_clusters,
        max_iter_harmony=settings.max_iterations,
        verbose=False,
        random_state=settings.seed,
        ncores=1,
    )
    centroids = np.asarray(fitted.Y, dtype=np.float64).T
    offsets = batch_offsets(inputs, numbers, np.asarray(fitted.R, dtype=np.float64), settings.ridge)
    return HarmonyState(tuple(names.tolist()), _unit(centroids), settings.sigma, offsets)


def batch_offsets(inputs: Floats, batches: NDArray[np.intp], clusters: Floats, ridge: float) -> Floats:
    """Offsets (K, B, k) of every batch in every cluster, by the ridge regression of `fit_harmony`.

    Parameters
    ----------
    inputs : ndarray, shape (n, k)
    batches : ndarray of int, shape (n,)
        0 .. B - 1.
    clusters : ndarray, shape (n, K)
        Soft assignments, rows adding up to 1.
    ridge : float
    """
    design = np.hstack([np.ones((len(inputs), 1)), np.eye(batches.max() + 1)[batches]])
    penalty = np.diag([0.0, *[ridge] * (design.shape[1] - 1)])
    offsets = []
    for weight in clusters.T:
        weighted = design * weight[:, None]
        offsets.append(np.linalg.solve(design.T @ weighted + penalty, weighted.T @ inputs)[1:])
    return np.stack(offsets)


def apply_harmony(state: HarmonyState, inputs: Floats, batches: NDArray[np.object_]) -> Floats:
    """Correct wells of known batches, training wells and new ones in the same way.

    A well's clusters depend on where it lies after the correction, and the correction on its clusters: both are repeated
    until they agree. Assignment is by cosine, exp(-2 (1 - cos) / sigma), without the diversity penalty, which is for
    fitting (as in Symphony, Kang et al. 2021).

    Raises
    ------
    TableError
        If a well belongs to a batch that was not among the training wells.
    """
    numbers = group_numbers(state.batches, batches, KEY)
    corrected = inputs
    for _ in range(_ROUNDS):
        logits = -2 * (1 - _unit(corrected) @ state.centroids.T) / state.sigma
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        before = corrected
        corrected = inputs - np.einsum("nc,cnk->nk", weights, state.offsets[:, numbers])
        if np.allclose(corrected, before, rtol=0, atol=1e-9):
            break
    return corrected


def _unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float64).tiny))
