"""One linear map of every feature for each batch, or for all wells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dssl.errors import TableError, first_few
from dssl.phenotypes.statistics import MAD_TO_STD, Array, nan_mad, nan_mean_std, nan_median

ALL_WELLS = "all"  # name of the one group where batches are not told apart


@dataclass(frozen=True, eq=False)
class GroupScaling:
    """y = slope x + intercept, by the group that a well belongs to.

    Attributes
    ----------
    groups : tuple of str
        The batches, or `ALL_WELLS` alone.
    slope, intercept : ndarray of float64, shape (groups, features)
    """

    groups: tuple[str, ...]
    slope: Array
    intercept: Array


def fit_scaling(values: Mapping[str, Array], min_scale: float) -> GroupScaling:
    """Median and 1.4826 MAD of each group's controls; the standard deviation where the MAD is below `min_scale`.

    A feature whose standard deviation is as small keeps the scale 1: it is centred only.
    """
    slopes, intercepts = [], []
    for controls in values.values():
        centre = nan_median(controls)
        mad = MAD_TO_STD * nan_mad(controls, centre)
        scale = np.where(mad >= min_scale, mad, nan_mean_std(controls)[1])
        slope = 1 / np.where(scale >= min_scale, scale, 1.0)
        slopes.append(slope)
        intercepts.append(np.nan_to_num(-centre * slope))
    return GroupScaling(tuple(values), np.stack(slopes), np.stack(intercepts))


def apply_scaling(fitted: GroupScaling, values: Array, batches: npt.NDArray[np.object_], key: str) -> Array:
    """Map wells (rows) by their batch.

    Raises
    ------
    TableError
        As `group_numbers`.
    """
    numbers = group_numbers(fitted.groups, batches, key)
    return values * fitted.slope[numbers] + fitted.intercept[numbers]


def group_numbers(groups: Sequence[str], batches: npt.NDArray[np.object_], key: str) -> npt.NDArray[np.intp]:
    """Number of every well's group; 0 for all where there is one group of all wells.

    Raises
    ------
    TableError
        If a well belongs to a batch that was not there when `key` was fitted: what was fitted is applied unchanged, and
        tells nothing of a new batch.
    """
    if tuple(groups) == (ALL_WELLS,):
        return np.zeros(len(batches), dtype=np.intp)
    known = {group: number for number, group in enumerate(groups)}
    new = [batch for batch in dict.fromkeys(map(str, batches)) if batch not in known]
    if new:
        raise TableError(
            f"{key} was fitted on the batches {first_few(groups)}; {len(new)} new one(s): {first_few(new)}\n"
            f"It says nothing of new batches: add their plates to the screen and run it again, or switch {key} off."
        )
    return np.asarray([known[str(batch)] for batch in batches], dtype=np.intp)
