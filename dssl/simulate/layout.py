"""384-well plates: where controls and treatments stand."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from dssl.errors import ConfigError
from dssl.settings.preparation import SimulateScreenSettings

ROWS = "ABCDEFGHIJKLMNOP"
N_COLUMNS = 24
CONTROL, TREATMENT = "control", "treatment"
VEHICLE = "DMSO"


def control_positions() -> list[tuple[int, int]]:
    """Row and column (from 0) of the 32 control wells: two per row, scattered so that each half has one."""
    return [(row, (5 * row) % 12 + half) for row in range(len(ROWS)) for half in (0, 12)]


def well_name(row: int, column: int) -> str:
    """Position as labs write it: (0, 0) -> A01."""
    return f"{ROWS[row]}{column + 1:02d}"


def edge_position(rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """How much a well suffers from its place: evaporation in the outermost ring, and a gradient across the plate."""
    outer = (rows == 0) | (rows == len(ROWS) - 1) | (columns == 0) | (columns == N_COLUMNS - 1)
    effect: npt.NDArray[np.float64] = 0.8 * outer + 0.4 * (columns / (N_COLUMNS - 1) - 0.5)
    return effect


def plate_maps(
    compound_ids: Sequence[str], settings: SimulateScreenSettings, rng: np.random.Generator
) -> list[pd.DataFrame]:
    """Spread compounds over `n_plate_maps` layouts; every dose of a compound is one well of the same layout.

    Wells that are not needed stay empty and are left out.

    Returns
    -------
    list of DataFrame
        Per layout: row, column (from 0), well, compound_id ("DMSO" in controls), dose_um (NaN in controls), role; in
        the order of the wells.

    Raises
    ------
    ConfigError
        If the compounds do not fit.
    """
    controls = control_positions()
    free = [position for position in np.ndindex(len(ROWS), N_COLUMNS) if position not in set(controls)]
    per_map = math.ceil(len(compound_ids) / settings.n_plate_maps)
    if per_map * len(settings.doses_um) > len(free):
        needed = math.ceil(len(compound_ids) / max(1, len(free) // len(settings.doses_um)))
        raise ConfigError(
            f"simulate_screen: {len(compound_ids)} compounds (with duplicates) x {len(settings.doses_um)} doses do not "
            f"fit {settings.n_plate_maps} plate map(s) of {len(free)} treatment wells\n"
            f"Set simulate_screen.n_plate_maps to {needed} or more, or lower n_compounds or the number of doses_um."
        )
    order = rng.permutation(len(compound_ids))
    maps = []
    for number in range(settings.n_plate_maps):
        members = [compound_ids[index] for index in order[number :: settings.n_plate_maps]]
        treatments = [(compound, dose, TREATMENT) for compound in members for dose in settings.doses_um]
        places = rng.permutation(len(free))[: len(treatments)]
        rows = [(*position, VEHICLE, np.nan, CONTROL) for position in controls]
        rows += [(*free[place], *treatment) for place, treatment in zip(places, treatments, strict=True)]
        layout = pd.DataFrame(sorted(rows), columns=["row", "column", "compound_id", "dose_um", "role"])
        wells = [well_name(row, column) for row, column in zip(layout["row"], layout["column"], strict=True)]
        layout.insert(2, "well", wells)
        maps.append(layout)
    return maps
