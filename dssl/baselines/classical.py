"""Classical controls: each predicts the phenotype vectors of molecules, in the space of the preprocessed profiles."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl.errors import PairingError, first_few
from dssl.evaluation.ranks import METRICS, MRR
from dssl.evaluation.retrieval import (
    MOLECULE_TO_PHENOTYPE,
    PHENOTYPE_TO_MOLECULE,
    retrieval_metrics,
    rounded_cosines,
    unit_rows,
)

Floats = NDArray[np.float64]
TIE_TOLERANCE = 1e-12


@dataclass(frozen=True)
class ClassicalInputs:
    """What the controls learn from: a molecular kernel, and the training compounds' preprocessed mean profiles.

    Attributes
    ----------
    kernel_train : (t, t) kernel among training compounds.
    kernel_all : (n, t) kernel of the molecules to predict with training compounds.
    phenotype_train : (t, k) profiles of the training compounds.

    Raises
    ------
    PairingError
        If the shapes disagree or a value is not finite.
    """

    kernel_train: NDArray[Any]
    kernel_all: NDArray[Any]
    phenotype_train: NDArray[Any]

    def __post_init__(self) -> None:
        t = len(self.phenotype_train)
        if t == 0 or self.kernel_train.shape != (t, t) or self.kernel_all.shape[1:] != (t,):
            raise PairingError(
                f"classical controls: expected kernels (t, t) and (n, t) for t = {t} training profiles; found "
                f"{self.kernel_train.shape} and {self.kernel_all.shape}"
            )
        arrays = {name: getattr(self, name) for name in ("kernel_train", "kernel_all", "phenotype_train")}
        bad = [name for name, values in arrays.items() if not np.isfinite(values).all()]
        if bad:
            raise PairingError(
                f"classical controls: NaN or infinite values in {first_few(bad)}\n"
                "Fit preprocessing on these compounds first: it removes or imputes what is missing."
            )


@dataclass(frozen=True)
class RidgeChoice:
    """Kernel ridge regression with the ridge that retrieves best on validation compounds.

    Attributes
    ----------
    ridge : the chosen value.
    vectors : (n, k) predictions for the rows of kernel_all, from training compounds only.
    tried : a row per value: ridge, score (mean validation MRR of both directions), <metric>_<direction>, chosen.
    """

    ridge: float
    vectors: Floats
    tried: pd.DataFrame


def random_vectors(inputs: ClassicalInputs, rng: np.random.Generator) -> Floats:
    """Gaussian vectors (n, k): a control that knows nothing."""
    return rng.standard_normal((len(inputs.kernel_all), inputs.phenotype_train.shape[1]))


def nearest_neighbor(inputs: ClassicalInputs) -> Floats:
    """Profile of the most similar training molecule; the mean of the profiles of those that tie (n, k)."""
    nearest = inputs.kernel_all >= inputs.kernel_all.max(axis=1, keepdims=True) - TIE_TOLERANCE
    weights = nearest / nearest.sum(axis=1, keepdims=True)
    return np.asarray(weights @ inputs.phenotype_train, dtype=np.float64)


def kernel_ridge(inputs: ClassicalInputs, ridge: float) -> Floats:
    """Predict profiles by kernel ridge regression on centred profiles (n, k).

    Y_hat = m + K(new, train) (K + ridge I)^-1 (Y - m), with m the mean of the training profiles Y.
    """
    return next(iter(_ridge_path(inputs, [ridge]).values()))


def fit_ridge_on_validation(
    inputs: ClassicalInputs,
    validation_rows: NDArray[np.int64],
    phenotype_validation: NDArray[Any],
    ridges: Sequence[float],
) -> RidgeChoice:
    """Choose the ridge by retrieval among validation compounds; the model stays fitted on training compounds only.

    Parameters
    ----------
    inputs : training kernel and profiles.
    validation_rows : (v,) rows of `inputs.kernel_all` that are the validation compounds.
    phenotype_validation : (v, k) their preprocessed mean profiles, in the same order.
    ridges : values to try (settings: train_baseline.ridge); of equally good ones the largest is taken.

    Raises
    ------
    PairingError
        If there are no validation compounds, or their profiles do not match their rows.
    """
    if len(validation_rows) == 0 or len(validation_rows) != len(phenotype_validation):
        raise PairingError(
            f"kernel ridge: expected a profile for every validation compound and at least one; found "
            f"{len(phenotype_validation)} profiles, {len(validation_rows)} compounds\n"
            "Raise pair_and_split.validation_fraction."
        )
    predicted = _ridge_path(inputs, ridges)
    rows = [
        _validation_row(ridge, vectors[validation_rows], phenotype_validation) for ridge, vectors in predicted.items()
    ]
    tried = pd.DataFrame(rows)
    best = float(tried.loc[tried["score"] == tried["score"].max(), "ridge"].max())
    tried["chosen"] = tried["ridge"] == best
    return RidgeChoice(best, predicted[best], tried)


def _ridge_path(inputs: ClassicalInputs, ridges: Sequence[float]) -> dict[float, Floats]:
    """Predictions for every ridge, from one eigendecomposition of the training kernel."""
    mean = inputs.phenotype_train.mean(axis=0, dtype=np.float64)
    eigenvalues, vectors = np.linalg.eigh(inputs.kernel_train.astype(np.float64))
    # a kernel has no negative eigenvalues but by rounding
    eigenvalues = np.maximum(eigenvalues, 0)
    left = inputs.kernel_all @ vectors
    right = vectors.T @ (inputs.phenotype_train - mean)
    return {float(ridge): mean + (left / (eigenvalues + ridge)) @ right for ridge in ridges}


def _validation_row(ridge: float, molecule: Floats, phenotype: NDArray[Any]) -> dict[str, float]:
    similarity = rounded_cosines(unit_rows(phenotype), unit_rows(molecule))
    found = {
        PHENOTYPE_TO_MOLECULE: retrieval_metrics(similarity),
        MOLECULE_TO_PHENOTYPE: retrieval_metrics(similarity.T),
    }
    score = float(np.mean([metrics[MRR] for metrics in found.values()]))
    columns = {f"{name}_{direction}": found[direction][name] for direction in found for name in METRICS}
    return {"ridge": ridge, "score": score, **columns}
