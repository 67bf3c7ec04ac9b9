"""The classical controls of one fold, from its preprocessed inputs."""

import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from dssl import keys
from dssl.pairs.levels import pool
from dssl.preprocessing.state import PreprocessingState
from dssl.settings.baselines import TrainBaselineSettings

if TYPE_CHECKING:
    from anndata import AnnData
    from mudata import MuData

    from dssl.baselines.data import ClassicalData
    from dssl.preprocessing.descriptors import DescriptorScaling

logger = logging.getLogger(__name__)
FINGERPRINTS = "fingerprints"  # uns: which of them the Tanimoto kernel is the mean of
LANDMARKS = "n_landmarks"  # uns: training compounds that the kernel regressions are made of
Blocks = Iterator[tuple[slice, NDArray[np.float64]]]


def fit_fold(
    features: "AnnData", inputs: "MuData", state: PreprocessingState, settings: TrainBaselineSettings
) -> tuple["AnnData", pd.DataFrame]:
    """Fit every control on a fold's training compounds, chosen on its validation compounds.

    Returns
    -------
    AnnData
        Molecules in the order of `inputs`; obsm[method] holds the molecules' vectors, and uns what
        `dssl.baselines.vectors.phenotype_vectors` needs for the profiles.
    DataFrame
        Validation scores of every trial.
    """
    from anndata import AnnData

    from dssl.baselines.classical import fit_controls

    data, fingerprints = classical_data(features, inputs, state, settings.max_landmarks)
    logger.info("kernel regressions: %d landmarks of %d training compounds", len(data.landmarks), len(data.train))
    controls = fit_controls(data, settings)
    molecules = inputs[keys.MOLECULE]
    described = {FINGERPRINTS: fingerprints, LANDMARKS: len(data.landmarks), **controls.uns}
    adata = AnnData(obs=molecules.obs.copy(), uns=described)
    for method, vectors in controls.molecules.items():
        adata.obsm[method] = vectors
    return adata, controls.tuning


def classical_data(
    features: "AnnData", inputs: "MuData", state: PreprocessingState, max_landmarks: int
) -> tuple["ClassicalData", list[str]]:
    """Kernels of all molecules with training ones, and mean profiles of training and validation compounds.

    Returns
    -------
    ClassicalData
    list of str
        The fingerprints whose Tanimoto kernels are averaged: all that the screen has.
    """
    from dssl.baselines.data import GAUSSIAN, TANIMOTO, ClassicalData
    from dssl.preprocessing.kernel_components import evenly_spaced

    molecules = inputs[keys.MOLECULE]
    features = features[molecules.obs_names]
    profiles, obs, train = _mean_profiles(inputs, keys.TRAIN)
    validation_profiles, validation_obs, validation = _mean_profiles(inputs, keys.VALIDATION)
    landmarks = train[evenly_spaced(len(train), max_landmarks)]
    shape, fingerprints = (len(molecules), len(landmarks)), _fingerprints(features)
    kernels = {}
    if fingerprints:
        kernels[TANIMOTO] = _joined(_tanimoto(features, landmarks), shape)
    if state.molecule.scaling.names:
        kernels[GAUSSIAN] = _joined(_gaussian(features, train, landmarks, state.molecule.scaling), shape)

    def similarities() -> Iterable[NDArray[np.float64]]:
        if len(landmarks) == len(train):
            return [kernels[TANIMOTO]]
        return (block for _, block in _tanimoto(features, train))

    data = ClassicalData(
        inputs=molecules.X,
        kernels=kernels,
        landmarks=landmarks,
        similarities=similarities,
        train=train,
        validation=validation,
        profiles_train=profiles,
        profiles_validation=validation_profiles,
        obs_train=obs,
        obs_validation=validation_obs,
        divisor=state.phenotype.divisor,
    )
    return data, fingerprints


def _mean_profiles(inputs: "MuData", role: str) -> tuple[NDArray[np.float32], pd.DataFrame, NDArray[np.int64]]:
    """Mean profiles of one role's compounds, their obs, and their rows among the molecules."""
    wells = inputs[keys.PHENOTYPE]
    of_role = (wells.obs[keys.SPLIT].astype(str) == role).to_numpy()
    profiles, obs = pool(wells.X[of_role], wells.obs[of_role], "compound")
    return profiles, obs, inputs[keys.MOLECULE].obs_names.get_indexer(obs.index).astype(np.int64)


def _fingerprints(features: "AnnData") -> list[str]:
    """Fingerprint of each of its columns, in their order."""
    from dssl.preprocessing.molecule import REAL_VALUED

    featurizers = features.var[keys.FEATURIZER].astype(str)
    return list(featurizers[~featurizers.isin(REAL_VALUED)].unique())


def _tanimoto(features: "AnnData", rows: NDArray[np.int64]) -> Blocks:
    """Mean over fingerprints of the Tanimoto kernel of all molecules with those of `rows`."""
    from dssl.preprocessing.kernel_components import kernel_blocks

    featurizers = features.var[keys.FEATURIZER].astype(str)
    is_count = featurizers.isin(_fingerprints(features)).to_numpy()
    counts, nothing = sparse.csr_matrix(features.X)[:, np.flatnonzero(is_count)], np.empty((features.n_obs, 0))
    return kernel_blocks((counts, nothing), (counts[rows], nothing[rows]), featurizers[is_count].tolist(), 1.0)


def _gaussian(
    features: "AnnData", train: NDArray[np.int64], landmarks: NDArray[np.int64], scaling: "DescriptorScaling"
) -> Blocks:
    """Gaussian kernel on descriptors of all molecules with the landmarks; its width is that of the training molecules."""
    from dssl.preprocessing.kernel_components import kernel_blocks, median_distance
    from dssl.preprocessing.molecule import scaled_descriptors

    values = sparse.csr_matrix(features.X)
    scaled, nothing = scaled_descriptors(scaling, values, list(features.var_names)), values[:, :0]
    return kernel_blocks((nothing, scaled), (nothing[landmarks], scaled[landmarks]), [], median_distance(scaled[train]))


def _joined(blocks: Blocks, shape: tuple[int, int]) -> NDArray[np.float64]:
    kernel = np.empty(shape)
    for rows, block in blocks:
        kernel[rows] = block
    return kernel
