"""Planted screens in which it is known what a profile would be in another context."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dssl import keys
from dssl.errors import PairingError
from dssl.evaluation.counterfactual_parts import compound_weights, nearest_profiles, transfer_codes
from dssl.evaluation.counterfactual_queries import (
    CONTEXT,
    Queries,
    Units,
    mean_of,
    measured_pairs,
    structure_queries,
    transfer_queries,
)
from dssl.evaluation.counterfactuals import score_queries
from dssl.training.counterfactuals import (
    MODEL,
    PLAIN_SWAP,
    RIDGE,
    STRUCTURE,
    TRANSFER,
    FittedTask,
    Parts,
    fit_structure,
    fit_transfer,
    predict_controls,
    predict_task,
)
from dssl.training.decoder_file import FittedContext, Scaling, load_decoders, save_decoders
from dssl.training.reconstruction import BOTH, explained_variance, fit_reconstructions

NOISE, N_FEATURES, N_CONTEXTS, SEED = 0.3, 20, 4, 0
MEMBERS = [np.array([0, 1, 6, 7, 8]), np.array([2, 3, 4, 5, 9, 10, 11])]
BUILD = {TRANSFER: transfer_queries, STRUCTURE: structure_queries}


def planted(context_effect: float = 1.5, seed: int = 0) -> tuple[Units, np.ndarray]:
    """Units of profiles = shared factors A + context factors B + noise, and the profiles without the noise.

    The shared code holds the compound's factors and the specific code those of the context, both times with noise of
    their own; the molecule knows four of the six factors.
    """
    rng = np.random.default_rng(seed)
    factors, states = rng.normal(size=(120, 6)), context_effect * rng.normal(size=(N_CONTEXTS, 6))
    maps = rng.normal(size=(2, 6, N_FEATURES)) / np.sqrt(6)
    compound, context = (found.ravel() for found in np.meshgrid(range(120), range(N_CONTEXTS), indexing="ij"))
    roles = np.where(np.arange(120) < 70, keys.TRAIN, np.where(np.arange(120) < 90, keys.VALIDATION, keys.TEST))
    ids = [f"C{number}" for number in compound]
    obs = pd.DataFrame({keys.COMPOUND_ID: ids, keys.TREATMENT: ids, CONTEXT: [f"P{k}" for k in context]})
    obs[keys.SPLIT] = roles[compound]
    clean = factors[compound] @ maps[0] + states[context] @ maps[1]
    shared = factors[compound] + 0.05 * rng.normal(size=(len(compound), 6))
    specific = states[context] + 0.05 * rng.normal(size=(len(compound), 6))
    profiles = clean + NOISE * rng.normal(size=clean.shape)
    molecule = factors[compound] * (np.arange(6) < 4)
    return Units(
        obs, profiles, profiles @ rng.normal(size=(N_FEATURES, 8)), shared, specific, molecule, molecule
    ), clean


def queries_of(units: Units, task: str, role: str) -> Queries:
    pairs = measured_pairs(units.obs, role, N_CONTEXTS, np.random.default_rng(SEED))
    return BUILD[task](units.obs, pairs, 3)[0]


def fit(units: Units, task: str, kernel_rows: int = 40) -> tuple[FittedTask, dict]:
    decoders, strength, _, trials = fit_reconstructions(units, 12, kernel_rows, SEED)
    rows = (queries_of(units, task, role) for role in (keys.TRAIN, keys.VALIDATION))
    parts = Parts(units, *rows, MEMBERS, kernel_rows, SEED, trials)
    fitted = fit_transfer(parts, (strength, decoders[BOTH])) if task == TRANSFER else fit_structure(parts)
    return fitted, decoders


def r2_by_method(units: Units, task: str) -> dict[str, float]:
    fitted, decoders = fit(units, task)
    queries = queries_of(units, task, keys.TEST)
    found = predict_controls(units, queries, task, fitted, decoders[BOTH])
    found[MODEL] = predict_task(units, queries, task, fitted, decoders[BOTH], MEMBERS)[0]
    scores = {name: score_queries(queries, units.profiles, predicted) for name, predicted in found.items()}
    return {name: 1 - table["squared_error"].mean() / table["truth_square"].mean() for name, table in scores.items()}


def ceiling(units: Units, clean: np.ndarray, role: str = keys.TEST) -> float:
    """R2 of the profiles without their noise."""
    rows = units.rows(role)
    return 1 - ((units.profiles - clean)[rows] ** 2).sum() / (units.profiles[rows] ** 2).sum()


def test_a_swap_reaches_the_noise_ceiling_and_beats_every_control() -> None:
    units, clean = planted()
    found = r2_by_method(units, TRANSFER)
    assert found[MODEL] > ceiling(units, clean) - 0.01
    # where profiles are linear in the codes, single profiles teach the decoder as much, and ridge regression knows all
    rivals = {name: value for name, value in found.items() if name not in (MODEL, PLAIN_SWAP, RIDGE[TRANSFER])}
    assert all(found[MODEL] > value + 0.005 for value in rivals.values())
    assert found[PLAIN_SWAP] == pytest.approx(found[MODEL], abs=0.01)
    # the difference of contexts is known but for the noise of the source, which three contexts reduce
    assert ceiling(units, clean) > found["mean_shift"] > 2 * ceiling(units, clean) - 1
    assert found["mean_shift_shrunken"] >= found["mean_shift"] - 1e-3
    assert found["no_change"] < found["mean_shift"]


def test_a_structure_tells_what_it_knows_and_the_context_the_rest() -> None:
    units, clean = planted()
    found = r2_by_method(units, STRUCTURE)
    assert found["context_mean"] < found[MODEL] < ceiling(units, clean)
    untold = replace(units, molecule=np.random.default_rng(5).normal(size=units.molecule.shape))
    assert r2_by_method(untold, STRUCTURE)[MODEL] == pytest.approx(found["context_mean"], abs=0.03)


def test_a_context_without_information_adds_nothing() -> None:
    units, _ = planted(context_effect=0.0)
    found = r2_by_method(units, TRANSFER)
    assert found["context_mean"] == pytest.approx(0, abs=0.05)
    assert found["mean_shift"] == pytest.approx(found["no_change"], abs=0.02)
    decoders, _, axes, _ = fit_reconstructions(units, 12, 0, SEED)
    explained = explained_variance(units, decoders, axes, units.rows(keys.TEST))
    assert explained["r2_specific"].mean() < 0.01
    assert explained["r2_chance"].mean() < 0.01
    assert explained["r2_both"].mean() == pytest.approx(explained["r2_shared"].mean(), abs=0.02)
    # without noise in the codes only that of the profiles is left, which principal components explain too
    assert (explained["r2_pca"] > explained["r2_both"]).all()


def test_contexts_that_validation_compounds_lack_are_refused() -> None:
    units, _ = planted()
    trained = units.obs.assign(**{keys.SPLIT: keys.TRAIN})
    with pytest.raises(PairingError, match=r"found 480 and 0\nName a column in train_decoder.contexts"):
        fit_reconstructions(replace(units, obs=trained), 12, 0, SEED)


def test_prediction_against_another_compound_is_chance() -> None:
    units, _ = planted(context_effect=0.0)
    fitted, decoders = fit(units, TRANSFER, 0)
    queries = queries_of(units, TRANSFER, keys.TEST)
    predicted, _ = predict_task(units, queries, TRANSFER, fitted, decoders[BOTH], MEMBERS)
    scores = score_queries(queries, units.profiles, predicted)
    assert scores["cosine"].mean() > 0.9
    assert scores["chance_cosine"].mean() == pytest.approx(0, abs=0.06)


@pytest.mark.parametrize("task", [TRANSFER, STRUCTURE])
def test_nothing_is_fitted_on_test_rows(task: str, tmp_path: Path) -> None:
    units, _ = planted()
    rng, tested = np.random.default_rng(7), units.rows(keys.TEST)
    arrays = {name: value.copy() for name, value in vars(units).items() if name != "obs"}
    for values in arrays.values():
        values[tested] = 100 * rng.normal(size=values[tested].shape)
    contents = []
    for each in (units, Units(units.obs, **arrays)):
        fitted, decoders = fit(each, task)
        path = tmp_path / "decoder.safetensors"
        context = FittedContext(decoders, fitted.choice.strength, np.eye(3), {task: fitted}, {})
        save_decoders(path, Scaling(("f",), np.zeros(1), np.ones(1)), {"plate": context}, {})
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.parametrize("task", [TRANSFER, STRUCTURE])
def test_the_measured_profile_is_not_used_to_predict_it(task: str) -> None:
    units, _ = planted()
    fitted, decoders = fit(units, task)
    queries = queries_of(units, task, keys.TEST)
    before = predict_task(units, queries, task, fitted, decoders[BOTH], MEMBERS)[0]
    for row in (0, 41):
        changed = replace(units, **{name: getattr(units, name).copy() for name in ("profiles", "shared", "specific")})
        for name in ("profiles", "shared", "specific"):
            getattr(changed, name)[queries.target[row]] = 99.0
        after = predict_task(changed, queries, task, fitted, decoders[BOTH], MEMBERS)[0]
        np.testing.assert_array_equal(after[row], before[row])


def test_controls_are_those_of_a_plain_loop() -> None:
    units, _ = planted()
    fitted, decoders = fit(units, TRANSFER, 0)
    queries = queries_of(units, TRANSFER, keys.TEST)
    found = predict_controls(units, queries, TRANSFER, fitted, decoders[BOTH])
    x, obs = units.profiles, units.obs
    for row in (0, 17, 60):
        compound, context = queries.obs.loc[row, [keys.COMPOUND_ID, CONTEXT]]
        others = obs[CONTEXT] != context
        own = x[(obs[keys.COMPOUND_ID] == compound) & others].mean(axis=0)
        training = obs[keys.SPLIT] == keys.TRAIN
        here, there = x[training & ~others], x[training & others].mean(axis=0)
        np.testing.assert_allclose(found["no_change"][row], own)
        np.testing.assert_allclose(found["context_mean"][row], here.mean(axis=0))
        shift = here.mean(axis=0) + own - there
        np.testing.assert_allclose(found["mean_shift"][row], shift)
        shrunken = here.mean(axis=0) + fitted.shrinkage * (own - there)
        np.testing.assert_allclose(found["mean_shift_shrunken"][row], shrunken)
        about = here - here.mean(axis=0)
        cosines = [a @ (own - there) / np.linalg.norm(a) for a in about]
        np.testing.assert_allclose(found["nearest_neighbor"][row], here[int(np.argmax(cosines))])
    nearest = nearest_profiles(units, queries, x[queries.own], x)
    assert nearest.shape == (len(queries), N_FEATURES)
    np.testing.assert_allclose(compound_weights(queries), 1 / len(queries))


def test_a_shifted_code_keeps_what_is_the_compounds_own() -> None:
    units, _ = planted()
    queries = queries_of(units, TRANSFER, keys.TEST)
    swapped, shifted = (transfer_codes(units, queries, how) for how in ("swap", "shift"))
    np.testing.assert_array_equal(swapped[:, :6], shifted[:, :6])
    own = mean_of(queries.source, units.specific) - mean_of(queries.origin, units.specific)
    np.testing.assert_allclose(shifted[:, 6:] - swapped[:, 6:], own)


def test_intervals_cover_held_out_profiles_and_members_disagree() -> None:
    units, _ = planted()
    fitted, decoders = fit(units, TRANSFER)
    queries = queries_of(units, TRANSFER, keys.TEST)
    predicted, member_sd = predict_task(units, queries, TRANSFER, fitted, decoders[BOTH], MEMBERS)
    error = units.profiles[queries.target] - predicted
    assert np.mean(np.abs(error) < 1.96 * fitted.spread) == pytest.approx(0.95, abs=0.02)
    assert (member_sd > 0).all()


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[FittedContext], tuple[Path, FittedContext]]:
    def save(context: FittedContext) -> tuple[Path, FittedContext]:
        path = tmp_path / "decoder.safetensors"
        save_decoders(
            path, Scaling(("a", "b"), np.array([1.0, 2.0]), np.ones(2)), {"cell line": context}, {"fold": "0"}
        )
        scaling, contexts, metadata = load_decoders(path)
        assert scaling.names == ("a", "b")
        assert metadata == {"fold": "0"}
        return path, contexts["cell line"]

    return save


def test_decoders_come_back_from_their_file(saved: Callable[[FittedContext], tuple[Path, FittedContext]]) -> None:
    units, _ = planted()
    decoders, strength, axes, _ = fit_reconstructions(units, 12, 30, SEED)
    tasks = {task: fit(units, task, 30)[0] for task in BUILD}
    path, again = saved(FittedContext(decoders, strength, axes, tasks, {"other": "too few"}))
    assert again.unfitted == {"other": "too few"}
    assert again.strength == strength
    for task, fitted in tasks.items():
        queries = queries_of(units, task, keys.TEST)
        for one, other in zip(
            predict_task(units, queries, task, fitted, decoders[BOTH], MEMBERS),
            predict_task(units, queries, task, again.tasks[task], again.reconstructions[BOTH], MEMBERS),
            strict=True,
        ):
            np.testing.assert_array_equal(one, other)
        assert again.tasks[task].choice == fitted.choice
    first = path.read_bytes()
    saved(again)
    assert path.read_bytes() == first
