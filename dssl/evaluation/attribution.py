"""What explains every feature: the shared code, the specific code, both alike, or neither."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from dssl import keys
from dssl.errors import PairingError
from dssl.evaluation.linear_probe import N_OUTER, group_codes, nested_folds, over_columns, ridge_predictions
from dssl.evaluation.ranks import Floats

SHARED, SPECIFIC, BOTH, NEITHER = "shared", "specific", "both", "neither"
PARTS = (SHARED, SPECIFIC, BOTH, NEITHER)
R2 = ("r2_shared", "r2_specific", "r2_all")
CHANCE = tuple(f"chance_{name}" for name in R2)
SUMMARY_COLUMNS = ("grouping", "group", "fold", "n_features", "n_left_out", *PARTS, *CHANCE)
MAX_GROUPS = 60
ALL_FEATURES = "all features"
LOCATION = (keys.COMPARTMENT, keys.CHANNEL)


def attribute_features(
    features: NDArray[Any],
    shared: NDArray[Any],
    specific: NDArray[Any],
    groups: NDArray[Any],
    rng: np.random.Generator,
    n_permutations: int = 5,
) -> pd.DataFrame:
    """Split the variance of every feature into what each code explains (commonality analysis of out-of-fold R^2).

    Ridge regression of the feature on the shared code, on the specific code and on the two together; folds by group,
    the ridge chosen per feature in nested folds (`dssl.evaluation.linear_probe`). See `parts` for the split.

    Parameters
    ----------
    features : (n, p) finite values.
    shared, specific : (n, d1), (n, d2) codes of the same rows.
    groups : (n,) compounds; at least five.
    rng : draws folds and permutations.
    n_permutations : times the features' rows are permuted against the codes, for the chance level.

    Returns
    -------
    DataFrame
        A row for each feature: parts "shared", "specific", "both", "neither", which add up to 1; r2_shared,
        r2_specific, r2_all, not below 0; and chance_<r2>, their means over permutations. Missing (NaN) for features
        that do not vary.

    Raises
    ------
    PairingError
        If the rows differ in number, or there are fewer than five groups.
    """
    n, n_groups = len(features), len(np.unique(np.asarray(groups).astype(str)))
    if not n == len(shared) == len(specific) == len(groups) or n_groups < N_OUTER:
        raise PairingError(
            f"attribution: expected the same rows of {N_OUTER} or more compounds; found {n} rows of features, "
            f"{len(shared)} and {len(specific)} codes, {n_groups} compounds"
        )
    values = np.asarray(features, dtype=np.float64)
    varies = np.ptp(values, axis=0) > 0
    targets = values[:, varies]
    orders = [np.arange(n), *(rng.permutation(n) for _ in range(n_permutations))]
    group = group_codes(groups)
    found = np.full((len(orders), len(R2), values.shape[1]), np.nan)
    for which, codes in enumerate((shared, specific, np.hstack([shared, specific]))):
        predict = partial(ridge_predictions, nested_folds(codes, group, rng))
        for number, order in enumerate(orders):
            predicted = over_columns(predict, targets[order], 1)
            found[number, which, varies] = _r2(targets[order], predicted)
    explained = dict(zip(R2, found[0], strict=True))
    by_chance = dict(zip(CHANCE, found[1:].mean(axis=0), strict=True)) if n_permutations else {}
    return pd.DataFrame({**parts(*found[0]), **explained, **by_chance})


def parts(r2_shared: NDArray[Any], r2_specific: NDArray[Any], r2_all: NDArray[Any]) -> dict[str, Floats]:
    """Parts of the variance that only one code, both alike, or neither explains; they are 0 or more and add up to 1.

    With a, b and c the R^2 of the shared code, the specific code and the two together, none below 0: c is at least as
    large as a and b (less is an error of estimation); shared = c - b, specific = c - a, both = a + b - c,
    neither = 1 - c. Where the two explain more together than the sum of each alone (both < 0), the excess is
    halved between them and both is 0.
    """
    a, b = np.maximum(r2_shared, 0), np.maximum(r2_specific, 0)
    c = np.maximum(np.maximum(a, b), r2_all)
    both = a + b - c
    halved = np.minimum(both, 0) / 2
    found = (c - b + halved, c - a + halved, np.maximum(both, 0), 1 - c)
    return dict(zip(PARTS, (np.asarray(part, dtype=np.float64) for part in found), strict=True))


def groupings(var: pd.DataFrame, max_groups: int) -> dict[str, "pd.Series[Any]"]:
    """Columns by which features are averaged: compartment x channel where var has them, and every other one of names.

    A column counts as names if it holds text (or true and false) with 2 to `max_groups` different values; numbers and
    descriptions that differ from feature to feature do not. Features without a name in a column are left out of it.
    """
    found = {}
    named = {str(name): _names(var[name]) for name in var.columns if _is_text(var[name])}
    if all(name in named for name in LOCATION):
        # features of shapes have no channel
        joined = named[keys.COMPARTMENT] + ", " + named.pop(keys.CHANNEL).fillna("no channel")
        found["compartment x channel"] = joined
        del named[keys.COMPARTMENT]
    found |= named
    return {name: column for name, column in found.items() if 2 <= column.nunique() <= max_groups}


def summarize_attribution(table: pd.DataFrame, max_groups: int = MAX_GROUPS) -> pd.DataFrame:
    """Means of the parts over the features of every group (see `groupings`), and over all ("all"), for each fold.

    Parameters
    ----------
    table : rows of `attribute_features` with feature, fold, and whatever describes the features.

    Returns
    -------
    DataFrame
        SUMMARY_COLUMNS; n_left_out: features that do not vary.
    """
    columns = groupings(table.drop(columns=["feature", "fold", *PARTS, *R2, *CHANCE]), max_groups)
    lines = []
    for name, groups in {"all": pd.Series(ALL_FEATURES, index=table.index), **columns}.items():
        for (group, fold), rows in table.groupby([groups, table["fold"]], sort=True):
            usable = rows[NEITHER].notna()
            means = rows.loc[usable, [*PARTS, *CHANCE]].mean()
            head = {"grouping": name, "group": group, "fold": fold}
            lines.append({**head, "n_features": int(usable.sum()), "n_left_out": int((~usable).sum()), **means})
    return pd.DataFrame(lines, columns=list(SUMMARY_COLUMNS))


def _is_text(column: "pd.Series[Any]") -> bool:
    return bool(is_bool_dtype(column) or not is_numeric_dtype(column))


def _names(column: "pd.Series[Any]") -> "pd.Series[Any]":
    text = column.astype(object).map(str, na_action="ignore")
    return text.where(text.notna() & (text != ""))


def _r2(truth: Floats, predicted: Floats) -> Floats:
    """Out-of-fold R^2 of every column, not below 0."""
    spread = ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
    return np.asarray(np.maximum(1 - ((truth - predicted) ** 2).sum(axis=0) / spread, 0))
