"""Fold columns of paired data."""

import logging

import pandas as pd
from mudata import MuData

from dssl import keys
from dssl.pairs.leakage import check_no_leakage, check_wells
from dssl.pairs.pairing import Pairs
from dssl.pairs.splits import UNIT_COLUMNS, assign_folds, require_column
from dssl.pairs.storage import as_mudata, storable
from dssl.pairs.units import assign_wells, roles_of_compounds
from dssl.settings.preparation import PairAndSplitSettings

LOGGER = logging.getLogger(__name__)


def add_folds(pairs: Pairs, settings: PairAndSplitSettings) -> Pairs:
    """Add roles in every fold to the molecules' obs, and where wells are split to the wells', after checking for leaks.

    Raises
    ------
    PairingError, ConfigError
        If the folds cannot be assigned (`assign_folds`, `assign_wells`).
    LeakageError
        If what belongs together was separated (`check_no_leakage`, `check_wells`).
    """
    molecule, phenotype = pairs.mdata[keys.MOLECULE].copy(), pairs.mdata[keys.PHENOTYPE].copy()
    groups = molecule.obs[keys.GROUP].astype(object)
    if settings.split in UNIT_COLUMNS:
        roles = assign_wells(phenotype.obs, groups, settings)
        check_wells(roles, phenotype.obs, groups, settings)
        _log_left_out(roles)
        phenotype.obs = _with(phenotype.obs, roles)
        folds = roles_of_compounds(phenotype.obs, roles, molecule.obs_names)
    else:
        user_folds = None
        if settings.fold_column is not None:
            user_folds = require_column(molecule.obs, settings.fold_column, "fold_column")
        folds = assign_folds(groups, settings, user_folds)
        check_no_leakage(folds, molecule.obs, settings)
    molecule.obs = _with(molecule.obs, folds)
    return Pairs(as_mudata(phenotype, molecule), pairs.excluded_wells, pairs.excluded_compounds)


def _with(obs: pd.DataFrame, folds: pd.DataFrame) -> pd.DataFrame:
    return storable(obs.drop(columns=folds.columns, errors="ignore").join(folds))


def _log_left_out(roles: pd.DataFrame) -> None:
    for fold in roles:
        n_left_out = int((roles[fold] == keys.LEFT_OUT).sum())
        if n_left_out:
            LOGGER.info(
                "%s: %d of %d wells have no part in it: their compounds are tested", fold, n_left_out, len(roles)
            )


def roles_of_wells(mdata: MuData) -> pd.DataFrame:
    """Plate, well and compound of every well, and its role in every fold (its compound's, unless wells are split)."""
    wells, molecules = mdata[keys.PHENOTYPE].obs, mdata[keys.MOLECULE].obs
    columns = [name for name in molecules if name.startswith(keys.fold_column(""))]
    shown = wells[[keys.PLATE, keys.WELL, keys.COMPOUND_ID]].astype(str).reset_index(drop=True)
    source = wells if set(columns) <= set(wells) else molecules.loc[shown[keys.COMPOUND_ID]]
    listed: pd.DataFrame = pd.concat([shown, source[columns].astype(str).reset_index(drop=True)], axis=1)
    return listed
