"""Splits that hold out wells: whole plates, batches or doses."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.errors import PairingError, first_few
from dssl.pairs.levels import SEPARATOR
from dssl.pairs.splits import UNIT_COLUMNS, balanced_folds, validation_groups
from dssl.settings.preparation import PairAndSplitSettings

LEFT_OUT, QUERIED = "left_out", "queried"


def units_of(wells: pd.DataFrame, settings: PairAndSplitSettings) -> pd.Series:
    """Plate, batch or dose of every well, as text.

    Raises
    ------
    PairingError
        If a well has none.
    """
    column = wells[UNIT_COLUMNS[settings.split]]
    missing = wells.index[column.isna() | (column.astype(str) == "")]
    if len(missing):
        raise PairingError(
            f"pair_and_split.split {settings.split}: every well needs a {settings.split}; {len(missing)} of "
            f"{len(wells)} have none: {first_few(missing)}\nName its column in plates.columns, or choose another split."
        )
    return column.astype(object).map(lambda one: f"{one:g}" if isinstance(one, float) else str(one))


def assign_wells(wells: pd.DataFrame, groups: pd.Series, settings: PairAndSplitSettings) -> pd.DataFrame:
    """Give every well its role in every fold of a split by plate, batch or dose.

    The units (plates, batches or doses) are spread over the test folds like the groups of `assign_folds`, balanced by
    wells. Where a compound has wells on both sides, `known_compounds` decides. left_out: the compounds of tested wells,
    and all of their groups, are not trained on, and their other wells have no part in the fold; whole groups of the
    other compounds validate. queried: all other wells train or, in whole units, validate, so that the queried
    compounds may be known. Fold `full` splits by groups of compounds in either case.

    Parameters
    ----------
    wells : DataFrame
        One row per well, with compound_id and the column of the split.
    groups : Series
        Group of each compound, indexed by compound_id.
    settings : PairAndSplitSettings
        `split`, `known_compounds`, `n_folds`, `n_repeats`, `validation_fraction`, `refit` and `seed` are used.

    Returns
    -------
    DataFrame
        Index of `wells`; columns as of `assign_folds`; values train, validation, test and left out.

    Raises
    ------
    PairingError
        If there are fewer units than folds, a fold would have no training or validation wells, or a well has no unit.
    """
    units = units_of(wells, settings)
    if units.nunique() < settings.n_folds:
        raise PairingError(
            f"pair_and_split.n_folds is {settings.n_folds}, but the wells have {units.nunique()} values of "
            f"{settings.split}: {first_few(units.unique())}\nLower pair_and_split.n_folds, or choose another split."
        )
    group = wells[keys.COMPOUND_ID].astype(object).map(groups.astype(object))
    roles = {}
    for repeat in range(settings.n_repeats):
        tested_in = balanced_folds(units, settings, repeat)
        for place in range(settings.n_folds):
            fold, tested = repeat * settings.n_folds + place, (tested_in == place).to_numpy()
            roles[keys.fold_column(str(fold))] = _roles(units, group, tested, settings, fold)
    if settings.refit:
        nothing = np.zeros(len(wells), dtype=bool)
        roles[keys.fold_column(keys.FULL_FOLD)] = _validated(group, nothing, nothing, settings, len(roles))
    return pd.DataFrame(roles, index=wells.index)


def _roles(
    units: pd.Series, group: pd.Series, tested: NDArray[np.bool_], settings: PairAndSplitSettings, fold: int
) -> NDArray[np.object_]:
    if settings.known_compounds == QUERIED:
        return _validated(units, tested, np.zeros_like(tested), settings, fold)
    unused = group.isin(set(group[tested])).to_numpy() & ~tested
    return _validated(group, tested, unused, settings, fold)


def _validated(
    bound: pd.Series,
    tested: NDArray[np.bool_],
    unused: NDArray[np.bool_],
    settings: PairAndSplitSettings,
    fold: int,
) -> NDArray[np.object_]:
    """Roles of wells of which some are tested and some unused; of the others whole values of `bound` validate."""
    outside = bound[~tested & ~unused]
    if outside.nunique() < 2:
        what = settings.split if settings.known_compounds == QUERIED else "group of compounds"
        raise PairingError(
            f"fold {fold} of split {settings.split}: outside its {int(tested.sum())} test wells there are "
            f"{outside.nunique()} of the kind: {what}; training and validation need one each\n"
            + (
                "Lower pair_and_split.n_folds, or choose another split."
                if settings.known_compounds == QUERIED
                else "Set pair_and_split.known_compounds: queried (known compounds are then queried), or another split."
            )
        )
    roles = np.full(len(bound), keys.TRAIN, dtype=object)
    roles[bound.isin(validation_groups(outside, settings, fold)).to_numpy()] = keys.VALIDATION
    roles[unused], roles[tested] = keys.LEFT_OUT, keys.TEST
    return roles


def roles_of_compounds(wells: pd.DataFrame, roles: pd.DataFrame, compounds: pd.Index) -> pd.DataFrame:
    """Roles that the wells of each compound have, joined by "|", in the order train, validation, test, left out."""
    order = {role: place for place, role in enumerate((keys.TRAIN, keys.VALIDATION, keys.TEST, keys.LEFT_OUT))}
    by_compound = roles.groupby(wells[keys.COMPOUND_ID].astype(object).to_numpy())

    def join(values: pd.Series) -> str:
        return SEPARATOR.join(sorted(set(values), key=lambda role: order[role]))

    joined: pd.DataFrame = by_compound.agg(join)
    return joined.reindex(compounds)
