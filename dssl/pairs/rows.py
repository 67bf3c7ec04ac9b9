"""Rows of paired data by their role in a fold."""

from dataclasses import dataclass

import numpy as np
from mudata import MuData
from numpy.typing import NDArray

from dssl import keys
from dssl.errors import PairingError


@dataclass(frozen=True)
class RowMasks:
    """Boolean masks over the wells and over the compounds of a paired MuData."""

    phenotype: NDArray[np.bool_]
    molecule: NDArray[np.bool_]


def rows_of(mdata: MuData, fold: str, role: str) -> RowMasks:
    """Mark the compounds that have `role` in `fold`, and their wells.

    Parameters
    ----------
    mdata : MuData
        Pairs with fold columns (`add_folds`).
    fold : str
        "0", "1", ... or "full".
    role : str
        "train", "validation" or "test".

    Raises
    ------
    PairingError
        If there is no such fold.
    """
    molecules, column = mdata[keys.MOLECULE].obs, keys.fold_column(fold)
    if column not in molecules.columns:
        found = [name for name in molecules.columns if name.startswith(keys.fold_column(""))]
        raise PairingError(f"there is no fold {fold!r}; found the columns {', '.join(found) or 'of no fold'}")
    has_role = (molecules[column].astype(object) == role).to_numpy(dtype=bool)
    chosen = molecules.index[has_role]
    wells = mdata[keys.PHENOTYPE].obs[keys.COMPOUND_ID].astype(object).isin(chosen).to_numpy(dtype=bool)
    return RowMasks(phenotype=wells, molecule=has_role)


def training_rows(mdata: MuData, fold: str) -> RowMasks:
    """Mark the rows that anything fitted for `fold` may see."""
    return rows_of(mdata, fold, keys.TRAIN)
