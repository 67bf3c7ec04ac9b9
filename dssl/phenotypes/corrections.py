"""What the controls of all plates tell: position effects, scale and location of batches, whitening."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from dssl.errors import TableError, first_few
from dssl.keys import BATCH, IS_CONTROL, WELL
from dssl.phenotypes.combat import fit_combat
from dssl.phenotypes.group_scaling import ALL_WELLS, GroupScaling, apply_scaling, fit_scaling, group_numbers
from dssl.phenotypes.position import PositionEffects, effects_at, fit_position, well_places
from dssl.phenotypes.quality import is_flagged
from dssl.phenotypes.sphering import SpheringState, apply_sphering, fit_sphering, varies
from dssl.phenotypes.statistics import Array
from dssl.settings.preparation import AssembleProfilesSettings

logger = logging.getLogger(__name__)

_ROWS_AT_ONCE = 4096
_SMALLEST_SCALE = 1e-6
_SECTION = "assemble_profiles"
Mask = npt.NDArray[np.bool_]
Values = TypeVar("Values", npt.NDArray[np.float32], Array)


@dataclass(frozen=True, eq=False)
class Corrections:
    """Fitted on control wells; applied, in this order, to every well.

    Attributes
    ----------
    position : PositionEffects or None
        Subtracted.
    standardize, combat : GroupScaling or None
        Scale and location of every batch, or of all wells.
    sphering : dict of str to SpheringState
        Whitening, by batch or for all wells; empty: none.
    """

    position: PositionEffects | None = None
    standardize: GroupScaling | None = None
    combat: GroupScaling | None = None
    sphering: dict[str, SpheringState] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is corrected."""
        return self.position is None and self.standardize is None and self.combat is None and not self.sphering


def _scopes(settings: AssembleProfilesSettings) -> dict[str, str]:
    """The corrections that are asked for, and whose controls each is fitted on."""
    asked = {
        "max_control_correlation": "none" if settings.max_control_correlation is None else ALL_WELLS,
        "position": ALL_WELLS if settings.position != "none" else "none",
        "standardize": settings.standardize,
        "combat": "batch" if settings.combat else "none",
        "sphering": settings.sphering_scope if settings.sphering else "none",
    }
    return {key: scope for key, scope in asked.items() if scope != "none"}


def require_controls(obs: pd.DataFrame, settings: AssembleProfilesSettings) -> None:
    """Refuse a screen, or a batch, with too few controls for what is asked.

    Raises
    ------
    TableError
        If the screen, or a batch where one goes by batch, has fewer than `min_controls` passing controls.
    """
    controls = passing_controls(obs)
    for key, scope in _scopes(settings).items():
        counts = {name: int((controls & members).sum()) for name, members in _groups(obs, scope).items()}
        few = [f"{name} ({n})" for name, n in counts.items() if n < settings.min_controls]
        if few:
            whose = "every batch" if scope == "batch" else "the screen"
            raise TableError(
                f"{_SECTION}.{key} needs {settings.min_controls} passing control wells ({_SECTION}.min_controls) of"
                f" {whose}; too few in {len(few)}: {first_few(few)}"
                f"\nName the controls in plates.control, or switch {_SECTION}.{key} off."
            )


def passing_controls(obs: pd.DataFrame) -> Mask:
    """Control wells without a quality flag: the only wells that anything here is fitted on."""
    return np.asarray(obs[IS_CONTROL].to_numpy(dtype=bool) & ~is_flagged(obs))


def constant_in_controls(
    values: npt.NDArray[np.float32], obs: pd.DataFrame, settings: AssembleProfilesSettings
) -> Mask:
    """Features that do not vary among the controls of some group that ComBat or sphering is fitted on."""
    constant = np.zeros(values.shape[1], dtype=bool)
    for key, scope in _scopes(settings).items():
        if key in ("combat", "sphering"):
            constant |= _constant(_by_group(values, obs, scope))
    return constant


