"""Codes of new inputs from one model or an ensemble."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator

from dssl.errors import PairingError
from dssl.keys import MOLECULE, PHENOTYPE
from dssl.model.distributions import unit_codes
from dssl.model.shared import SharedModel
from dssl.model.specific import SpecificModel

Floats = NDArray[np.float32]
Models = Sequence[tuple[SharedModel, SpecificModel | None]]
CHUNK_ROWS = 8192
SMALLEST_SPREAD = 1e-3  # of a collapsed code, which tells nothing apart


@dataclass(frozen=True)
class Codes:
    """Codes by modality ("phenotype", "molecule"); a modality is there if its inputs were given.

    Attributes
    ----------
    shared, specific : dict of str to array, (n, sum of the models' d)
        Unit vectors, model after model; the dot product of two rows is the mean over the models, weighted as `weights`
        says, of their cosines. `specific` is empty if a model has no step 2.
    """

    shared: dict[str, Floats]
    specific: dict[str, Floats]


def encode(
    models: Models, phenotype: Floats | None, molecule: Floats | None, generator: Generator | None = None
) -> Codes:
    """Mean directions of the codes, or draws from them; without view noise or dropout. Shared codes are centred.

    Parameters
    ----------
    models : sequence of (SharedModel, SpecificModel or None)
        An ensemble: the models' unit vectors are concatenated, each times the root of its weight (`weights`).
    phenotype, molecule : array, (n, k1) and (n, k2), or None
        Preprocessed inputs; their rows need not match.
    generator : Generator on the CPU, optional
        Draw each code from its distribution p(z|x) instead of giving its mean direction. What a code carries is a
        matter of its draws: a linear map of the mean can read traces that lie far below the code's own noise.

    Raises
    ------
    PairingError
        If there is no model, or an input has another number of columns than the models were trained on.
    """
    if not models:
        raise PairingError("encode: expected at least one trained model, found none")
    inputs = {name: array for name, array in ((PHENOTYPE, phenotype), (MOLECULE, molecule)) if array is not None}
    roots = np.sqrt(weights(models)).astype(np.float32)
    shared: dict[str, Floats] = {}
    specific: dict[str, Floats] = {}
    for modality, array in inputs.items():
        parts = [_encode_one(*pair, modality, array, generator) for pair in models]
        shared[modality] = _joined([part[0] for part in parts], roots)
        seconds = [part[1] for part in parts if part[1] is not None]
        if len(seconds) == len(parts):
            specific[modality] = _joined(seconds, roots)
    return Codes(shared, specific)


def weights(models: Models) -> NDArray[np.float64]:
    """Weight (m,) of each model in an ensemble, summing to one.

    The cosines of one model can spread ten times as far as another's (those of the closed form do, and centred ones), so
    that each model weighs by the inverse of its spread, and kinds have the same say in the order, however many models
    are of one kind.
    """
    found = np.array(kinds(models))
    spreads = np.array([max(float(shared.spread), SMALLEST_SPREAD) for shared, _ in models])
    weight = 1 / (np.bincount(found)[found] * spreads)
    return np.asarray(weight / weight.sum())


def side_by_side(codes: Sequence[NDArray[Any]], spreads: Sequence[float]) -> Floats:
    """Unit vectors (n, d) of models of one kind as one (n, sum of d): a cosine is the mean of theirs, each by its inverse spread."""
    weight = np.array([1 / max(spread, SMALLEST_SPREAD) for spread in spreads])
    roots = np.sqrt(weight / weight.sum())
    joined = np.concatenate([root * code for root, code in zip(roots, codes, strict=True)], axis=1)
    return np.asarray(joined, dtype=np.float32)


def kinds(models: Models) -> list[int]:
    """Kind of each model, numbered as they come: models are of one kind if their encoders and codes have one setting."""
    settings = [(shared.encoder_settings, shared.code_settings) for shared, _ in models]
    different = [one for row, one in enumerate(settings) if one not in settings[:row]]
    return [different.index(one) for one in settings]


def _joined(parts: Sequence[Floats], roots: Floats) -> Floats:
    """Concatenated unit vectors, again of length one."""
    return np.concatenate([part * root for part, root in zip(parts, roots, strict=True)], axis=1)


def _encode_one(
    shared_model: SharedModel,
    specific_model: SpecificModel | None,
    modality: str,
    array: Floats,
    generator: Generator | None,
) -> tuple[Floats, Floats | None]:
    expected = shared_model.input_sizes[modality]
    if array.ndim != 2 or array.shape[1] != expected:
        raise PairingError(
            f"encode: the model takes {expected} {modality} inputs, found an array of shape {array.shape}\n"
            "Preprocess new data with the state that was saved beside the model."
        )
    shared_model.eval()
    if specific_model is not None:
        specific_model.eval()
    device = shared_model.contrast.log_temperature.device
    size = shared_model.code_settings.size
    shared = np.empty((len(array), size), dtype=np.float32)
    specific = None if specific_model is None else np.empty((len(array), specific_model.settings.code.size), np.float32)
    with torch.no_grad():
        for start in range(0, len(array), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            inputs = torch.from_numpy(np.array(array[rows], dtype=np.float32)).to(device)
            distribution = shared_model.distribution(modality, inputs)
            shared[rows] = shared_model.centers(modality, unit_codes(distribution, generator)).cpu().numpy()
            if specific_model is not None and specific is not None:
                part = specific_model.shared_part(shared_model, modality, inputs)
                distribution = specific_model.distribution(modality, inputs, part)
                specific[rows] = unit_codes(distribution, generator).cpu().numpy()
    return shared, specific
