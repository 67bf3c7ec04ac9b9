from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from dssl.errors import ConfigError, PairingError
from dssl.keys import MODALITIES, MOLECULE, PHENOTYPE
from dssl.model.gaussian_bottleneck import information_of_snr, snr
from dssl.model.held_out_correlations import held_out_correlations
from dssl.model.shared import SharedModel
from dssl.settings.learning import TrainSharedSettings, TrainSpecificSettings
from dssl.settings.screen import parse_screen
from dssl.training.data import TrainingData
from dssl.training.encode import encode
from dssl.training.gaussian import solve_shared, solve_specific
from dssl.training.linear_maps import residual_components
from dssl.training.saved import load_model, save_model
from dssl.training.shared import train_shared
from dssl.training.specific import train_specific

SHARED = TrainSharedSettings(solver="gaussian", gaussian={"ridge": [0.1, 1.0], "gains": "bottleneck"}, code={"size": 8})
SPECIFIC = TrainSpecificSettings(solver="gaussian", code={"size": 6})
BETA = 0.05


@pytest.fixture(scope="module")
def known(planted: Any) -> tuple[Any, Any, Any]:
    """Training, validation and new compounds."""
    return planted(200, 2, 0), planted(60, 2, 1), planted(400, 1, 2)


@pytest.fixture(scope="module")
def solved(known: tuple[Any, Any, Any]) -> Any:
    return solve_shared(known[0].data, known[1].data, SHARED, BETA)


def solve_with_ridge(known: Any, ridge: float) -> SharedModel:
    settings = SHARED.model_copy(update={"gaussian": SHARED.gaussian.model_copy(update={"ridge": [ridge]})})
    return solve_shared(known[0].data, known[1].data, settings, BETA)[0]


def features(model: SharedModel, data: Any) -> dict[str, np.ndarray]:
    inputs = {PHENOTYPE: data.pooled, MOLECULE: data.molecule}
    return {name: model.features(name, inputs[name]).numpy() for name in MODALITIES}


def r_squared(code: np.ndarray, target: np.ndarray) -> float:
    """Of a linear fit with intercept, mean over target columns."""
    design = np.column_stack([code, np.ones(len(code))])
    residual = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
    return float(1 - (residual**2).sum() / ((target - target.mean(axis=0)) ** 2).sum())


def test_features_have_the_optimal_signal_to_noise_ratio_on_new_compounds(known: Any, solved: Any) -> None:
    model, _, metrics = solved
    found = features(model, known[2].data)
    n_kept = int(metrics["n_kept"])
    assert 4 <= n_kept <= 8
    assert (np.abs(found[PHENOTYPE][:, n_kept:]) < 1e-9).all()
    first, second = found[PHENOTYPE][:, :4], found[MOLECULE][:, :4]
    correlations = (first * second).mean(axis=0) / np.sqrt((first**2).mean(axis=0) * (second**2).mean(axis=0))
    assert correlations.min() > 0.5
    for code in (first, second):
        # near a correlation of 1 the ratio is sensitive to it: within a factor of 2.2
        np.testing.assert_allclose(np.log((code**2).mean(axis=0)), np.log(snr(correlations, BETA)), atol=0.8)
    fresh = information_of_snr((first**2).mean(axis=0), correlations).totals()
    assert metrics["information_other"] == pytest.approx(fresh["information_other"], rel=0.25)


def test_information_is_that_of_held_out_correlations(known: Any, solved: Any) -> None:
    metrics = solved[2]
    inputs = known[0].data.pooled.double().numpy(), known[0].data.molecule.double().numpy()
    correlations = held_out_correlations(*inputs, metrics["ridge"]).correlations
    expected = information_of_snr(snr(correlations, BETA), correlations).totals()
    assert {name: metrics[name] for name in expected} == pytest.approx(expected)
    assert metrics["information_other"] < metrics["information_between"]


