"""From planted factors to raw feature values of one plate."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dssl.keys import CHANNEL, COMPARTMENT, COMPOUND_ID
from dssl.settings.preparation import SimulateScreenSettings
from dssl.simulate.features import OFTEN_MISSING, FeatureDesign
from dssl.simulate.layout import TREATMENT, edge_position
from dssl.simulate.planted import CELL_STATE, SHARED_FACTORS, hill_response

Array = npt.NDArray[np.floating[Any]]

_BASE_CELLS = 2200
_STATE_VARIATION = 0.2  # well-to-well standard deviation of the cell state, against 1 between compounds
_DEGREES_OF_FREEDOM = 4  # of Student's t: heavy tails
_MISSING_FRACTION = 0.001
_OFTEN_MISSING_FRACTION = 0.3


@dataclass(frozen=True)
class Nuisance:
    """Offsets and log scales (per feature, in units of the features' scale) of a batch or a plate, and its strength."""

    level: float
    offset: Array
    log_scale: Array


def draw_nuisance(directions: Array, design: FeatureDesign, strength: float, rng: np.random.Generator) -> Nuisance:
    """Draw a batch's or plate's effect: one common direction, a part of each feature, a gain of each channel."""
    level = float(rng.standard_normal())
    channels, index = np.unique(design.table[CHANNEL], return_inverse=True)
    gain = rng.normal(0, 0.12, len(channels))[index] + rng.normal(0, 0.05, len(directions))
    own = rng.normal(0, 0.3, len(directions))
    return Nuisance(level, strength * (0.6 * level * directions + own), strength * gain)


def simulate_plate(
    layout: pd.DataFrame,
    compounds: pd.DataFrame,
    design: FeatureDesign,
    nuisances: tuple[Nuisance, Nuisance],
    edge_direction: Array,
    settings: SimulateScreenSettings,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame]:
    """Measure every well of a layout once.

    The standardised profile of a well is strengths x loadings x factors, where the factors are the compound's shared
    ones and its cell state times the Hill response at the well's dose; to it are added a random effect common to the
    features of a compartment x channel, Student-t noise, and the offsets, gains and edge effects of plate and batch.

    Parameters
    ----------
    layout : DataFrame
        row, column, well, compound_id, dose_um, role.
    compounds : DataFrame
        Truth by compound_id (index), as from `plant_compounds`.
    nuisances : pair of Nuisance
        Of the batch and of the plate.
    edge_direction : ndarray, shape (n_features,)
        How strongly each feature reacts to the well's position.

    Returns
    -------
    features : DataFrame
        Raw values, wells x features; NaN where missing.
    cell_count : Series of int
    truth : DataFrame
        well, response (0 to 1), cell_state, plate_effect, edge_effect, dead.
    """
    effects = _well_effects(layout, compounds, rng)
    shared, state = effects[SHARED_FACTORS].to_numpy(), effects[[CELL_STATE]].to_numpy()
    planted = np.hstack([settings.shared_strength * shared, settings.specific_strength * state])
    edge = settings.plate_strength * edge_position(layout["row"].to_numpy(), layout["column"].to_numpy())
    batch, plate = nuisances
    profile = planted @ design.loadings.T + settings.noise * _noise(len(layout), design, rng)
    profile = profile * np.exp(batch.log_scale + plate.log_scale) + batch.offset + plate.offset
    raw = _raw_values(profile + edge[:, None] * edge_direction, design)
    level = settings.plate_strength * (batch.level + plate.level)
    cells = _BASE_CELLS * np.exp(0.08 * level + 0.08 * rng.standard_normal(len(layout))) * (1 - 0.15 * np.tanh(edge))
    cells *= 1 - effects["lost_cells"].to_numpy()
    treated = (layout["role"] == TREATMENT).to_numpy()
    dead = treated & (rng.random(len(layout)) < settings.dead_well_fraction)
    cells[dead] = rng.integers(0, 6, dead.sum())
    _spoil(raw, dead, design, rng)
    truth = effects[["response", CELL_STATE]].assign(plate_effect=level, edge_effect=edge, dead=dead)
    truth.insert(0, "well", layout["well"])
    features = pd.DataFrame(round_significant(raw), columns=design.table["feature"].to_numpy())
    return features, pd.Series(np.rint(cells).astype(int), name="Cell_Count"), truth


def _well_effects(layout: pd.DataFrame, compounds: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Response, shared factors and cell state (both scaled by the response) and share of lost cells of each well."""
    own = compounds.reindex(layout[COMPOUND_ID])  # controls are not among the compounds
    active = own["active"].eq(True).to_numpy()
    response = np.where(active, hill_response(layout["dose_um"].to_numpy(), own["ec50_um"].to_numpy()), 0.0)
    scaled = own[[*SHARED_FACTORS, CELL_STATE, "toxicity"]].fillna(0.0).mul(response, axis=0).reset_index(drop=True)
    scaled[CELL_STATE] += _STATE_VARIATION * rng.standard_normal(len(layout))
    return scaled.rename(columns={"toxicity": "lost_cells"}).assign(response=response)


def _noise(n_wells: int, design: FeatureDesign, rng: np.random.Generator) -> Array:
    """Unit-variance noise: 36 % of it common to a compartment x channel, the rest Student t; copies repeat theirs."""
    block = design.table.groupby([COMPARTMENT, CHANNEL], sort=True).ngroup().to_numpy()
    common = rng.standard_normal((n_wells, block.max() + 1))[:, block]
    tails = rng.standard_t(_DEGREES_OF_FREEDOM, (n_wells, len(block)))
    tails /= np.sqrt(_DEGREES_OF_FREEDOM / (_DEGREES_OF_FREEDOM - 2))
    noise: Array = (0.6 * common + 0.8 * tails)[:, design.copied_from]
    return noise + 0.05 * rng.standard_normal(noise.shape)


def _raw_values(profile: Array, design: FeatureDesign) -> Array:
    """Features in their own units: symmetric or log-normal about their location; constants stay constant."""
    symmetric = design.location + design.scale * profile
    relative = np.clip(profile * design.scale / design.location, -4, 4)
    return np.where(design.skewed, design.location * np.exp(relative), symmetric)


def _spoil(raw: Array, dead: npt.NDArray[np.bool_], design: FeatureDesign, rng: np.random.Generator) -> None:
    """In place: garbage or nothing in dead wells, single missing values, and one feature that often fails."""
    garbage = design.location * np.exp(rng.standard_normal((int(dead.sum()), raw.shape[1])))
    raw[dead] = np.where(rng.random(garbage.shape) < 0.5, np.nan, garbage)
    raw[rng.random(raw.shape) < _MISSING_FRACTION] = np.nan
    failing = (design.table["feature"] == OFTEN_MISSING).to_numpy()
    raw[np.ix_(rng.random(len(raw)) < _OFTEN_MISSING_FRACTION, failing)] = np.nan


def round_significant(values: Array, digits: int = 5) -> Array:
    """Round to so many significant digits (what a table of measurements needs); NaN and 0 stay."""
    with np.errstate(divide="ignore"):
        exponent = np.floor(np.log10(np.abs(values)))
    exponent = np.where(np.isfinite(exponent), exponent, 0).astype(int)
    rounded = np.array(values, dtype=float)
    for each in np.unique(exponent):
        chosen = exponent == each
        rounded[chosen] = np.round(rounded[chosen], digits - 1 - int(each))
    return rounded
