"""Profiles pooled to treatments and compounds."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys

SEPARATOR = "|"  # between the plates, or batches, that pooled wells come from
LEVEL_KEYS = {"well": None, "treatment": keys.TREATMENT, "compound": keys.COMPOUND_ID}


def pool(values: NDArray[np.float32], obs: pd.DataFrame, level: str) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """Average profiles to a level.

    Parameters
    ----------
    values : (wells, k) profiles, without missing values.
    obs : their rows, with compound_id, treatment, plate and batch.
    level : "well" (nothing is pooled), "treatment" or "compound".

    Returns
    -------
    values : (rows, k) mean profiles, in the order in which the treatments or compounds first occur.
    obs : a row for each: n_wells; columns that are constant within every row as they are; the plates and batches that
        occur, joined by "|"; the mean of the cell count. Columns that vary otherwise have no value for pooled wells
        and are left out.
    """
    key = LEVEL_KEYS[level]
    if key is None:
        return values, obs.assign(**{keys.N_WELLS: 1})
    codes, names = pd.factorize(obs[key].astype(object))
    pooled = mean_rows(values, codes, len(names)).astype(np.float32)
    return pooled, _pooled_obs(obs, codes, pd.Index(names), np.bincount(codes))


def mean_rows(values: NDArray[np.float32], codes: NDArray[np.integer], n: int) -> NDArray[np.float64]:
    """Mean (n, k) of the rows of `values` that have each of the codes 0 .. n - 1; every code occurs."""
    sums = np.zeros((n, values.shape[1]))
    np.add.at(sums, codes, values)
    return sums / np.bincount(codes, minlength=n)[:, None]


def _pooled_obs(obs: pd.DataFrame, codes: NDArray[np.intp], names: pd.Index, counts: NDArray[np.int64]) -> pd.DataFrame:
    grouped = obs.groupby(codes, sort=True)
    pooled = pd.DataFrame(index=pd.RangeIndex(len(names)))
    for column in obs.columns:
        if column in (keys.PLATE, keys.BATCH):
            pooled[column] = grouped[column].agg(lambda cells: SEPARATOR.join(dict.fromkeys(map(str, cells))))
        elif column == keys.CELL_COUNT:
            pooled[column] = grouped[column].mean()
        elif (grouped[column].nunique(dropna=False) == 1).all():
            pooled[column] = grouped[column].first()
    return pooled.assign(**{keys.N_WELLS: counts}).set_axis(names.astype(str), axis=0)


def origins(column: pd.Series) -> list[frozenset[str]]:
    """Plates, or batches, of every row, pooled or not."""
    return [frozenset(str(cell).split(SEPARATOR)) for cell in column]
