"""Groups of compounds that must stay together, and their assignment to folds."""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dssl import keys
from dssl.errors import ConfigError, PairingError, first_few
from dssl.settings.preparation import PairAndSplitSettings

# splits that hold out wells, and the column of the wells whose values no fold separates
UNIT_COLUMNS = {"plate": keys.PLATE, "batch": keys.BATCH, "dose": keys.DOSE_UM}
BINDING_COLUMNS = {
    "random": (),
    "skeleton": (keys.SKELETON,),
    "scaffold": (keys.SKELETON, keys.SCAFFOLD),
    "cluster": (keys.SKELETON, keys.CLUSTER),
    "column": (keys.SKELETON,),
    # the compounds of held-out wells are left out of training by skeleton, unless they are to be known
    **dict.fromkeys(UNIT_COLUMNS, (keys.SKELETON,)),
}


def present_values(column: pd.Series) -> pd.Series:
    """Give a column as text, without the rows where it is missing or empty (an empty value binds nothing together)."""
    present = column.astype(object).dropna().map(str)
    return present[present != ""]


def require_column(molecules: pd.DataFrame, column: str, key: str) -> pd.Series:
    """Give a column of the molecules, or say which settings key names one that is not there.

    Raises
    ------
    ConfigError
        If `molecules` has no such column.
    """
    if column not in molecules.columns:
        raise ConfigError(
            f"pair_and_split.{key}: the molecules have no column {column!r}; they have "
            f"{first_few(map(repr, molecules.columns), 12)}\nCorrect the name, or add the column to molecules.keep."
        )
    return molecules[column]


def assign_groups(molecules: pd.DataFrame, settings: PairAndSplitSettings) -> pd.Series:
    """Find the groups of compounds that no split may separate.

    Groups are the connected components of the graph that joins two compounds when they agree in a binding column:
    the skeleton (every split but `random`), the scaffold (split `scaffold`), the similarity cluster (split `cluster`)
    and each of `group_columns`. Missing and empty values bind nothing, so each acyclic skeleton (empty scaffold) is a
    group of its own.

    Parameters
    ----------
    molecules : DataFrame
        One row per compound, indexed by compound_id, with `skeleton`, `scaffold`, with split `cluster` also `cluster`,
        and the group columns.
    settings : PairAndSplitSettings
        `split` and `group_columns` are used.

    Returns
    -------
    Series
        Per compound, its group: the group's smallest compound_id (it does not depend on the order of the rows).

    Raises
    ------
    ConfigError
        If one of `group_columns` does not exist.
    """
    columns = [molecules[column] for column in BINDING_COLUMNS[settings.split]]
    columns += [require_column(molecules, column, "group_columns") for column in settings.group_columns]
    position = pd.Series(np.arange(len(molecules)), index=molecules.index)
    rows, linked = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for column in columns:
        values = present_values(column)
        members = position[values.index]
        rows.append(members.to_numpy())
        linked.append(members.groupby(values.to_numpy()).transform("first").to_numpy())
    start, end = np.concatenate(rows), np.concatenate(linked)
    graph = coo_array((np.ones(len(start), np.int8), (start, end)), shape=(len(molecules), len(molecules)))
    _, component = connected_components(graph, directed=False)
    ids = pd.Series(molecules.index.astype(str), index=molecules.index)
    return ids.groupby(component).transform("min").rename(keys.GROUP)


def require_enough_groups(groups: pd.Series, settings: PairAndSplitSettings) -> None:
    """Refuse a split with fewer than two groups per test fold.

    Raises
    ------
    PairingError
        If there are fewer than 2 * n_folds groups.
    """
    n_groups, needed = groups.nunique(), 2 * settings.n_folds
    if n_groups < needed:
        raise PairingError(
            f"{settings.n_folds} folds need at least {needed} groups of compounds; "
            f"{len(groups)} paired compounds form {n_groups} (split: {settings.split})\n"
            "Lower pair_and_split.n_folds, choose a finer pair_and_split.split, or pair more compounds."
        )