def test_the_shared_factor_is_kept_and_the_others_are_not(known: Any, solved: Any) -> None:
    found = features(solved[0], known[2].data)
    for modality in MODALITIES:
        assert r_squared(found[modality], known[2].shared) > 0.6
        assert r_squared(found[modality], known[2].own[modality]) < 0.5


def test_metrics_and_files_are_as_after_training(
    known: Any, solved: Any, small_shared: Any, small_specific: Any, tmp_path: Path
) -> None:
    train, validation = known[0].data, known[1].data
    neural, _, metrics = train_shared(train, validation, small_shared, BETA, 0)
    assert set(metrics) <= set(solved[2]) | {"beta_released_scale"}
    specific, history, found = solve_specific(solved[0], train, validation, SPECIFIC, 1.0)
    _, _, of_trained = train_specific(neural, train, validation, small_specific, 1.0, 0)
    assert set(of_trained) <= set(found)
    assert solved[2]["mrr"] > 5 / len(known[1].molecule)
    assert [record["epoch"] for record in history + solved[1]] == [1, 1]
    save_model(tmp_path / "model.safetensors", solved[0], specific, {"beta": BETA})
    loaded = load_model(tmp_path / "model.safetensors", torch.device("cpu"))[:2]
    inputs = known[2].phenotype.astype(np.float32), known[2].molecule.astype(np.float32)
    before, after = encode([(solved[0], specific)], *inputs), encode([loaded], *inputs)
    for modality in MODALITIES:
        np.testing.assert_array_equal(before.shared[modality], after.shared[modality])
        np.testing.assert_array_equal(before.specific[modality], after.specific[modality])


def test_nothing_is_random(known: Any, solved: Any) -> None:
    torch.manual_seed(7)
    state = torch.random.get_rng_state()
    again = solve_shared(known[0].data, known[1].data, SHARED, BETA)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert again[2] == solved[2]
    assert all(torch.equal(value, solved[0].state_dict()[name]) for name, value in again[0].state_dict().items())


def test_likelihood_gains(known: Any, solved: Any) -> None:
    settings = SHARED.model_copy(update={"gaussian": SHARED.gaussian.model_copy(update={"gains": "likelihood"})})
    model, _, metrics = solve_shared(known[0].data, known[1].data, settings, BETA)
    inputs = known[0].data.pooled.double().numpy(), known[0].data.molecule.double().numpy()
    rho = held_out_correlations(*inputs, metrics["ridge"]).correlations[: int(metrics["n_kept"])]
    weights, total = rho / (1 - rho**2), snr(rho, BETA).sum()
    optimal = solve_with_ridge(known, metrics["ridge"])
    found, best = (features(each, known[2].data)[PHENOTYPE][:, :4] for each in (model, optimal))
    # both codes are multiples of the same canonical coordinates
    ratio = ((found / best) ** 2).mean(axis=0)
    np.testing.assert_allclose(ratio, (weights * total / weights.sum() / snr(rho, BETA))[:4], rtol=1e-3)
    exact = information_of_snr(weights * total / weights.sum(), rho).totals()
    assert metrics["information_other"] == pytest.approx(exact["information_other"], rel=1e-6)


def test_residual_is_uncorrelated_with_the_shared_features_and_holds_the_rest(known: Any, solved: Any) -> None:
    specific, _, metrics = solve_specific(solved[0], known[0].data, known[1].data, SPECIFIC, 1.0)
    for sample in (known[0], known[2]):
        shared = features(solved[0], sample.data)
        for modality, inputs in ((PHENOTYPE, sample.data.pooled), (MOLECULE, sample.data.molecule)):
            code = solved[0].code(modality, inputs)
            residual = specific.distribution(modality, inputs, code).mean.numpy()
            if sample is known[0]:
                both = np.corrcoef(shared[modality][:, :4].T, residual[:, :4].T)
                assert np.abs(both[:4, 4:]).max() < 1e-4
                assert residual[:, :4].std(axis=0).min() >= 0.99
            else:
                assert r_squared(residual, sample.own[modality]) > 0.5
                assert r_squared(residual, sample.shared) < 0.4
    assert metrics["n_components_phenotype"] == 6


