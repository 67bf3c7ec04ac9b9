"""Refuses a split in which something of the validation or test compounds is in training."""

import logging

import numpy as np
import pandas as pd

from dssl import keys
from dssl.errors import LeakageError, first_few
from dssl.pairs.splits import BINDING_COLUMNS, present_values, require_column
from dssl.settings.preparation import PairAndSplitSettings

LOGGER = logging.getLogger(__name__)
ROLES = (keys.TRAIN, keys.VALIDATION, keys.TEST)


def check_no_leakage(folds: pd.DataFrame, molecules: pd.DataFrame, settings: PairAndSplitSettings) -> None:
    """Check that no fold separates what belongs together, and that every fold has what it needs.

    With split `column` the user's test folds are taken as they are: a skeleton that straddles them is logged as a
    warning; everything else is an error.

    Parameters
    ----------
    folds : DataFrame
        Index compound_id, a column `fold_<name>` per fold, values train, validation, test.
    molecules : DataFrame
        Index compound_id, with `skeleton`, `scaffold` and the group columns.
    settings : PairAndSplitSettings
        `split` and `group_columns` say what may not straddle.

    Raises
    ------
    LeakageError
        If a compound, skeleton, scaffold or value of a group column has more than one role in a fold, a compound is
        without role or not in exactly one test fold, or a fold has no training, validation or test compounds.
    """
    _check_same_compounds(folds, molecules)
    for column in folds.columns:
        _check_roles(folds[column], is_full=column == keys.fold_column(keys.FULL_FOLD))
        _check_straddling(folds[column], pd.Series(folds.index.astype(str), index=folds.index), "compound")
    folds = folds[~folds.index.duplicated()]
    _check_tested_once(folds)
    molecules = molecules.loc[folds.index]
    for column in folds.columns:
        for binding in BINDING_COLUMNS[settings.split]:
            if settings.split == "column":
                _warn_straddling(folds[column], molecules[binding], binding)
            else:
                _check_straddling(folds[column], molecules[binding], binding)
        for binding in settings.group_columns:
            _check_straddling(folds[column], require_column(molecules, binding, "group_columns"), binding)


def _straddling(roles: pd.Series, values: pd.Series) -> pd.Series:
    """Compounds (index) whose value occurs in more than one role, with that value."""
    kept = present_values(values.reset_index(drop=True))
    n_roles = roles.reset_index(drop=True).astype(object)[kept.index].groupby(kept).transform("nunique")
    positions = kept.index[n_roles > 1].to_numpy()
    return pd.Series(kept[positions].to_numpy(), index=roles.index[positions])


def _check_straddling(roles: pd.Series, values: pd.Series, what: str) -> None:
    found = _straddling(roles, values)
    if len(found):
        raise LeakageError(
            f"{roles.name}: {found.nunique()} values of {what} are on both sides of the split, first "
            f"{found.iloc[0]!r}\nIts compounds are among: {first_few(found[found == found.iloc[0]].index)}\n"
            f"Assign the folds again with pair_and_split; do not edit the fold columns by hand."
        )


def _warn_straddling(roles: pd.Series, values: pd.Series, what: str) -> None:
    found = _straddling(roles, values)
    if len(found):
        LOGGER.warning(
            "%s: %d values of %s are on both sides of the user's split; compounds: %s",
            roles.name,
            found.nunique(),
            what,
            first_few(found.index),
        )


def _check_same_compounds(folds: pd.DataFrame, molecules: pd.DataFrame) -> None:
    lost = molecules.index.difference(folds.index).append(folds.index.difference(molecules.index))
    if len(lost):
        raise LeakageError(
            f"folds and molecules must name the same compounds; {len(lost)} are in one of them only: "
            f"{first_few(lost)}\nRun pair_and_split again."
        )


def _check_roles(roles: pd.Series, is_full: bool) -> None:
    unknown = roles[~roles.isin(ROLES)]
    if len(unknown):
        raise LeakageError(
            f"{roles.name}: every compound must be one of {', '.join(ROLES)}; {len(unknown)} are not, first "
            f"{unknown.iloc[0]!r}: {first_few(unknown.index)}\nRun pair_and_split again."
        )
    needed = ROLES[:2] if is_full else ROLES
    absent = [role for role in needed if not (roles == role).any()]
    if absent:
        raise LeakageError(
            f"{roles.name}: no compound has the role {' or '.join(absent)}\n"
            "Every fold needs training, validation and test compounds; lower pair_and_split.n_folds."
        )
    if is_full and (roles == keys.TEST).any():
        raise LeakageError(
            f"{roles.name} is for hand-over and has no test compounds; found {int((roles == keys.TEST).sum())}: "
            f"{first_few(roles.index[roles == keys.TEST])}\nRun pair_and_split again."
        )


def _check_tested_once(folds: pd.DataFrame) -> None:
    tested = folds.drop(columns=keys.fold_column(keys.FULL_FOLD), errors="ignore")
    times = np.zeros(len(tested), dtype=np.int64)
    for column in tested.columns:
        times += (tested[column] == keys.TEST).to_numpy()
    wrong = tested.index[times != 1]
    if len(wrong):
        raise LeakageError(
            f"every compound must be in exactly one test fold; {len(wrong)} are in none or several: "
            f"{first_few(wrong)}\nRun pair_and_split again."
        )
