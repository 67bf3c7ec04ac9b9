"""Mean profiles of the compounds by group of features, for a small heat map."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.evaluation.attribution import MAX_GROUPS, groupings
from dssl.report.names import readable

N_FEATURES = 40  # shown one by one where nothing is known of them
LOCATION = "compartment x channel"
SEPARATOR = ", "
NO_CHANNEL = "no channel"  # of features of shapes
LIMIT_QUANTILE = 0.99


def grouped_profiles(
    values: NDArray[Any], var: pd.DataFrame, compound: NDArray[np.integer], n_compounds: int
) -> dict[str, Any]:
    """Mean of each compound's wells over each group of features.

    Groups are compartment x channel where `var` has both, else the first text column with 2 to 60 different values (such
    as gene sets); without either, the features that vary most between compounds stand for themselves.

    Parameters
    ----------
    values : (wells, features) normalised profiles; missing values are left out of the means.
    var : of the features.
    compound : (wells,) place of each well's compound, -1 for none.
    n_compounds : number of compounds.

    Returns
    -------
    dict
        by: what the groups are. rows, columns: labels of the heat map. sizes: features of every cell, 0 for one that does
        not exist. values: int16 (compounds x cells), steps of `step`; -32768 where missing. limit: the value at which
        the colours end, the 99 % quantile of all absolute values.
    """
    found = groupings(var, MAX_GROUPS)
    by = LOCATION if LOCATION in found else next(iter(found), "")
    if by:
        rows, columns = _labels(var, by, found)
        cells = [SEPARATOR.join(filter(None, (row, column))) for row in rows for column in columns]
        groups = found[by].astype(object).to_numpy()
        places = [np.flatnonzero(groups == cell) for cell in cells]
    else:
        most = _most_variable(values)
        rows, columns, places = feature_labels(var.iloc[most]), [""], [np.array([place]) for place in most]
    of_wells = np.column_stack([_mean(values[:, place]) for place in places])
    return {
        "by": grouping_words(by),
        "rows": rows,
        "columns": columns,
        "sizes": [len(place) for place in places],
        **_quantised(_compound_means(of_wells, compound, n_compounds)),
    }


def grouping_words(by: str) -> str:
    """What the groups of features are, in words."""
    if by == LOCATION:
        return "compartment × channel"
    return readable(by) if by else "features that vary most"


def _labels(var: pd.DataFrame, by: str, found: dict[str, "pd.Series[Any]"]) -> tuple[list[str], list[str]]:
    if by == LOCATION:
        return (
            list(dict.fromkeys(var[keys.COMPARTMENT].dropna().astype(str))),
            list(dict.fromkeys(var[keys.CHANNEL].astype(object).fillna(NO_CHANNEL).astype(str))),
        )
    return sorted(found[by].dropna().astype(str).unique()), [""]


def _most_variable(values: NDArray[Any]) -> NDArray[np.int64]:
    """Places of the features that vary most between wells, in their order."""
    spread = pd.DataFrame(values).std().fillna(0.0).to_numpy()
    return np.sort(np.argsort(-spread, kind="stable")[:N_FEATURES])


def feature_labels(var: pd.DataFrame) -> list[str]:
    """Names of features, those of genes with their symbol first, where `plates.features.annotation` gives one."""
    names = [str(name) for name in var.index]
    if keys.SYMBOL not in var:
        return names
    symbols = var[keys.SYMBOL].astype(object).fillna("").map(str)
    return [
        f"{symbol} ({name})" if symbol not in ("", name) else name for symbol, name in zip(symbols, names, strict=True)
    ]


def _compound_means(values: NDArray[Any], compound: NDArray[np.integer], n: int) -> NDArray[np.float64]:
    finite = np.isfinite(values) & (compound >= 0)[:, None]
    sums, counts = np.zeros((n, values.shape[1])), np.zeros((n, values.shape[1]))
    np.add.at(sums, compound, np.where(finite, values, 0.0))
    np.add.at(counts, compound, finite)
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def _mean(columns: NDArray[Any]) -> NDArray[np.float64]:
    finite = np.isfinite(columns)
    counts = finite.sum(axis=1)
    sums = np.where(finite, columns, 0.0).sum(axis=1, dtype=np.float64)
    return np.asarray(np.divide(sums, counts, out=np.full(len(columns), np.nan), where=counts > 0), dtype=np.float64)


def _quantised(values: NDArray[np.float64]) -> dict[str, Any]:
    sizes = np.abs(values[np.isfinite(values)])
    highest = float(sizes.max(initial=0.0)) or 1.0
    step = highest / 32767
    steps = np.where(np.isfinite(values), np.round(np.nan_to_num(values) / step), -32768)
    limit = float(np.quantile(sizes, LIMIT_QUANTILE)) if sizes.size else 1.0
    return {"values": steps.astype(np.int16), "step": step, "limit": limit or 1.0}