def fit_corrections(
    values: npt.NDArray[np.float32], obs: pd.DataFrame, settings: AssembleProfilesSettings
) -> Corrections:
    """Fit on the passing controls, each correction on what the ones before it leave.

    Parameters
    ----------
    values : ndarray, wells x features
        Normalised wells of all plates, without `constant_in_controls`; only the controls are looked at.
    obs : DataFrame
        Their rows: well, batch, is_control and the quality flags.
    settings : AssembleProfilesSettings
        Which corrections.

    Raises
    ------
    TableError
        If ComBat finds one batch only, or no control's position is known.
    """
    controls = passing_controls(obs)
    own = obs[controls]
    left = np.asarray(values[controls], dtype=np.float64)
    position = standardize = combat = None
    if settings.position != "none":
        position = _fit_position(left, own, settings)
        left = left - effects_at(position, well_places(own[WELL]))
    if settings.standardize != "none":
        standardize = fit_scaling(_by_group(left, own, settings.standardize), _SMALLEST_SCALE)
        left = apply_scaling(standardize, left, own[BATCH].to_numpy(dtype=object), f"{_SECTION}.standardize")
    if settings.combat:
        groups = _by_group(left, own, "batch")
        if len(groups) < 2:
            raise TableError(
                f"{_SECTION}.combat aligns batches, but there is one only: {first_few(groups)}\n"
                f"Name the column of the batch in plates.columns.batch, or set {_SECTION}.combat: false."
            )
        combat = fit_combat(groups)
        left = apply_scaling(combat, left, own[BATCH].to_numpy(dtype=object), f"{_SECTION}.combat")
    sphering = {}
    if settings.sphering:
        groups = _by_group(left, own, settings.sphering_scope)
        sphering = {name: fit_sphering(block, settings.sphering_epsilon) for name, block in groups.items()}
    return Corrections(position, standardize, combat, sphering)


def apply_corrections(fitted: Corrections, values: npt.NDArray[np.float32], obs: pd.DataFrame) -> None:
    """Correct wells (rows) in place; columns are those of fitting. What is missing stays missing.

    Raises
    ------
    TableError
        If a well belongs to a batch that was not there at fitting, and a correction goes by batch.
    """
    for start in range(0, len(values), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        values[rows] = _corrected(fitted, np.asarray(values[rows], dtype=np.float64), obs.iloc[rows])


def _corrected(fitted: Corrections, block: Array, obs: pd.DataFrame) -> npt.NDArray[np.floating]:
    batches = obs[BATCH].to_numpy(dtype=object)
    if fitted.position is not None:
        block = block - effects_at(fitted.position, well_places(obs[WELL]))
    for name, scaling in (("standardize", fitted.standardize), ("combat", fitted.combat)):
        if scaling is not None:
            block = apply_scaling(scaling, block, batches, f"{_SECTION}.{name}")
    if not fitted.sphering:
        return block
    numbers = group_numbers(tuple(fitted.sphering), batches, f"{_SECTION}.sphering")
    whitened = np.empty(block.shape, dtype=np.float32)
    for number, state in enumerate(fitted.sphering.values()):
        whitened[numbers == number] = apply_sphering(state, block[numbers == number])
    return whitened


def _fit_position(left: Array, own: pd.DataFrame, settings: AssembleProfilesSettings) -> PositionEffects:
    places = well_places(own[WELL])
    if not (places >= 0).all(axis=1).any():
        raise TableError(
            f"{_SECTION}.position needs controls at positions like A01; found the wells {first_few(own[WELL]) or 'none'}"
            f"\nName the column of the position in plates.columns.well, or set {_SECTION}.position: none."
        )
    fitted = fit_position(settings.position, left, places, settings.min_position_controls)
    what = "rows and columns" if settings.position == "median_polish" else "well positions"
    logger.info("%d %s have enough controls for an effect; others are left", len(fitted.places), what)
    return fitted


def _by_group(values: Values, obs: pd.DataFrame, scope: str) -> dict[str, Values]:
    """Passing controls of every batch that has such, or of all wells."""
    controls = passing_controls(obs)
    found = {}
    for name, members in _groups(obs, scope).items():
        if (controls & members).any():
            found[name] = values[controls & members]
    return found


def _groups(obs: pd.DataFrame, scope: str) -> dict[str, Mask]:
    if scope == ALL_WELLS:
        return {ALL_WELLS: np.ones(len(obs), dtype=bool)}
    batches = obs[BATCH].astype(str).to_numpy(dtype=object)
    return {name: batches == name for name in dict.fromkeys(batches)}


def _constant(groups: Mapping[str, Values]) -> Mask:
    return np.asarray(np.any([~varies(block) for block in groups.values()], axis=0))
