"""Counterfactual profiles: the decoder of a task, chosen on validation compounds, and the controls beside it."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from dssl import keys
from dssl.evaluation.counterfactual_parts import (
    ABSOLUTE,
    RELATIVE,
    SHIFT,
    SWAP,
    InputsOf,
    base,
    both,
    compound_weights,
    difference,
    mean_error,
    nearest_profiles,
    relative_targets,
    residual,
    structure_codes,
    structure_inputs,
    transfer_codes,
    transfer_inputs,
)
from dssl.evaluation.counterfactual_queries import Queries, Units, mean_of
from dssl.training.decoder import Decoder, Strength, fit_decoders, refit

Floats = NDArray[np.float64]
TRANSFER, STRUCTURE = "transfer", "structure"
TASKS = (TRANSFER, STRUCTURE)
# what a decoder was fitted to: a profile from its own codes, or from the codes of the query
RECONSTRUCTION, QUERIES = "reconstruction", "queries"
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the source's residual that are tried
SHRINKAGES = tuple(np.linspace(0, 1, 21).tolist())
FEWEST_QUERIES = 10  # of training compounds, for a decoder of queries
MODEL = "dssl"
PLAIN_SWAP = "dssl_plain_swap"
RIDGE = {TRANSFER: "profile_ridge", STRUCTURE: "molecule_ridge"}


@dataclass(frozen=True)
class Choice:
    """How a task's profiles are predicted, and its error on validation compounds (per feature, training variances)."""

    fitted_to: str
    arrangement: str
    strength: Strength
    share: float
    error: float


@dataclass(frozen=True, eq=False)
class FittedTask:
    """What predicts the profiles of one task.

    Attributes
    ----------
    choice : how.
    decoder : of the whole ensemble's codes.
    members : the same of every member's own codes, where there are several.
    control : ridge regression from the model's inputs in place of its codes.
    control_arrangement, shrinkage : how the control is put together; share of the difference that the shrunken mean
        shift keeps. Chosen on validation compounds as well.
    spread : (p,) root mean square error of every feature on validation compounds.
    """

    choice: Choice
    decoder: Decoder
    members: tuple[Decoder, ...]
    control: Decoder
    control_arrangement: str
    shrinkage: float
    spread: Floats


@dataclass(frozen=True, eq=False)
class Parts:
    """What a task is fitted on: queries of training and of validation compounds, and the members' columns of the codes."""

    units: Units
    train: Queries
    validation: Queries
    members: Sequence[NDArray[np.int64]]
    kernel_rows: int
    seed: int
    trials: list[dict[str, object]] = field(default_factory=list)


def fit_transfer(parts: Parts, reconstruct: tuple[Strength, Decoder]) -> FittedTask:
    """Choose among decoders fitted to queries, the plain reconstruction, both arrangements and shares of the residual."""
    units, validation = parts.units, parts.validation
    candidates = []
    left = residual(units, validation, reconstruct[1])
    for arrangement in (SWAP, SHIFT):
        given = transfer_codes(units, validation, arrangement)
        rng = np.random.default_rng(parts.seed)
        known = transfer_codes(units, parts.train, arrangement), units.profiles[parts.train.target]
        decoders = fit_decoders(*known, parts.kernel_rows, rng)
        fitted = [(RECONSTRUCTION, *reconstruct), *((QUERIES, *found) for found in decoders)]
        for fitted_to, strength, decoder in fitted:
            predicted = decoder(given)
            for share in SHARES:
                error = mean_error(validation, units.profiles, predicted + share * left)
                candidates.append((Choice(fitted_to, arrangement, strength, share, error), decoder))
    choice, decoder = _best(parts, TRANSFER, candidates)
    if choice.fitted_to == QUERIES:
        known = transfer_codes(units, parts.train, choice.arrangement), units.profiles[parts.train.target]
    else:
        rows = units.rows(keys.TRAIN)
        known = both(units)[rows], units.profiles[rows]
    moved = difference(units.profiles, validation)
    reference = mean_of(validation.reference, units.profiles)
    shrinkage = min(SHRINKAGES, key=lambda keep: mean_error(validation, units.profiles, reference + keep * moved))
    control, arrangement = _fit_control(parts, [RELATIVE], transfer_inputs)
    predicted = decoder(transfer_codes(units, validation, choice.arrangement)) + choice.share * left
    return FittedTask(
        choice, decoder, _members(parts, choice, *known), control, arrangement, shrinkage, _spread(parts, predicted)
    )


