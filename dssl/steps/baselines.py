"""The classical controls of one fold, from its preprocessed inputs."""

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

FINGERPRINTS = "fingerprints"  # uns: which of them the Tanimoto kernel is the mean of


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

    data, fingerprints = classical_data(features, inputs, state)
    controls = fit_controls(data, settings)
    molecules = inputs[keys.MOLECULE]
    adata = AnnData(obs=molecules.obs.copy(), uns={FINGERPRINTS: fingerprints, **controls.uns})
    for method, vectors in controls.molecules.items():
        adata.obsm[method] = vectors
    return adata, controls.tuning


def classical_data(
    features: "AnnData", inputs: "MuData", state: PreprocessingState
) -> tuple["ClassicalData", list[str]]:
    """Kernels of all molecules with the training ones, and mean profiles of training and validation compounds.

    Returns
    -------
    ClassicalData
    list of str
        The fingerprints whose Tanimoto kernels are averaged: all that the screen has.
    """
    from dssl.baselines.data import ClassicalData

    molecules = inputs[keys.MOLECULE]
    profiles, obs, train = _mean_profiles(inputs, keys.TRAIN)
    validation_profiles, validation_obs, validation = _mean_profiles(inputs, keys.VALIDATION)
    kernels, fingerprints = _kernels(features[molecules.obs_names], train, state)
    data = ClassicalData(
        inputs=molecules.X,
        kernels=kernels,
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


def _kernels(
    features: "AnnData", train: NDArray[np.int64], state: PreprocessingState
) -> tuple[dict[str, NDArray[np.float64]], list[str]]:
    from dssl.baselines.data import GAUSSIAN, TANIMOTO
    from dssl.molecules.kernels import gaussian_kernel
    from dssl.preprocessing.kernel_components import averaged_kernel, median_distance
    from dssl.preprocessing.molecule import REAL_VALUED, scaled_descriptors

    featurizers = features.var[keys.FEATURIZER].astype(str).to_numpy()
    values = sparse.csr_matrix(features.X)
    kernels = {}
    is_count = ~np.isin(featurizers, REAL_VALUED)
    if is_count.any():
        counts, nothing = values[:, np.flatnonzero(is_count)], np.empty((features.n_obs, 0))
        blocks = featurizers[is_count].tolist()
        kernels[TANIMOTO] = averaged_kernel((counts, nothing), (counts[train], nothing), blocks, length_scale=1.0)
    if state.molecule.scaling.names:
        scaled = scaled_descriptors(state.molecule.scaling, values, list(features.var_names))
        kernels[GAUSSIAN] = gaussian_kernel(scaled, scaled[train], median_distance(scaled[train]))
    return kernels, list(dict.fromkeys(featurizers[is_count].tolist()))
