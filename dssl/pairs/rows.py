"""Rows of paired data by their role in a fold, and the pairs of one fold."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from numpy.typing import NDArray

from dssl import keys
from dssl.errors import PairingError
from dssl.pairs.levels import SEPARATOR
from dssl.pairs.storage import as_mudata, storable

ROLES = (keys.TRAIN, keys.VALIDATION, keys.TEST)


@dataclass(frozen=True)
class RowMasks:
    """Boolean masks over the wells and over the compounds of a paired MuData."""

    phenotype: NDArray[np.bool_]
    molecule: NDArray[np.bool_]


def rows_of(mdata: MuData, fold: str, role: str) -> RowMasks:
    """Mark the wells that have `role` in `fold`, and the compounds that have such wells.

    Parameters
    ----------
    mdata : MuData
        Pairs with fold columns (`add_folds`): of the molecules, whose wells have the same role, or of the wells too.
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
    has_role = np.array([role in str(roles).split(SEPARATOR) for roles in molecules[column]], dtype=bool)
    wells = mdata[keys.PHENOTYPE].obs
    if column in wells.columns:
        chosen = (wells[column].astype(object) == role).to_numpy(dtype=bool)
    else:
        chosen = wells[keys.COMPOUND_ID].astype(object).isin(molecules.index[has_role]).to_numpy(dtype=bool)
    return RowMasks(phenotype=chosen, molecule=has_role)


def training_rows(mdata: MuData, fold: str) -> RowMasks:
    """Mark the rows that anything fitted for `fold` may see."""
    return rows_of(mdata, fold, keys.TRAIN)


def rows_of_role(fold_pairs: MuData, role: str) -> RowMasks:
    """Mark the rows of a role in the pairs of one fold (`of_fold`)."""
    wells, molecules = ((fold_pairs[name].obs[keys.SPLIT].astype(str) == role).to_numpy() for name in keys.MODALITIES)
    return RowMasks(wells, molecules)


def of_fold(mdata: MuData, fold: str) -> MuData:
    """The pairs as one fold has them: every row with its role in obs["split"], and without the fold columns.

    Where wells are split (plate, batch, dose), wells without part in the fold are left out, and a compound whose
    wells have several roles occurs once for each: the second and third as "<compound_id> (<role>)", so that no profile
    is pooled over a split. obs["original_id"] of the molecules then holds the compound_id.

    Raises
    ------
    PairingError
        If there is no such fold.
    """
    wells, molecules = mdata[keys.PHENOTYPE], mdata[keys.MOLECULE]
    masks = {role: rows_of(mdata, fold, role) for role in ROLES}
    well_roles = np.select([masks[role].phenotype for role in ROLES], ROLES, keys.LEFT_OUT)
    if keys.fold_column(fold) not in wells.obs:
        roles = np.select([masks[role].molecule for role in ROLES], ROLES, keys.LEFT_OUT)
        return as_mudata(_with_role(wells, well_roles), _with_role(molecules, roles))
    names = _names_by_role({role: molecules.obs_names[masks[role].molecule] for role in ROLES})
    parts = [_under_names(molecules, names[role], role) for role in ROLES]
    used = well_roles != keys.LEFT_OUT
    return as_mudata(_renamed(wells[used], well_roles[used], names), _stacked(parts))


def _names_by_role(ids: dict[str, pd.Index]) -> dict[str, dict[str, str]]:
    """Name of every compound in each of its roles: its own in the first, with the role after it in the others."""
    names: dict[str, dict[str, str]] = {}
    for role, of_role in ids.items():
        taken = {one for earlier in names.values() for one in earlier}
        names[role] = {one: f"{one} ({role})" if one in taken else one for one in of_role}
    return names


def _under_names(molecules: AnnData, names: dict[str, str], role: str) -> AnnData:
    part = molecules[list(names)].copy()
    part.obs[keys.ORIGINAL_ID] = list(names)
    part.obs_names = list(names.values())
    return _with_role(part, np.full(part.n_obs, role))


def _renamed(wells: AnnData, roles: NDArray[np.str_], names: dict[str, dict[str, str]]) -> AnnData:
    """Wells with the names that their compounds and treatments have in their roles."""
    renamed = wells.copy()
    ids, treatments = (renamed.obs[column].astype(str) for column in (keys.COMPOUND_ID, keys.TREATMENT))
    renamed.obs[keys.COMPOUND_ID] = [names[role][one] for role, one in zip(roles, ids, strict=True)]
    doses = [text.removeprefix(one) for text, one in zip(treatments, ids, strict=True)]
    renamed.obs[keys.TREATMENT] = [a + b for a, b in zip(renamed.obs[keys.COMPOUND_ID], doses, strict=True)]
    return _with_role(renamed, roles)


def _with_role(adata: AnnData, roles: NDArray[np.str_]) -> AnnData:
    obs = adata.obs.drop(columns=[name for name in adata.obs if name.startswith(keys.fold_column(""))])
    return AnnData(adata.X, obs=storable(obs.assign(**{keys.SPLIT: roles})), var=adata.var)


def _stacked(parts: list[AnnData]) -> AnnData:
    from scipy import sparse

    obs = pd.concat([part.obs.astype(object) for part in parts])
    return AnnData(sparse.vstack([part.X for part in parts], format="csr"), obs=storable(obs), var=parts[0].var)
