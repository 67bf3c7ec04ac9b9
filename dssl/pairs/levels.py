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
        return values, obs.assign(**{keys.N_WELLS: _n_wells(obs)})
    codes, names = pd.factorize(obs[key].astype(object))
    pooled = mean_rows(values, codes, len(names)).astype(np.float32)
    return pooled, pooled_obs(obs, codes, pd.Index(names))


def mean_rows(values: NDArray[np.floating], codes: NDArray[np.integer], n: int) -> NDArray[np.float64]:
    """Mean (n, k) of the rows of `values` that have each of the codes 0 .. n - 1; every code occurs."""
    sums = np.zeros((n, values.shape[1]))
    np.add.at(sums, codes, values)
    return sums / np.bincount(codes, minlength=n)[:, None]


def _n_wells(obs: pd.DataFrame) -> NDArray[np.int64]:
    """Wells of every row: as said, where rows were pooled before, or one."""
    return obs[keys.N_WELLS].to_numpy(dtype=np.int64) if keys.N_WELLS in obs else np.ones(len(obs), dtype=np.int64)


def pooled_obs(obs: pd.DataFrame, codes: NDArray[np.intp], names: pd.Index) -> pd.DataFrame:
    """The obs that `pool` gives to the rows of each code, indexed by `names`."""
    grouped = obs.groupby(codes, sort=True)
    pooled = pd.DataFrame(index=pd.RangeIndex(len(names)))
    for column in obs.columns:
        if column in (keys.PLATE, keys.BATCH):
            pooled[column] = grouped[column].agg(lambda cells: SEPARATOR.join(dict.fromkeys(map(str, cells))))
        elif column == keys.CELL_COUNT:
            pooled[column] = grouped[column].mean()
        elif (grouped[column].nunique(dropna=False) == 1).all():
            pooled[column] = grouped[column].first()
    counts = np.bincount(codes, weights=_n_wells(obs)).astype(np.int64)
    return pooled.assign(**{keys.N_WELLS: counts}).set_axis(names.astype(str), axis=0)


def origins(column: pd.Series) -> list[frozenset[str]]:
    """Plates, or batches, of every row, pooled or not."""
    return [frozenset(str(cell).split(SEPARATOR)) for cell in column]
