"""Canonical correlations as they are on rows that the directions were not fitted on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from dssl.errors import PairingError
from dssl.model.canonical import CanonicalDirections, canonical_directions

Floats = NDArray[np.float64]
N_PARTS = 5
FEWEST_ROWS = 2 * N_PARTS
MAX_CORRELATION = 1 - 1e-6  # beyond it the information is infinite, up to rounding


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What canonical coordinates are on rows left out of their fit, by direction.

    Attributes
    ----------
    correlations : (c,) falling, in [0, 1).
    first_std, second_std : (c,) root mean squares of the coordinates of each modality.
    """

    correlations: Floats
    first_std: Floats
    second_std: Floats


def held_out_correlations(first: NDArray[Any], second: NDArray[Any], ridge: float) -> HeldOut:
    """Cross-validate `canonical_directions` over five parts of the rows.

    Correlations of the rows that directions were fitted on are inflated: of independent data with about as many
    features as rows they are near one. Here every row's coordinates come from the other parts' directions, and are
    correlated over all rows. The i-th directions of two fits need not be the same direction, which lowers the figure
    and never raises it. What is estimated falls with i but for noise, so the figures are made to fall (isotonic
    regression), which averages the noise of the many directions at the end; negative ones become 0.

    Parameters
    ----------
    first, second : (n, p) and (n, q) paired rows; every fifth row is a part, so that nothing is drawn.
    ridge : see `canonical_directions`.

    Raises
    ------
    PairingError
        If there are fewer than ten rows.
    """
    if len(first) < FEWEST_ROWS:
        raise PairingError(
            f"canonical correlations: expected at least {FEWEST_ROWS} training compounds, found {len(first)}\n"
            "Use solver: neural, or pair more compounds."
        )
    part = np.arange(len(first)) % N_PARTS
    n_directions = min(first.shape[1], second.shape[1])
    first_coordinates, second_coordinates = (np.empty((len(first), n_directions)) for _ in range(2))
    for number in range(N_PARTS):
        held_out = part == number
        fitted = canonical_directions(first[~held_out], second[~held_out], ridge)
        first_coordinates[held_out], second_coordinates[held_out] = coordinates(
            fitted, first[held_out], second[held_out]
        )
    first_std, second_std = (np.sqrt((values**2).mean(axis=0)) for values in (first_coordinates, second_coordinates))
    scale = first_std * second_std
    found = (first_coordinates * second_coordinates).mean(axis=0) / np.where(scale > 0, scale, 1.0)
    falling = np.asarray(isotonic_regression(found, increasing=False).x, dtype=np.float64)
    return HeldOut(np.clip(falling, 0.0, MAX_CORRELATION), first_std, second_std)


def coordinates(directions: CanonicalDirections, first: NDArray[Any], second: NDArray[Any]) -> tuple[Floats, Floats]:
    """Canonical coordinates (n, c) and (m, c) of rows of each modality."""
    return (first - directions.first_mean) @ directions.first, (second - directions.second_mean) @ directions.second
