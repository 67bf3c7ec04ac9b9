"""The phenotype side of every classical control: what is compared with the vectors predicted from molecules."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from dssl import keys
from dssl.errors import TableError

Floats = NDArray[np.float64]
CELL_COUNT = "cell_count"  # the control, and the entry of uns with the scale of its axis
MAPS, OFFSETS = "phenotype_maps", "phenotype_offsets"
HALF_WIDTH = 10.0  # standard deviations from the middle of the half circle to its ends


@dataclass(frozen=True)
class LogCounts:
    """Standardised logarithm of cell counts, fitted on training compounds.

    Attributes
    ----------
    floor : smallest positive count; smaller ones (dead wells) are raised to it, so that the logarithm exists.
    mean, std : of the logarithms.
    """

    floor: float
    mean: float
    std: float


def counts_vary(counts: ArrayLike) -> bool:
    """Whether at least two cell counts are known, and their logarithms differ."""
    values = np.asarray(counts, dtype=np.float64)
    return len(np.unique(np.maximum(values, _floor(values))[np.isfinite(values)])) > 1


def fit_log_counts(counts: ArrayLike) -> LogCounts:
    """Fit on the mean cell counts of training compounds; NaN is left out, and `counts_vary`."""
    values = np.asarray(counts, dtype=np.float64)
    floor = _floor(values)
    logs = np.log(np.maximum(values[np.isfinite(values)], floor))
    return LogCounts(floor, float(logs.mean()), float(logs.std()))


def standardized_log_counts(counts: ArrayLike, scale: LogCounts) -> Floats:
    """(log(max(count, floor)) - mean) / std; a missing count gets the training mean, 0."""
    values = np.asarray(counts, dtype=np.float64)
    standardized = (np.log(np.maximum(values, scale.floor)) - scale.mean) / scale.std
    return np.where(np.isfinite(values), standardized, 0.0)


def half_circle(values: ArrayLike) -> NDArray[np.float32]:
    """Points (n, 2) of the upper half circle for standardised values (n,): their cosines order like distances.

    The angle is pi / 2 + pi / 2 * value / 10, and the cosine of two points falls with the difference of their angles,
    which is at most pi. Values beyond +-10 are at the ends.
    """
    angle = np.pi / 2 * (1 + np.clip(np.asarray(values, dtype=np.float64) / HALF_WIDTH, -1, 1))
    return np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32)


def phenotype_vectors(
    method: str, profiles: NDArray[Any], obs: pd.DataFrame, uns: Mapping[str, Any]
) -> NDArray[np.float32]:
    """Vectors of profiles that are compared, by cosine, with `obsm[method]` of the molecules.

    Parameters
    ----------
    method : name of the control.
    profiles : (n, k) preprocessed profiles, wells or pooled ones.
    obs : their rows; the control "cell_count" reads the column of that name, and nothing else.
    uns : of the controls' AnnData: phenotype_maps[method] (k, m), phenotype_offsets[method] (k,), and cell_count.

    Returns
    -------
    ndarray of float32, shape (n, m)
        (profiles - offset) @ map; the profiles as they are where there is no map.

    Raises
    ------
    TableError
        If the control "cell_count" is asked for rows without cell counts.
    """
    if method == CELL_COUNT:
        if keys.CELL_COUNT not in obs:
            raise TableError(
                "control cell_count: the molecules have predicted cell counts, the profiles have no column cell_count\n"
                "Run embed_screen and train_baseline again on the same screen."
            )
        return half_circle(standardized_log_counts(obs[keys.CELL_COUNT], LogCounts(**uns[CELL_COUNT])))
    if method not in uns.get(MAPS, {}):
        return np.asarray(profiles, dtype=np.float32)
    offset, matrix = uns[OFFSETS][method], uns[MAPS][method]
    return np.asarray((np.asarray(profiles, np.float64) - offset) @ matrix, dtype=np.float32)


def _floor(counts: Floats) -> float:
    return float(np.min(counts, where=np.isfinite(counts) & (counts > 0), initial=np.inf))
