"""The classical controls of one fold, from its preprocessed inputs."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from dssl import keys
from dssl.errors import ConfigError
from dssl.pairs.levels import mean_rows
from dssl.settings.learning import TrainBaselineSettings
from dssl.steps.arrays import compound_rows

if TYPE_CHECKING:
    from anndata import AnnData
    from mudata import MuData

    from dssl.baselines.classical import ClassicalInputs

FINGERPRINTS = (
    "morgan_count",
    "feature_morgan_count",
    "atom_pair_count",
    "topological_torsion_count",
    "morgan_bit",
    "maccs",
)


def predict_all(
    features: "AnnData", inputs: "MuData", settings: TrainBaselineSettings
) -> tuple["AnnData", pd.DataFrame]:
    """Predict the preprocessed profile of every molecule by every control.

    Returns
    -------
    AnnData
        Molecules in the order of `inputs`; obsm[method] holds the predicted profiles.
    DataFrame
        Validation scores of every ridge tried.
    """
    from anndata import AnnData

    from dssl.baselines.classical import fit_ridge_on_validation, nearest_neighbor, random_vectors

    train, known = _training_inputs(features, inputs)
    molecules = inputs[keys.MOLECULE]
    predicted: dict[str, NDArray[np.float64]] = {}
    tried = pd.DataFrame(columns=["method", "ridge", "score", "chosen"])
    if "random" in settings.methods:
        predicted["random"] = random_vectors(train, np.random.default_rng(settings.seed))
    if "nearest_neighbor" in settings.methods:
        predicted["nearest_neighbor"] = nearest_neighbor(train)
    if "kernel_ridge" in settings.methods:
        profiles, compound, _, names = compound_rows(inputs, keys.VALIDATION)
        rows = molecules.obs_names.get_indexer(names)
        choice = fit_ridge_on_validation(train, rows, mean_rows(profiles, compound, len(names)), settings.ridge)
        predicted["kernel_ridge"] = choice.vectors
        tried = choice.tried.assign(method="kernel_ridge")
    adata = AnnData(obs=molecules.obs.copy(), uns={"fingerprint": known})
    for method, vectors in predicted.items():
        adata.obsm[method] = vectors.astype(np.float32)
    return adata, tried


def _training_inputs(features: "AnnData", inputs: "MuData") -> tuple["ClassicalInputs", str]:
    from dssl.baselines.classical import ClassicalInputs
    from dssl.molecules.kernels import tanimoto_count_kernel

    present = set(features.var[keys.FEATURIZER].astype(str))
    block = next((name for name in FINGERPRINTS if name in present), None)
    if block is None:
        raise ConfigError(
            f"train_baseline: nearest neighbour and kernel ridge need a fingerprint; found {sorted(present)}\n"
            "Add morgan_count to featurize_molecules.featurizers."
        )
    profiles, compound, _, names = compound_rows(inputs, keys.TRAIN)
    ordered = features[inputs[keys.MOLECULE].obs_names, (features.var[keys.FEATURIZER] == block).to_numpy()]
    counts = sparse.csr_matrix(ordered.X)
    rows = ordered.obs_names.get_indexer(names)
    kernel = tanimoto_count_kernel(counts, counts[rows])
    return ClassicalInputs(kernel[rows], kernel, mean_rows(profiles, compound, len(names))), block
