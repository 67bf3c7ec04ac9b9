"""What is planted into the compounds: shared factors, cell state, a molecule-only factor, potency, toxicity."""

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dssl.keys import COMPOUND_ID, SMILES
from dssl.settings.preparation import SimulateScreenSettings
from dssl.simulate.substructures import MOLECULE_ONLY, SHARED, substructure_factors

Array = npt.NDArray[np.floating[Any]]

SHARED_FACTORS = ["shared_1", "shared_2", "shared_3"]
CELL_STATE = "cell_state"
MOLECULE_FACTOR = "molecule_only"
HILL_SLOPE = 1.5
UNKNOWN_MECHANISM = "unknown"
_INTERACTION = 0.3
# every group of SHARED points to its own corner of a cube in the space of the three shared factors
_CORNERS = np.array(list(itertools.product((-1.0, 1.0), repeat=3))) / np.sqrt(3)


def plant_compounds(library: pd.DataFrame, settings: SimulateScreenSettings, rng: np.random.Generator) -> pd.DataFrame:
    """Draw the truth of every compound.

    - shared_1..3: presence of the groups in `SHARED`, each pointing to its own direction, plus a mild interaction of
      neighbouring groups; whitened over the library (uncorrelated, unit variance).
    - molecule_only: signed presence of the groups in `MOLECULE_ONLY`, uncorrelated with the shared factors.
    - cell_state: standard normal, uncorrelated with all of the above: biology that structure cannot tell.
    - active: whether the compound does anything; drawn independently of structure.
    - ec50_um: half-maximal concentration; log-normal, half a decade below the geometric mean of the doses.
    - toxicity: share of the cells lost at full response, rising with shared_1 + cell_state.

    Parameters
    ----------
    library : DataFrame
        compound_id, smiles.

    Returns
    -------
    DataFrame
        compound_id, the above, and mechanism (that of the compound's most telling shared group, or "unknown").
    """
    groups = substructure_factors(library[SMILES])
    shared = _shared_factors(groups[list(SHARED)].to_numpy(), rng)
    weights = rng.uniform(0.7, 1.3, len(MOLECULE_ONLY)) * rng.choice([-1.0, 1.0], len(MOLECULE_ONLY))
    molecule_only = _residual(groups[list(MOLECULE_ONLY)].to_numpy() @ weights, shared)
    state = _residual(rng.standard_normal(len(library)), np.column_stack([shared, molecule_only]))
    active = np.ones(len(library), dtype=bool)
    active[rng.permutation(len(library))[: round(settings.inactive_fraction * len(library))]] = False
    center = np.log10(settings.doses_um).mean() - 0.5
    return pd.DataFrame(
        {
            COMPOUND_ID: library[COMPOUND_ID],
            **dict(zip(SHARED_FACTORS, shared.T, strict=True)),
            CELL_STATE: state,
            MOLECULE_FACTOR: molecule_only,
            "active": active,
            "ec50_um": 10 ** rng.normal(center, 0.3, len(library)),
            "toxicity": np.where(active, 0.9 / (1 + np.exp(3 - 1.2 * (shared[:, 0] + state))), 0.0),
            "mechanism": _mechanisms(groups[list(SHARED)]),
        }
    )


def hill_response(dose_um: Array, ec50_um: Array) -> Array:
    """Share of the full effect at a dose: d^h / (d^h + EC50^h) with slope h = 1.5; doses and EC50 in uM."""
    return 1 / (1 + (ec50_um / dose_um) ** HILL_SLOPE)


def _shared_factors(presence: Array, rng: np.random.Generator) -> Array:
    directions = _CORNERS[rng.permutation(len(_CORNERS))] @ _rotation(rng)
    centred = presence - presence.mean(axis=0)
    pairs = centred * np.roll(centred, 1, axis=1)
    factors = centred @ directions + _INTERACTION * pairs @ directions[::-1]
    return _whiten(factors)


def _rotation(rng: np.random.Generator) -> Array:
    q, r = np.linalg.qr(rng.standard_normal((3, 3)))
    rotation: Array = q * np.sign(np.diag(r))
    return rotation


def _whiten(factors: Array) -> Array:
    centred = factors - factors.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    whitened: Array = centred @ (vectors / np.sqrt(np.maximum(values, 1e-9))) @ vectors.T
    return whitened


def _residual(values: Array, known: Array) -> Array:
    """Standardised part of `values` that is uncorrelated with the columns of `known`."""
    design = np.column_stack([np.ones(len(values)), known])
    rest = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    standardised: Array = rest / max(float(rest.std()), 1e-9)
    return standardised


def _mechanisms(presence: pd.DataFrame) -> list[str]:
    """Mechanism of the rarest group that a molecule has: the one that contributes most to its centred factors."""
    by_rarity = presence.mean().sort_values(kind="stable").index
    found = []
    for row in presence[by_rarity].to_numpy(dtype=bool):
        present = by_rarity[row]
        found.append(SHARED[present[0]][1] if len(present) else UNKNOWN_MECHANISM)
    return found
