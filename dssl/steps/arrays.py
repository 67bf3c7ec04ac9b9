"""Arrays that several steps take out of the files, or put into them."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys

if TYPE_CHECKING:
    from anndata import AnnData
    from mudata import MuData

    from dssl.training.data import TrainingData

Floats = NDArray[np.float32]


def read_pairs(path: Path) -> "MuData":
    """Read a MuData of both modalities; what it needs is imported only when it is called."""
    from dssl.pairs.storage import read_pairs as read

    return read(path)


def write_pairs(path: Path, mdata: "MuData", stamp: dict[str, str]) -> None:
    """Write a MuData of both modalities, with `stamp` (where it came from) in `uns`."""
    from dssl.pairs.storage import write_pairs as write

    mdata.uns[keys.PROVENANCE] = stamp
    write(path, mdata)


def inputs_mudata(fold_pairs: "MuData", phenotype: Floats, molecule: Floats) -> "MuData":
    """Preprocessed inputs of a fold with the obs of its pairs (`dssl.pairs.rows.of_fold`)."""
    from anndata import AnnData

    from dssl.pairs.storage import as_mudata

    wells, molecules = fold_pairs[keys.PHENOTYPE].obs, fold_pairs[keys.MOLECULE].obs
    return as_mudata(
        AnnData(phenotype, obs=wells.copy(), var=numbered("component", phenotype.shape[1])),
        AnnData(molecule, obs=molecules.copy(), var=numbered("input", molecule.shape[1])),
    )


def features_of(pairs: "MuData", inputs: "MuData") -> "AnnData":
    """Molecular features in the rows of a fold's inputs, where a compound may occur once for each of its roles."""
    return features_in_rows(pairs[keys.MOLECULE], inputs[keys.MOLECULE].obs)


def features_in_rows(features: "AnnData", obs: pd.DataFrame) -> "AnnData":
    """Molecular features of the compounds that the rows of `obs` stand for."""
    from anndata import AnnData

    ids = obs.get(keys.ORIGINAL_ID, obs.index.to_series()).astype(str)
    return AnnData(features.X[features.obs_names.get_indexer(pd.Index(ids))], obs=obs[[]].copy(), var=features.var)


def numbered(name: str, n: int) -> pd.DataFrame:
    """A var of n rows "<name>_1", "<name>_2", ..."""
    return pd.DataFrame(index=pd.Index([f"{name}_{number}" for number in range(1, n + 1)], dtype=object))


def compound_rows(inputs: "MuData", role: str) -> tuple[Floats, NDArray[np.int64], Floats, list[str]]:
    """Profiles, each profile's compound (row of the molecules), molecules and compound ids of one role."""
    wells, molecules = inputs[keys.PHENOTYPE], inputs[keys.MOLECULE]
    chosen = (molecules.obs[keys.SPLIT].astype(str) == role).to_numpy()
    names = molecules.obs_names[chosen]
    of_role = (wells.obs[keys.SPLIT].astype(str) == role).to_numpy()
    compound = names.get_indexer(wells.obs[keys.COMPOUND_ID].astype(str)[of_role])
    return wells.X[of_role], compound.astype(np.int64), molecules.X[chosen], list(names)


def training_data(inputs: "MuData", role: str) -> "TrainingData":
    """Tensors of the compounds of one role."""
    from dssl.training.data import TrainingData

    phenotype, compound, molecule, _ = compound_rows(inputs, role)
    return TrainingData.from_arrays(phenotype, compound, molecule)
