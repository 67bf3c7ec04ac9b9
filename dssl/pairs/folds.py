"""Fold columns of paired data."""

from dssl import keys
from dssl.pairs.leakage import check_no_leakage
from dssl.pairs.pairing import Pairs
from dssl.pairs.splits import assign_folds, require_column
from dssl.pairs.storage import as_mudata, storable
from dssl.settings.preparation import PairAndSplitSettings


def add_folds(pairs: Pairs, settings: PairAndSplitSettings) -> Pairs:
    """Add each compound's role in every fold to the molecules' obs, after checking that nothing leaks.

    Raises
    ------
    PairingError, ConfigError
        If the folds cannot be assigned (`assign_folds`).
    LeakageError
        If what belongs together was separated (`check_no_leakage`).
    """
    molecule = pairs.mdata[keys.MOLECULE].copy()
    user_folds = None
    if settings.fold_column is not None:
        user_folds = require_column(molecule.obs, settings.fold_column, "fold_column")
    folds = assign_folds(molecule.obs[keys.GROUP].astype(object), settings, user_folds)
    check_no_leakage(folds, molecule.obs, settings)
    molecule.obs = storable(molecule.obs.drop(columns=folds.columns, errors="ignore").join(folds))
    mdata = as_mudata(pairs.mdata[keys.PHENOTYPE].copy(), molecule)
    return Pairs(mdata, pairs.excluded_wells, pairs.excluded_compounds)
