"""Refuses a split in which something of the validation or test compounds is in training."""

import logging

import pandas as pd

from dssl import keys
from dssl.errors import LeakageError, first_few
from dssl.pairs.splits import BINDING_COLUMNS, UNIT_COLUMNS, present_values, require_column
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
    _check_tested(folds, settings.n_repeats, "compound")
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


def _check_roles(roles: pd.Series, is_full: bool, what: str = "compound") -> None:
    unknown = roles[~roles.isin(ROLES)]
    if len(unknown):
        raise LeakageError(
            f"{roles.name}: every {what} must be one of {', '.join(ROLES)}; {len(unknown)} are not, first "
            f"{unknown.iloc[0]!r}: {first_few(unknown.index)}\nRun pair_and_split again."
        )
    needed = ROLES[:2] if is_full else ROLES
    absent = [role for role in needed if not (roles == role).any()]
    if absent:
        raise LeakageError(
            f"{roles.name}: no {what} has the role {' or '.join(absent)}\n"
            f"Every fold needs training, validation and test {what}s; lower pair_and_split.n_folds."
        )
    if is_full and (roles == keys.TEST).any():
        raise LeakageError(
            f"{roles.name} is for hand-over and has no test {what}s; found {int((roles == keys.TEST).sum())}: "
            f"{first_few(roles.index[roles == keys.TEST])}\nRun pair_and_split again."
        )


def _check_tested(folds: pd.DataFrame, n_repeats: int, what: str) -> None:
    tested = folds.drop(columns=keys.fold_column(keys.FULL_FOLD), errors="ignore")
    n_folds = len(tested.columns) // n_repeats
    for repeat in range(n_repeats):
        columns = tested.columns[repeat * n_folds : (repeat + 1) * n_folds]
        times = (tested[columns] == keys.TEST).sum(axis=1).to_numpy()
        wrong = tested.index[times != 1]
        if len(wrong):
            of_repeat = f" of repeat {repeat}" if n_repeats > 1 else ""
            raise LeakageError(
                f"every {what} must be in exactly one test fold{of_repeat}; {len(wrong)} are in none or several: "
                f"{first_few(wrong)}\nRun pair_and_split again."
            )


def check_wells(roles: pd.DataFrame, wells: pd.DataFrame, groups: pd.Series, settings: PairAndSplitSettings) -> None:
    """Check a split of wells: what `assign_wells` promises.

    Parameters
    ----------
    roles : DataFrame
        Index of the wells, a column `fold_<name>` per fold, values train, validation, test, left out.
    wells : DataFrame
        The wells, with compound_id and the column of the split.
    groups : Series
        Group of each compound, indexed by compound_id.

    Raises
    ------
    LeakageError
        If wells of one plate (batch, dose) are tested and trained on; if, with known_compounds: left_out, wells of one
        group of compounds have several roles; if a well is not tested exactly once in every repeat; if a fold has no
        training, validation or test wells.
    """
    _check_same_compounds(roles, wells)
    units = wells[UNIT_COLUMNS[settings.split]].astype(object)
    group = wells[keys.COMPOUND_ID].astype(object).map(groups)
    for column in roles.columns:
        is_full = column == keys.fold_column(keys.FULL_FOLD)
        used = roles[column][roles[column] != keys.LEFT_OUT]
        _check_roles(used, is_full, "well")
        if not is_full:
            # a unit of which some wells are left out is whole: the others have one role
            _check_straddling(_tested_or_not(used), units[used.index], settings.split)
        if is_full or settings.known_compounds == "left_out":
            _check_straddling(used, group[used.index], "group of compounds")
        else:
            _check_straddling(used, units[used.index], settings.split)
    _check_tested(roles, settings.n_repeats, "well")


def _tested_or_not(roles: pd.Series) -> pd.Series:
    return roles.where(roles == keys.TEST, "not tested")
