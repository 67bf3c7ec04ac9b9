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
    parts: list[AnnData] = []
    names: dict[str, dict[str, str]] = {}
    for role in ROLES:
        places = np.flatnonzero(masks[role].molecule)
        ids = molecules.obs_names[places]
        names[role] = {
            one: f"{one} ({role})" if any(one in earlier for earlier in names.values()) else one for one in ids
        }
        part = molecules[places].copy()
        part.obs[keys.ORIGINAL_ID] = ids.to_numpy()
        part.obs_names = [names[role][one] for one in ids]
        parts.append(_with_role(part, np.full(len(places), role)))
    used = well_roles != keys.LEFT_OUT
    treated = wells[used].copy()
    renamed = [names[role][one] for role, one in zip(well_roles[used], treated.obs[keys.COMPOUND_ID], strict=True)]
    dose = treated.obs[keys.TREATMENT].astype(str).to_numpy()
    doses = [text.removeprefix(str(one)) for text, one in zip(dose, treated.obs[keys.COMPOUND_ID], strict=True)]
    treated.obs[keys.TREATMENT] = [name + text for name, text in zip(renamed, doses, strict=True)]
    treated.obs[keys.COMPOUND_ID] = renamed
    return as_mudata(_with_role(treated, well_roles[used]), _stacked(parts))


def _with_role(adata: AnnData, roles: NDArray[np.str_]) -> AnnData:
    obs = adata.obs.drop(columns=[name for name in adata.obs if name.startswith(keys.fold_column(""))])
    return AnnData(adata.X, obs=storable(obs.assign(**{keys.SPLIT: roles})), var=adata.var)


def _stacked(parts: list[AnnData]) -> AnnData:
    from scipy import sparse

    obs = pd.concat([part.obs.astype(object) for part in parts])
    return AnnData(sparse.vstack([part.X for part in parts], format="csr"), obs=storable(obs), var=parts[0].var)