def assign_folds(
    groups: pd.Series, settings: PairAndSplitSettings, user_folds: pd.Series | None = None
) -> pd.DataFrame:
    """Give every compound its role in every fold.

    The groups, shuffled by the seed and taken from the largest to the smallest, go to the test fold that has the
    fewest compounds so far; every compound is in exactly one test fold of every repeat. With split `column` the test
    folds are the user's values, in sorted order. Whole groups of the others, about `validation_fraction` of them,
    validate.

    Parameters
    ----------
    groups : Series
        Group of each compound, indexed by compound_id (`assign_groups`).
    settings : PairAndSplitSettings
        `n_folds`, `n_repeats`, `validation_fraction`, `refit`, `seed`, `split` are used.
    user_folds : Series, optional
        With split `column` only: the user's fold of each compound, same index.

    Returns
    -------
    DataFrame
        Index compound_id; columns `fold_0` ..., of which the first `n_folds` are the first repeat and so on, and, with
        `refit`, `fold_full` (no test compounds); values train, validation and test.

    Raises
    ------
    PairingError
        If there are too few groups, or a user's fold is missing.
    ConfigError
        If the number of the user's folds is not `n_folds`.
    """
    require_enough_groups(groups, settings)
    if (settings.split == "column") != (user_folds is not None):
        raise ConfigError("pair_and_split.split: the user's folds are needed with split: column, and only with it")
    folds = {}
    for repeat in range(settings.n_repeats):
        tested_in = (
            balanced_folds(groups, settings, repeat) if user_folds is None else _folds_of_user(user_folds, settings)
        )
        for place in range(settings.n_folds):
            fold = repeat * settings.n_folds + place
            outside = groups[(tested_in != place).to_numpy()]
            folds[keys.fold_column(str(fold))] = _roles(groups, outside, settings, fold)
    if settings.refit:
        folds[keys.fold_column(keys.FULL_FOLD)] = _roles(groups, groups, settings, len(folds))
    return pd.DataFrame(folds, index=groups.index)


def _shuffled_sizes(groups: pd.Series, *seed: int) -> pd.Series:
    """Rows per group, in an order that depends on the seed but not on the order of the rows."""
    sizes = groups.value_counts().sort_index()
    return sizes.iloc[np.random.default_rng(seed).permutation(len(sizes))]


def balanced_folds(groups: pd.Series, settings: PairAndSplitSettings, repeat: int = 0) -> pd.Series:
    """Test fold 0 .. n_folds - 1 of every row, whole groups at a time, with about as many rows in each fold."""
    # no other draw has a second seed of 0 and a third: validation has the number of its fold, counted from 1
    seed = (settings.seed, 0, repeat) if repeat else (settings.seed,)
    # largest first: the last, small groups even out what the large ones left (longest-processing-time rule)
    sizes = _shuffled_sizes(groups, *seed).sort_values(ascending=False, kind="stable")
    filled = np.zeros(settings.n_folds, dtype=np.int64)
    fold_of_group: dict[str, int] = {}
    for group, size in zip(sizes.index, sizes.to_numpy(), strict=True):
        fold = int(filled.argmin())
        fold_of_group[str(group)] = fold
        filled[fold] += size
    return groups.map(fold_of_group)


def _folds_of_user(user_folds: pd.Series, settings: PairAndSplitSettings) -> pd.Series:
    missing = user_folds.index.difference(present_values(user_folds).index, sort=False)
    if len(missing):
        raise PairingError(
            f"pair_and_split.fold_column {settings.fold_column!r} is empty for {len(missing)} compounds: "
            f"{first_few(missing)}\nGive every compound a fold in the table of molecules."
        )
    values = user_folds.astype(object)
    numbers = pd.to_numeric(values, errors="coerce")
    values = values.map(str) if numbers.isna().any() else numbers
    names = sorted(values.unique())
    if len(names) != settings.n_folds:
        raise ConfigError(
            f"pair_and_split.n_folds is {settings.n_folds}, but column {settings.fold_column!r} has {len(names)} "
            f"distinct values: {first_few(names)}\nSet pair_and_split.n_folds: {len(names)}, or correct the column."
        )
    return values.map({name: position for position, name in enumerate(names)})


def _roles(groups: pd.Series, outside: pd.Series, settings: PairAndSplitSettings, fold: int) -> pd.Series:
    """Roles in one fold, of which `outside` are the compounds that are not tested."""
    if outside.nunique() < 2:
        raise PairingError(
            f"fold {fold}: outside its test compounds there are {outside.nunique()} groups; training and validation "
            f"need one each\nOne group is too large: choose a finer pair_and_split.split or other group_columns."
        )
    chosen = validation_groups(outside, settings, fold)
    roles = pd.Series(keys.TEST, index=groups.index)
    roles[outside.index] = np.where(outside.isin(chosen), keys.VALIDATION, keys.TRAIN)
    return roles


def validation_groups(outside: pd.Series, settings: PairAndSplitSettings, fold: int) -> list[str]:
    """Whole groups, each taken if it brings the number of rows nearer to the wanted share.

    As that share is below one half, the last group never does: training always keeps one.
    """
    sizes = _shuffled_sizes(outside, settings.seed, fold + 1)
    wanted = settings.validation_fraction * len(outside)
    chosen, count = [], 0
    for group, size in zip(sizes.index, sizes.to_numpy(), strict=True):
        if abs(count + size - wanted) < abs(count - wanted):
            chosen.append(str(group))
            count += int(size)
    return chosen or [str(sizes.idxmin())]
