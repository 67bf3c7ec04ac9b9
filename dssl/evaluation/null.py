"""Permutations of several folds brought together, where the same compounds may be tested in more than one of them."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from dssl import keys
from dssl.evaluation.ranks import Floats


def pooled_null(null: pd.DataFrame, tested: pd.DataFrame, columns: list[str]) -> Floats:
    """Permuted values of a mean over compounds, each averaged over the folds that test it.

    Permutations of folds with different compounds are independent, and are added up as drawn. Those of folds that
    test the same compounds (repeats) are not: how well a compound is found by accident may repeat itself. There the
    sorted values are added, smallest with smallest: as if the repeats agreed entirely, which is the widest null that
    their sum can have (the comonotonic sum is the largest in convex order). Repeats alone make no p-value small.

    Parameters
    ----------
    null : a row per fold and permutation: fold, permutation and, in `columns`, the mean over the fold's compounds.
    tested : rows that say which compound_id was tested in which fold.
    columns : values to bring together.

    Returns
    -------
    ndarray, (permutations, columns)
    """
    folds = tested[["fold", keys.COMPOUND_ID]].drop_duplicates()
    share = 1 / folds.groupby(keys.COMPOUND_ID, observed=True)["fold"].transform("size")
    weights = share.groupby(folds["fold"].astype(str).to_numpy()).sum() / share.sum()
    members = {str(name): set(part) for name, part in folds.groupby("fold", observed=True)[keys.COMPOUND_ID]}
    by_fold = {
        str(name): part.sort_values("permutation")[columns].to_numpy(np.float64)
        for name, part in null.groupby("fold", observed=True)
    }
    layers = disjoint_layers(members)
    sums = [np.sum([weights[fold] * by_fold[fold] for fold in layer], axis=0) for layer in layers]
    return np.asarray(sums[0] if len(sums) == 1 else np.sum([np.sort(values, axis=0) for values in sums], axis=0))


def disjoint_layers(members: Mapping[str, set[str]]) -> list[list[str]]:
    """Put folds into layers within which no compound occurs twice: each fold into the first layer that it fits.

    The folds of complete repeats, in their order, give one layer per repeat.
    """
    layers: list[tuple[list[str], set[str]]] = []
    for fold in sorted(members, key=lambda name: (len(name), name)):
        for names, seen in layers:
            if not seen & members[fold]:
                names.append(fold)
                seen |= members[fold]
                break
        else:
            layers.append(([fold], set(members[fold])))
    return [names for names, _ in layers]
