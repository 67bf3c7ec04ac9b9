"""What a well's place on the plate does to its features, told by control wells."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dssl.phenotypes.statistics import Array, nan_mean_std, nan_median

Places = npt.NDArray[np.int64]
ANY = -1
_POSITION = re.compile(r"^([A-Za-z]{1,2})0*(\d{1,2})$")
_SWEEPS = 10


@dataclass(frozen=True, eq=False)
class PositionEffects:
    """Effects of rows, columns and single positions.

    Attributes
    ----------
    places : ndarray of int64, shape (k, 2)
        Row and column from 0; -1 stands for any: (2, -1) is the third row, (2, 5) the well C06.
    effects : ndarray of float64, shape (k, p)
        What a well there has more than others.
    """

    places: Places
    effects: Array


def well_position(well: str) -> tuple[int, int] | None:
    """Row and column, from 0, of a well named like A01 or AB48; None of any other name."""
    match = _POSITION.match(well)
    if match is None:
        return None
    row = 0
    for letter in match[1].upper():
        row = row * 26 + ord(letter) - ord("A") + 1
    return row - 1, int(match[2]) - 1


def well_places(wells: Iterable[object]) -> Places:
    """Row and column of every well, (n, 2); -1 where the name tells none."""
    found = [well_position(str(well)) or (ANY, ANY) for well in wells]
    return np.asarray(found, dtype=np.int64).reshape(-1, 2)


def fit_position(kind: str, values: Array, places: Places, min_wells: int) -> PositionEffects:
    """Effects of rows and columns (kind "median_polish") or of well positions ("well"), shrunken by their error.

    The parameters are those of `median_polish`.
    """
    fit = median_polish if kind == "median_polish" else well_effects
    return shrunken(fit(values, places, min_wells), values, places)


def shrunken(fitted: PositionEffects, values: Array, places: Places) -> PositionEffects:
    r"""Effects towards 0 as far as their own error would make them as large.

    .. math:: e' = e (1 - \overline{\sigma^2 \pi / 2 n} / \overline{e^2})_+

    for each feature and each kind of place (rows, columns, wells): the positive-part estimate of James and Stein, with
    the error of a median of n wells and sigma^2 the mean square of the residuals. What a few controls tell of a
    row is mostly error, and subtracting it would mark all wells of the row with the same pattern, on every plate:
    replicates at one position would look alike for no other reason.

    Parameters
    ----------
    fitted : PositionEffects
        As fitted.
    values, places : the wells that it was fitted on.
    """
    residual = values - nan_median(values) - effects_at(fitted, places)
    freedom = max(len(values) - len(fitted.places), 1) / max(len(values), 1)
    variance = nan_mean_std(residual**2)[0] / freedom
    n = np.array([_at(place, places).sum() for place in fitted.places])
    effects = fitted.effects.copy()
    for kind in np.unique(fitted.places == ANY, axis=0):
        rows = ((fitted.places == ANY) == kind).all(axis=1)
        error = variance * np.pi / 2 * (1 / n[rows]).mean()
        size = (effects[rows] ** 2).mean(axis=0)
        share = np.divide(error, size, out=np.ones_like(size), where=size > 0)
        effects[rows] *= np.clip(1 - np.nan_to_num(share, nan=1.0), 0, 1)
    return PositionEffects(fitted.places, effects)


def median_polish(values: Array, places: Places, min_wells: int) -> PositionEffects:
    """Row and column effects by Tukey's median polish of wells that may lie anywhere.

    In turn the median of every row's residuals and of every column's is moved into its effect, until nothing moves or
    ten sweeps are done (Tukey 1977; the B-score of Brideau et al. 2003 is made of its residuals, on all wells of a
    plate). Rows and columns with fewer than `min_wells` wells have no effect, and what all wells have in common is no
    effect either: the medians of the row effects and of the column effects, over wells, are moved out.

    Parameters
    ----------
    values : ndarray, shape (n, p)
        Control wells x features, NaN where missing.
    places : ndarray, shape (n, 2)
        `well_places` of the wells.
    min_wells : int
        Fewest wells of a row or column.
    """
    kinds = [_members(places[:, axis], min_wells) for axis in (0, 1)]
    effects = [np.zeros((len(members), values.shape[1])) for members in kinds]
    residual = values - nan_median(values)
    for _ in range(_SWEEPS):
        moved = 0.0
        for members, effect in zip(kinds, effects, strict=True):
            for number, rows in enumerate(members.values()):
                step = np.nan_to_num(nan_median(residual[rows]))
                residual[rows] -= step
                effect[number] += step
                moved = max(moved, float(np.abs(step).max(initial=0.0)))
        if moved == 0.0:
            break
    for members, effect in zip(kinds, effects, strict=True):
        if members:
            effect -= nan_median(np.repeat(effect, [len(rows) for rows in members.values()], axis=0))
    where = [(row, ANY) for row in kinds[0]] + [(ANY, column) for column in kinds[1]]
    return PositionEffects(np.asarray(where, dtype=np.int64).reshape(-1, 2), np.concatenate(effects))


def well_effects(values: Array, places: Places, min_wells: int) -> PositionEffects:
    """Median of the wells at every position, against the median of all; positions with too few have no effect.

    Parameters are those of `median_polish`; the wells are those of many plates.
    """
    known = (places >= 0).all(axis=1)
    width = int(places[:, 1].max(initial=0)) + 1
    members = _members(np.where(known, places[:, 0] * width + places[:, 1], ANY), min_wells)
    overall = nan_median(values)
    medians = [np.nan_to_num(nan_median(values[rows]) - overall) for rows in members.values()]
    where = [divmod(code, width) for code in members]
    effects = np.asarray(medians, dtype=np.float64).reshape(-1, values.shape[1])
    return PositionEffects(np.asarray(where, dtype=np.int64).reshape(-1, 2), effects)


def effects_at(fitted: PositionEffects, places: Places) -> Array:
    """What each well has through its position, (n, p): the sum of its row's, its column's and its own effect."""
    total = np.zeros((len(places), fitted.effects.shape[1]))
    for place, effect in zip(fitted.places, fitted.effects, strict=True):
        total[_at(place, places)] += effect
    return total


def _at(place: Places, places: Places) -> npt.NDArray[np.bool_]:
    """Wells in a row, in a column, or at a position."""
    row, column = place
    here = ((places[:, 0] == row) | (row == ANY)) & ((places[:, 1] == column) | (column == ANY))
    return np.asarray(here & (places >= 0).all(axis=1))


def _members(codes: Places, min_wells: int) -> dict[int, npt.NDArray[np.intp]]:
    """Row numbers of the wells with each code (not -1) that has enough of them."""
    found = {int(code): np.flatnonzero(codes == code) for code in np.unique(codes) if code != ANY}
    return {code: rows for code, rows in found.items() if len(rows) >= min_wells}