def fit_structure(parts: Parts) -> FittedTask:
    """Choose among decoders of the profile and of its difference from the references' mean."""
    units, validation = parts.units, parts.validation
    given, known = structure_codes(units, validation), structure_codes(units, parts.train)
    candidates = []
    for arrangement in (ABSOLUTE, RELATIVE):
        rng = np.random.default_rng(parts.seed)
        targets = relative_targets(units, parts.train, arrangement)
        for strength, decoder in fit_decoders(known, targets, parts.kernel_rows, rng):
            predicted = decoder(given) + base(units, validation, arrangement)
            error = mean_error(validation, units.profiles, predicted)
            candidates.append((Choice(QUERIES, arrangement, strength, 0.0, error), decoder))
    choice, decoder = _best(parts, STRUCTURE, candidates)
    members = _members(parts, choice, known, relative_targets(units, parts.train, choice.arrangement))
    control, arrangement = _fit_control(parts, [ABSOLUTE, RELATIVE], structure_inputs)
    predicted = decoder(given) + base(units, validation, choice.arrangement)
    return FittedTask(choice, decoder, members, control, arrangement, 1.0, _spread(parts, predicted))


def predict_task(
    units: Units,
    queries: Queries,
    task: str,
    fitted: FittedTask,
    reconstruct: Decoder,
    columns: Sequence[NDArray[np.int64]],
) -> tuple[Floats, Floats]:
    """Predicted profiles (n, p), and the members' standard deviation about their mean (NaN for one member)."""
    choice = fitted.choice
    if task == TRANSFER:
        codes = transfer_codes(units, queries, choice.arrangement)
        added = choice.share * residual(units, queries, reconstruct)
    else:
        codes, added = structure_codes(units, queries), base(units, queries, choice.arrangement)
    predicted = fitted.decoder(codes) + added
    if not fitted.members:
        return predicted, np.full_like(predicted, np.nan)
    each = [decoder(codes[:, chosen]) for decoder, chosen in zip(fitted.members, columns, strict=True)]
    return predicted, np.std(each, axis=0, ddof=1)


def predict_controls(
    units: Units, queries: Queries, task: str, fitted: FittedTask, reconstruct: Decoder
) -> dict[str, Floats]:
    """Profiles by every control; "mean_profile" is that of all training wells, which is the zero of the units."""
    reference = mean_of(queries.reference, units.profiles)
    found = {"mean_profile": np.zeros_like(reference), "context_mean": reference}
    if task == STRUCTURE:
        found["nearest_neighbor"] = nearest_profiles(units, queries, units.structure[queries.own], units.structure)
        inputs = structure_inputs(units, queries)
    else:
        source, moved = mean_of(queries.source, units.profiles), difference(units.profiles, queries)
        found["no_change"], found["mean_shift"] = source, reference + moved
        found["mean_shift_shrunken"] = reference + fitted.shrinkage * moved
        found["nearest_neighbor"] = nearest_profiles(units, queries, reference + moved, units.profiles)
        found[PLAIN_SWAP] = reconstruct(transfer_codes(units, queries, SWAP))
        inputs = transfer_inputs(units, queries)
    found[RIDGE[task]] = fitted.control(inputs) + base(units, queries, fitted.control_arrangement)
    return found


def _best(parts: Parts, task: str, candidates: list[tuple[Choice, Decoder]]) -> tuple[Choice, Decoder]:
    for choice, _ in candidates:
        parts.trials.append({"task": task, "method": MODEL, **_flat(choice)})
    return min(candidates, key=lambda candidate: candidate[0].error)


def _flat(choice: Choice) -> dict[str, object]:
    named = asdict(choice)
    strength = named.pop("strength")
    return {**named, **strength}


def _members(parts: Parts, choice: Choice, codes: Floats, targets: Floats) -> tuple[Decoder, ...]:
    if len(parts.members) < 2:
        return ()
    rng = np.random.default_rng(parts.seed)
    return tuple(
        refit(choice.strength, codes[:, columns], targets, parts.kernel_rows, rng) for columns in parts.members
    )


def _fit_control(parts: Parts, arrangements: list[str], inputs_of: InputsOf) -> tuple[Decoder, str]:
    units, validation = parts.units, parts.validation
    found: list[tuple[Choice, Decoder]] = []
    for arrangement in arrangements:
        for strength, decoder in _linear(parts, arrangement, inputs_of):
            predicted = decoder(inputs_of(units, validation)) + base(units, validation, arrangement)
            error = mean_error(validation, units.profiles, predicted)
            found.append((Choice(QUERIES, arrangement, strength, 0.0, error), decoder))
    choice, decoder = min(found, key=lambda candidate: candidate[0].error)
    parts.trials.extend({"method": "ridge_control", **_flat(each)} for each, _ in found)
    return decoder, choice.arrangement


def _linear(parts: Parts, arrangement: str, inputs_of: InputsOf) -> Iterator[tuple[Strength, Decoder]]:
    known = inputs_of(parts.units, parts.train), relative_targets(parts.units, parts.train, arrangement)
    yield from fit_decoders(*known, 0, np.random.default_rng(parts.seed))


def _spread(parts: Parts, predicted: Floats) -> Floats:
    squared = (parts.units.profiles[parts.validation.target] - predicted) ** 2
    return np.asarray(np.sqrt(compound_weights(parts.validation) @ squared))
