"""Decoders of a profile from its own codes, and how much of every feature's variance they explain."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.errors import PairingError
from dssl.evaluation.counterfactual_parts import both
from dssl.evaluation.counterfactual_queries import Units
from dssl.training.decoder import Decoder, Strength, fit_decoders, refit

Floats = NDArray[np.float64]
SHARED, SPECIFIC, BOTH, INPUTS, CHANCE, PCA = "shared", "specific", "both", "inputs", "chance", "pca"
SOURCES = (SHARED, SPECIFIC, BOTH, CHANCE, INPUTS, PCA)


def given(units: Units, name: str) -> Floats:
    """What the reconstruction of a name is made from."""
    return {SHARED: units.shared, SPECIFIC: units.specific, INPUTS: units.inputs}.get(name, both(units))


def fit_reconstructions(
    units: Units, n_axes: int, kernel_rows: int, seed: int
) -> tuple[dict[str, Decoder], Strength, Floats, list[dict[str, object]]]:
    """Fit on training rows, choose on validation rows.

    Parameters
    ----------
    units : profiles and codes.
    n_axes : principal axes to keep: dimensions of the codes of one member of the ensemble.
    kernel_rows, seed : see `dssl.training.decoder.fit_decoders`.

    Returns
    -------
    decoders : by name; "chance" has the strength of "both" and permuted rows.
    strength : of "both".
    axes : (p, n_axes) principal axes of the training profiles, or fewer where there are not so many.
    trials : validation error of every strength.

    Raises
    ------
    PairingError
        If there are no validation rows, or fewer than two training rows.
    """
    train, validation = units.rows(keys.TRAIN), units.rows(keys.VALIDATION)
    if len(train) < 2 or not len(validation):
        raise PairingError(
            f"train_decoder: expected 2 training profiles and 1 of validation compounds, found {len(train)} and "
            f"{len(validation)}\nName a column in train_decoder.contexts that has a value in most wells."
        )
    decoders: dict[str, Decoder] = {}
    trials: list[dict[str, object]] = []
    chosen = Strength("", 0.0, 0.0)
    for name in (SHARED, SPECIFIC, INPUTS, BOTH):
        codes = given(units, name)
        best = np.inf
        fitted = fit_decoders(codes[train], units.profiles[train], kernel_rows, np.random.default_rng(seed))
        for strength, decoder in fitted:
            error = float(((units.profiles[validation] - decoder(codes[validation])) ** 2).mean())
            trials.append({"task": "reconstruction", "method": name, **vars(strength), "error": error})
            if error < best:
                best, chosen, decoders[name] = error, strength, decoder
    rng = np.random.default_rng(seed)
    permuted = given(units, BOTH)[rng.permutation(train)]
    decoders[CHANCE] = refit(chosen, permuted, units.profiles[train], kernel_rows, rng)
    return decoders, chosen, _axes(units.profiles[train], n_axes), trials


def explained_variance(
    units: Units, decoders: Mapping[str, Decoder], axes: Floats, rows: NDArray[np.int64]
) -> pd.DataFrame:
    """R2 of every feature over the given rows, about the mean of training wells.

    Returns
    -------
    DataFrame
        A row for each feature: r2_<source> for SOURCES, and variance: mean square of the rows. "pca" projects the
        profile itself onto `axes`; "inputs" is what the encoders see.
    """
    profiles = units.profiles[rows]
    predicted = {name: decoder(given(units, name)[rows]) for name, decoder in decoders.items()}
    predicted[PCA] = profiles @ axes @ axes.T
    variance = (profiles**2).mean(axis=0)
    safe = np.where(variance > 0, variance, np.nan)
    found = {f"r2_{name}": 1 - ((profiles - predicted[name]) ** 2).mean(axis=0) / safe for name in SOURCES}
    return pd.DataFrame({**found, "variance": variance})


def _axes(profiles: Floats, n: int) -> Floats:
    return np.asarray(np.linalg.svd(profiles, full_matrices=False)[2][:n].T)
