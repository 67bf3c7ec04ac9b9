"""Compounds of two assays as rows of three modalities, of which each may lack some, and their folds."""

import logging

import pandas as pd

from dssl import keys
from dssl.errors import PairingError
from dssl.pairs.splits import assign_folds, assign_groups
from dssl.settings.preparation import PairAndSplitSettings

LOGGER = logging.getLogger(__name__)


def all_compounds(molecules: pd.DataFrame, second_molecules: pd.DataFrame) -> pd.DataFrame:
    """The compounds of the first assay, and after them those whose skeleton only the second has.

    Parameters
    ----------
    molecules, second_molecules : DataFrame
        compound_id, skeleton and further columns of either assay's molecules. Stereoisomers of the second assay are
        one compound, the first of them, as they are where the first assay has them too (`second_profiles`).

    Returns
    -------
    DataFrame
        A compound of the second assay whose id the first uses for another one is called "<id> (second assay)".
    """
    is_new = ~second_molecules[keys.SKELETON].isin(molecules[keys.SKELETON])
    new = second_molecules[is_new].drop_duplicates(keys.SKELETON)
    ids = new[keys.COMPOUND_ID].astype(str)
    taken = ids.isin(molecules[keys.COMPOUND_ID].astype(str))
    new = new.assign(**{keys.COMPOUND_ID: ids.where(~taken, ids + " (second assay)")})
    joined: pd.DataFrame = pd.concat([molecules, new], ignore_index=True)
    # what only one of the assays says of its compounds is missing of the other's
    text = joined.select_dtypes("object").columns
    return joined.fillna(dict.fromkeys(text, ""))


def ids_in_first(aliases: pd.DataFrame, second_molecules: pd.DataFrame, molecules: pd.DataFrame) -> pd.DataFrame:
    """Ids that the second assay's tables use, and the compound of the first assay that has their skeleton.

    Parameters
    ----------
    aliases : DataFrame
        input_id and compound_id of the second assay.
    second_molecules, molecules : DataFrame
        compound_id and skeleton of either assay.

    Returns
    -------
    DataFrame
        input_id, compound_id (the first of several stereoisomers); ids of other compounds are left out.
    """
    skeletons = second_molecules.set_index(keys.COMPOUND_ID)[keys.SKELETON]
    first = molecules.drop_duplicates(keys.SKELETON).set_index(keys.SKELETON)[keys.COMPOUND_ID]
    compound = aliases[keys.COMPOUND_ID].map(skeletons).map(first)
    return aliases.assign(**{keys.COMPOUND_ID: compound}).dropna().reset_index(drop=True)


def extend_folds(molecules: pd.DataFrame, folds: pd.DataFrame, settings: PairAndSplitSettings) -> pd.DataFrame:
    """Give the compounds that lack an assay their roles in the folds of those that have both.

    A compound in a group (`assign_groups`) with compounds of `folds` has their role. Where they disagree, which can
    only be if it links groups that are not linked without it, it is left out. The other groups are spread over the
    folds as `assign_folds` does, those with and without a profile in the first assay each by themselves; where they
    are too few for the folds, they train.

    Parameters
    ----------
    molecules : DataFrame
        Indexed by compound_id: the columns that bind groups, and the flag `keys.PHENOTYPE`: profiled in the first assay.
    folds : DataFrame
        Roles of the compounds that have both assays, a column for each fold; indexed by compound_id.
    settings : PairAndSplitSettings
        Those that made `folds`. The user's folds (split: column) are not asked for compounds with one assay.

    Returns
    -------
    DataFrame
        Index of `molecules`, columns of `folds`; train, validation, test or left out.

    Raises
    ------
    PairingError
        If a compound of `folds` is not among the molecules.
    """
    absent = folds.index.difference(molecules.index)
    if len(absent):
        raise PairingError(
            f"{len(absent)} compounds that have both assays are not among the molecules: {', '.join(absent[:3])}\n"
            "They are of another run: run pair_and_split and join_assays again."
        )
    drawn = settings.model_copy(update={"split": "skeleton", "fold_column": None})
    groups = assign_groups(molecules, drawn if settings.split == "column" else settings)
    bound = groups.isin(groups[folds.index])
    roles = pd.DataFrame(keys.TRAIN, index=molecules.index, columns=folds.columns, dtype=object)
    for fold in folds:
        found = folds[fold].astype(object).groupby(groups[folds.index]).agg(set)
        role = found.map(lambda roles: next(iter(roles)) if len(roles) == 1 else keys.LEFT_OUT)
        roles.loc[bound, fold] = groups[bound].map(role)
    roles.loc[folds.index] = folds.astype(object)
    profiled = molecules[keys.PHENOTYPE].groupby(groups).transform("any")
    for kind in (profiled, ~profiled):
        free = groups[~bound & kind]
        if free.nunique() < 2 * settings.n_folds:
            LOGGER.info("%d compounds of %d groups are too few for the folds, and train", len(free), free.nunique())
            continue
        roles.loc[free.index] = assign_folds(free, drawn)[folds.columns]
    return roles


def counted(molecules: pd.DataFrame) -> pd.DataFrame:
    """How many compounds have which modalities, and how many of them have each role in each fold.

    Parameters
    ----------
    molecules : DataFrame
        The flags `keys.PHENOTYPE` and `keys.SECOND_ASSAY`, and the columns of the folds.

    Returns
    -------
    DataFrame
        fold, phenotype, second_assay, role, n_compounds.
    """
    columns = [name for name in map(str, molecules) if name.startswith(keys.fold_column(""))]
    flags = [keys.PHENOTYPE, keys.SECOND_ASSAY]
    long = molecules[[*flags, *columns]].melt(flags, var_name="fold", value_name="role")
    long["fold"] = long["fold"].str.removeprefix(keys.fold_column(""))
    return long.groupby(["fold", *flags, "role"], observed=True).size().rename("n_compounds").reset_index()