def test_a_price_that_nothing_is_worth_gives_a_zero_code(known: Any, caplog: pytest.LogCaptureFixture) -> None:
    model, _, metrics = solve_shared(known[0].data, known[1].data, SHARED, 1000.0)
    assert "beta 1000: no direction" in caplog.text
    assert metrics["n_kept"] == metrics["information_own"] == 0
    assert not model.code(PHENOTYPE, known[1].data.pooled).any()
    assert metrics["mean_normalized_rank"] == 0.5


def test_residual_of_inputs_that_are_all_shared_is_empty() -> None:
    inputs = np.random.default_rng(0).normal(size=(30, 3))
    assert residual_components(inputs, np.eye(3), 2).weights.shape == (3, 0)


@pytest.mark.parametrize(
    ("change", "beta", "message"),
    [({}, 0.0, "expected beta > 0, found 0"), ({"kl_scale": "released"}, 0.1, "a scale of vmf codes")],
)
def test_refuses_settings_without_a_closed_form(known: Any, change: dict[str, str], beta: float, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        solve_shared(known[0].data, known[1].data, SHARED.model_copy(update=change), beta)


def test_refuses_a_neural_shared_model_and_few_compounds(known: Any, planted: Any, small_shared: Any) -> None:
    neural = SharedModel(12, 12, small_shared.encoder, small_shared.code, small_shared.contrastive)
    with pytest.raises(ConfigError, match="needs linear shared encoders"):
        solve_specific(neural, known[0].data, known[1].data, SPECIFIC, 1.0)
    with pytest.raises(PairingError, match="at least 10 training compounds, found 6"):
        solve_shared(planted(6, 1, 0).data, known[1].data, SHARED, BETA)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"train_specific": {"solver": "gaussian"}}, "needs train_shared.solver: gaussian"),
        ({"train_shared": {"solver": "gaussian"}, "sweep": {"beta": [0, 0.1]}}, "needs sweep.beta above 0"),
        ({"train_shared": {"solver": "gaussian", "kl_scale": "released"}}, "needs kl_scale: nats"),
        ({"train_shared": {"solver": "gaussian"}, "train_specific": {"joint_alpha": 9}}, "joint_alpha"),
    ],
)
def test_screens_whose_solvers_do_not_fit_are_refused(sections: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_screen({"screen": "s", "simulate_screen": {}, **sections}, "screen.yaml")


@pytest.mark.parametrize("change", [{"joint_alpha": 5.0}, {"dependence": "nce_club"}])
def test_nothing_is_trained_in_closed_form(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="solver: gaussian trains nothing"):
        TrainSpecificSettings(solver="gaussian", **change)


def test_of_ridges_that_find_every_match_the_one_that_fits_best_is_taken() -> None:
    """Without noise every ridge retrieves all; a large one mixes what is shared with what is strong."""
    rng = np.random.default_rng(0)
    mixing = [rng.normal(size=(8, 8)) * np.geomspace(0.3, 1, 8)[:, None] for _ in range(2)]

    def pairs(n: int) -> TrainingData:
        shared = rng.normal(size=(n, 4))
        first, second = (np.hstack([shared, rng.normal(size=(n, 4))]) @ each for each in mixing)
        return TrainingData.from_arrays(first, np.arange(n), second)

    train, validation = pairs(2000), pairs(20)
    ridges = [1e-6, 1e-3]
    settings = SHARED.model_copy(update={"gaussian": SHARED.gaussian.model_copy(update={"ridge": ridges})})
    _, _, metrics = solve_shared(train, validation, settings, BETA)
    one = SHARED.model_copy(update={"gaussian": SHARED.gaussian.model_copy(update={"ridge": [1e-3]})})
    assert solve_shared(train, validation, one, BETA)[2]["mrr"] == metrics["mrr"] == 1
    assert metrics["ridge"] == 1e-6
