"""The trials of every classical control: its hyperparameters' values, each fitted on training compounds.

Every tunable control has two hyperparameters with as many values each, hence as many trials as any other. The trials
that regularise most come first: they are taken where the validation compounds do not tell the difference.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dssl.baselines.controls import nearest_neighbors, random_vectors
from dssl.baselines.data import GAUSSIAN, TANIMOTO, ClassicalData
from dssl.baselines.kernel_ridge import kernel_ridge
from dssl.baselines.latent import canonical_maps, partial_least_squares
from dssl.baselines.phenotype_space import fit_space
from dssl.baselines.tuning import Trial
from dssl.baselines.vectors import (
    CELL_COUNT,
    MAPS,
    OFFSETS,
    counts_vary,
    fit_log_counts,
    half_circle,
    standardized_log_counts,
)
from dssl.model.canonical import canonical_directions
from dssl.settings.baselines import TrainBaselineSettings

Floats = NDArray[np.float64]
Trials = Iterator[Trial]


def random(data: ClassicalData, settings: TrainBaselineSettings) -> Trials:
    """Nothing to tune; compared with the preprocessed profiles as they are."""
    vectors = random_vectors(len(data.inputs), len(data.divisor), np.random.default_rng(settings.seed))
    yield Trial(vectors.astype(np.float32), {})


def nearest_neighbor(data: ClassicalData, settings: TrainBaselineSettings) -> Trials:
    """Mean profile of the most similar training molecules (Tanimoto): neighbors x whitening."""
    predictions = nearest_neighbors(data.similarities(), _centred(data), settings.neighbors)
    yield from _whitened("nearest_neighbor", "neighbors", predictions, data, settings)


def ridge_tanimoto(data: ClassicalData, settings: TrainBaselineSettings) -> Trials:
    """Kernel ridge on fingerprints: ridge x whitening."""
    yield from _ridge("kernel_ridge", data.kernels[TANIMOTO], data, settings)


def ridge_descriptors(data: ClassicalData, settings: TrainBaselineSettings) -> Trials:
    """Kernel ridge on physicochemical descriptors: ridge x whitening."""
    yield from _ridge("kernel_ridge_descriptors", data.kernels[GAUSSIAN], data, settings)


def ridge_both(data: ClassicalData, settings: TrainBaselineSettings) -> Trials:
    """Kernel ridge on half Tanimoto, half Gaussian: ridge x whitening."""
    yield from _ridge("kernel_ridge_both", _mixed(data, 0.5), data, settings)


def pls(data: ClassicalData, settings: TrainBaselineSettings) -> Trials:
    """Partial least squares on the molecular inputs that the learned models get: components x whitening."""
    space = fit_space(data.profiles_train, data.divisor)
    for whitening in sorted(settings.whitening):
        matrix = space.matrix(whitening)
        targets = (data.profiles_train - space.center) @ matrix
        predictions = partial_least_squares(data.inputs[data.train], data.inputs, targets, settings.components)
        for components in sorted(predictions):
            tried = {"components": components, "whitening": whitening}
            yield _mapped("pls", predictions[components], space.center, matrix, tried)


def cca(data: ClassicalData, settings: TrainBaselineSettings) -> Trials:
    """Regularised CCA of the inputs that the learned models get, molecules and profiles: ridge x components.

    With kernel principal components as inputs (the default), this is kernel CCA. The ridge, in units of the covariance's
    mean eigenvalue, takes the place of the whitening: it is full for small ridges.
    """
    for ridge in sorted(settings.ridge, reverse=True):
        directions = canonical_directions(data.inputs[data.train], data.profiles_train, ridge)
        for components in sorted(settings.components):
            molecule_map, phenotype_map = canonical_maps(directions, components)
            vectors = (data.inputs - directions.first_mean) @ molecule_map
            tried = {"ridge": ridge, "components": components}
            yield _mapped("cca", vectors, directions.second_mean, phenotype_map, tried)


def cell_count(data: ClassicalData, settings: TrainBaselineSettings) -> Trials:
    """Logarithm of the compound's mean cell count by kernel ridge: ridge x weight of the Tanimoto kernel.

    Compared by distance of the logarithms: both sides lie on a half circle. Training compounds without a cell count
    are left out of the fit.
    """
    counts = data.cell_counts()
    scale, known = fit_log_counts(counts), np.flatnonzero(np.isfinite(counts))
    targets = standardized_log_counts(counts[known], scale)[:, None]
    for weight in sorted(settings.tanimoto_weight):
        predictions = kernel_ridge(_mixed(data, weight), data.landmarks, data.train[known], targets, settings.ridge)
        for ridge in sorted(settings.ridge, reverse=True):
            points = half_circle(predictions[ridge][:, 0])
            yield Trial(points, {CELL_COUNT: asdict(scale)}, {"ridge": ridge, "tanimoto_weight": weight})


TRIALS: dict[str, Callable[[ClassicalData, TrainBaselineSettings], Trials]] = {
    "random": random,
    "cell_count": cell_count,
    "nearest_neighbor": nearest_neighbor,
    "pls": pls,
    "cca": cca,
    "kernel_ridge": ridge_tanimoto,
    "kernel_ridge_descriptors": ridge_descriptors,
    "kernel_ridge_both": ridge_both,
}
KERNELS = {
    "cell_count": (TANIMOTO, GAUSSIAN),
    "nearest_neighbor": (TANIMOTO,),
    "kernel_ridge": (TANIMOTO,),
    "kernel_ridge_descriptors": (GAUSSIAN,),
    "kernel_ridge_both": (TANIMOTO, GAUSSIAN),
}
MADE_FROM = {TANIMOTO: "fingerprints", GAUSSIAN: "rdkit_descriptors that vary"}


def reason_to_skip(method: str, data: ClassicalData) -> str | None:
    """Why a control cannot be computed on this screen; None when it can."""
    missing = [MADE_FROM[kernel] for kernel in KERNELS.get(method, ()) if kernel not in data.kernels]
    if missing:
        return f"the molecular features (featurize_molecules.featurizers) have no {' and no '.join(missing)}"
    if method == CELL_COUNT and not counts_vary(data.cell_counts()):
        return "no cell counts (plates.columns.cell_count) that vary over the training compounds"
    return None


def _ridge(method: str, kernel: Floats, data: ClassicalData, settings: TrainBaselineSettings) -> Trials:
    ridges = sorted(settings.ridge, reverse=True)
    predictions = kernel_ridge(kernel, data.landmarks, data.train, _centred(data), ridges)
    yield from _whitened(method, "ridge", predictions, data, settings)


def _whitened(
    method: str,
    name: str,
    predictions: dict[Any, Floats],
    data: ClassicalData,
    settings: TrainBaselineSettings,
) -> Trials:
    """Scale predicted profiles: the prediction is linear in them, so that one fit serves every whitening."""
    space = fit_space(data.profiles_train, data.divisor)
    for value in sorted(predictions, reverse=True):
        for whitening in sorted(settings.whitening):
            matrix = space.matrix(whitening)
            tried = {name: value, "whitening": whitening}
            yield _mapped(method, predictions[value] @ matrix, space.center, matrix, tried)


def _mapped(method: str, vectors: Floats, offset: Floats, matrix: Floats, tried: dict[str, float]) -> Trial:
    return Trial(vectors.astype(np.float32), {OFFSETS: {method: offset}, MAPS: {method: matrix}}, tried)


def _centred(data: ClassicalData) -> Floats:
    return np.asarray(data.profiles_train - data.profiles_train.mean(axis=0))


def _mixed(data: ClassicalData, weight: float) -> Floats:
    return weight * data.kernels[TANIMOTO] + (1 - weight) * data.kernels[GAUSSIAN]
