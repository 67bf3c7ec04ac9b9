import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import RidgeCV

from dssl.errors import ConfigError, NonFiniteLossError, PairingError
from dssl.keys import MOLECULE, PHENOTYPE
from dssl.model.shared import SharedModel
from dssl.settings.learning import (
    CodeSettings,
    EncoderSettings,
    OptimizerSettings,
    RunSettings,
    TrainSharedSettings,
    TrainSpecificSettings,
    ViewSettings,
)
from dssl.training.data import TrainingData
from dssl.training.encode import encode, weights
from dssl.training.metrics import shared_code_metrics
from dssl.training.saved import load_model, save_model
from dssl.training.shared import train_shared, validate_shared
from dssl.training.specific import train_specific

CPU = torch.device("cpu")


class Interrupted(Exception):
    pass


def r_squared(code: np.ndarray, factor: np.ndarray) -> float:
    """Linear probe: fitted on one half of the rows, scored on the other."""
    half = len(code) // 2
    return float(RidgeCV(np.logspace(-4, 2, 13)).fit(code[:half], factor[:half]).score(code[half:], factor[half:]))


def same(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(*pair) for pair in pairs)


@pytest.fixture(scope="module")
def trained(planted):
    """Both steps on planted factors, step 2 with and without its penalty."""
    train, validation, held_out = planted(600, 2, 0), planted(100, 2, 1), planted(400, 2, 2)
    optimizer = OptimizerSettings(epochs=40, batch_size=200, learning_rate=3e-3, patience=None)
    encoder = EncoderSettings(hidden_sizes=[64], dropout=0.0)
    views = ViewSettings(phenotype_noise=0.3, molecule_noise=0.3)
    code = CodeSettings(size=16)
    first = TrainSharedSettings(encoder=encoder, code=code, views=views, optimizer=optimizer)
    shared, _, metrics = train_shared(train.data, validation.data, first, 0.01, 0)
    before = {name: value.clone() for name, value in shared.state_dict().items()}
    second = TrainSpecificSettings(encoder=encoder, code=code, views=views, optimizer=optimizer)
    results = {lam: train_specific(shared, train.data, validation.data, second, lam, 0) for lam in (0.0, 10.0)}
    codes = {
        lam: encode([(shared, result[0])], held_out.data.pooled.numpy(), held_out.data.molecule.numpy())
        for lam, result in results.items()
    }
    return held_out, shared, before, metrics, results, codes


def test_shared_factor_is_in_the_shared_code_of_both_modalities(trained) -> None:
    held_out, _, _, metrics, _, codes = trained
    for modality in (PHENOTYPE, MOLECULE):
        assert r_squared(codes[0.0].shared[modality], held_out.shared) > 0.75
        assert r_squared(codes[0.0].shared[modality], held_out.own[modality]) < 0.45
    # chance is 0.05 for 100 validation compounds
    assert metrics["mrr"] > 0.5


def test_specific_factor_is_in_the_specific_code(trained) -> None:
    held_out, _, _, _, _, codes = trained
    for modality in (PHENOTYPE, MOLECULE):
        specific = codes[10.0].specific[modality]
        assert r_squared(specific, held_out.own[modality]) > 0.75
        assert r_squared(specific, held_out.own[modality]) > r_squared(specific, held_out.shared) + 0.3


def test_penalty_takes_the_shared_factor_out_of_the_specific_code_without_collapse(trained) -> None:
    held_out, _, _, _, results, codes = trained
    for modality in (PHENOTYPE, MOLECULE):
        left = {lam: r_squared(codes[lam].specific[modality], held_out.shared) for lam in codes}
        assert left[10.0] < left[0.0] - 0.4
        assert left[10.0] < r_squared(codes[10.0].shared[modality], held_out.shared) - 0.5
        assert results[10.0][2][f"participation_ratio_{modality}"] > 2.5
        assert abs(results[10.0][2][f"dependence_{modality}"]) < results[0.0][2][f"dependence_{modality}"]


def test_step_2_leaves_the_shared_model_as_it_was(trained) -> None:
    _, shared, before, _, _, _ = trained
    assert all(torch.equal(value, before[name]) for name, value in shared.state_dict().items())
    assert not any(parameter.requires_grad for parameter in shared.parameters())


def test_records_and_metrics_are_json_with_every_term(trained) -> None:
    _, _, _, metrics, results, _ = trained
    _, history, specific_metrics = results[10.0]
    json.dumps([metrics, history, specific_metrics], allow_nan=False)
    assert {"loss", "kl", "contrastive", "best_epoch", "mrr", "mrr_phenotype_to_molecule"} <= set(metrics)
    assert {"participation_ratio_phenotype", "mean_normalized_rank_molecule_to_phenotype"} <= set(metrics)
    for modality in (PHENOTYPE, MOLECULE):
        assert {f"contrastive_{modality}", f"dependence_{modality}"} <= set(specific_metrics)
        assert f"train_dependence_{modality}" in history[0]
    total = specific_metrics["contrastive"] + 10 * sum(
        specific_metrics[f"dependence_{m}"] for m in (PHENOTYPE, MOLECULE)
    )
    assert specific_metrics["loss"] == pytest.approx(total)
    best = next(record for record in history if record["epoch"] == specific_metrics["best_epoch"])
    assert best["validation_loss"] == pytest.approx(specific_metrics["loss"], rel=1e-6)


@pytest.fixture(scope="module")
def few(planted):
    return planted(70, 3, 3).data, planted(20, 2, 4).data


def test_same_seed_same_bytes(few, small_shared, small_specific, tmp_path: Path) -> None:
    files = []
    for name, seed in (("first", 0), ("again", 0), ("other", 1)):
        torch.rand(7)  # whatever happened before must not matter
        shared, history, metrics = train_shared(*few, small_shared, 0.001, seed)
        specific, _, _ = train_specific(shared, *few, small_specific, 1.0, seed)
        save_model(tmp_path / name, shared, specific, {"history": history, "metrics": metrics})
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]
    assert files[0] != files[2]


def test_interrupted_steps_resume_to_the_same_weights(few, small_shared, small_specific, tmp_path: Path) -> None:
    def interrupt(record: dict[str, float]) -> None:
        if record["epoch"] == 2:
            raise Interrupted

    whole, _, _ = train_shared(*few, small_shared, 0.001, 0)
    path = tmp_path / "shared"
    with pytest.raises(Interrupted):
        train_shared(*few, small_shared, 0.001, 0, path, interrupt)
    resumed, history, _ = train_shared(*few, small_shared, 0.001, 0, path)
    assert same(whole, resumed)
    assert len(history) == 4
    whole_specific, _, _ = train_specific(whole, *few, small_specific, 1.0, 0)
    path = tmp_path / "specific"
    with pytest.raises(Interrupted):
        train_specific(whole, *few, small_specific, 1.0, 0, path, interrupt)
    assert same(whole_specific, train_specific(whole, *few, small_specific, 1.0, 0, path)[0])


@pytest.mark.parametrize("dependence", ["cross_covariance", "hsic", "frobenius", "nce_club"])
def test_models_come_back_from_their_file(few, small_shared, small_specific, dependence: str, tmp_path: Path) -> None:
    shared, _, _ = train_shared(*few, small_shared, 0.0, 0)
    settings = small_specific.model_copy(update={"dependence": dependence})
    specific, _, _ = train_specific(shared, *few, settings, 1.0, 0)
    save_model(tmp_path / "model.safetensors", shared, specific, {"fold": "0", "beta": 0.0})
    shared_again, specific_again, metadata = load_model(tmp_path / "model.safetensors", CPU)
    assert metadata == {"fold": "0", "beta": 0.0}
    assert specific_again is not None
    assert specific_again.settings == settings
    assert not any(parameter.requires_grad for parameter in specific_again.parameters())
    inputs = few[1].pooled.numpy(), few[1].molecule.numpy()
    first, again = encode([(shared, specific)], *inputs), encode([(shared_again, specific_again)], *inputs)
    for modality in (PHENOTYPE, MOLECULE):
        assert np.array_equal(first.shared[modality], again.shared[modality])
        assert np.array_equal(first.specific[modality], again.specific[modality])
    save_model(tmp_path / "again.safetensors", shared_again, specific_again, metadata)
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "model.safetensors").read_bytes()


def test_ensemble_codes_have_length_one_and_the_mean_cosine(few, small_shared, monkeypatch) -> None:
    monkeypatch.setattr("dssl.training.encode.CHUNK_ROWS", 7)
    models = [(train_shared(*few, small_shared, 0.0, seed)[0], None) for seed in (0, 1, 2)]
    inputs = few[1].pooled.numpy(), few[1].molecule.numpy()
    joint = encode(models, *inputs).shared
    assert np.allclose(np.linalg.norm(joint[PHENOTYPE], axis=1), 1, atol=1e-6)
    singles = [encode([model], *inputs).shared for model in models]
    cosines = [single[PHENOTYPE] @ single[MOLECULE].T for single in singles]
    expected = np.average(cosines, axis=0, weights=weights(models))
    assert np.allclose(joint[PHENOTYPE] @ joint[MOLECULE].T, expected, atol=1e-6)
    # rows and modalities are encoded alone
    alone = encode(models, None, few[1].molecule.numpy()[3:5])
    assert set(alone.shared) == {MOLECULE}
    assert alone.specific == {}
    assert np.allclose(alone.shared[MOLECULE], joint[MOLECULE][3:5], atol=1e-6)


def test_encoding_refuses_what_does_not_fit(few, small_shared) -> None:
    model = train_shared(*few, small_shared, 0.0, 0)[0]
    with pytest.raises(PairingError, match="takes 12 phenotype inputs, found an array of shape"):
        encode([(model, None)], np.ones((3, 5), dtype=np.float32), None)
    with pytest.raises(PairingError, match="at least one trained model"):
        encode([], None, None)


def test_validation_sees_pooled_profiles_and_mean_codes(few, small_shared) -> None:
    model = train_shared(*few, small_shared, 0.001, 0)[0]
    with torch.no_grad():
        first, again = validate_shared(model, few[1], 0.5), validate_shared(model, few[1], 0.5)
        cosines = model.code(PHENOTYPE, few[1].pooled) @ model.code(MOLECULE, few[1].molecule).T
    assert first == again
    assert first["loss"] == pytest.approx(first["contrastive"] + 0.5 * first["kl"], rel=1e-5)
    ranks = (cosines > cosines.diagonal()[:, None]).sum(1) + 1
    assert first["mrr_phenotype_to_molecule"] == pytest.approx(float((1 / ranks).mean()), rel=1e-5)


def test_deterministic_codes_train_without_kl_and_refuse_beta(few, small_shared) -> None:
    settings = small_shared.model_copy(update={"code": CodeSettings(size=4, distribution="deterministic")})
    _, history, metrics = train_shared(*few, settings, 0.0, 0)
    assert "kl" not in metrics
    assert "train_kl" not in history[0]
    with pytest.raises(ConfigError, match=r"beta = 0\.1 with deterministic codes"):
        train_shared(*few, settings, 0.1, 0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_gpu_that_is_not_there(few, small_shared, small_specific) -> None:
    run = RunSettings(device="cuda")
    with pytest.raises(ConfigError, match="PyTorch sees none"):
        train_shared(*few, small_shared.model_copy(update={"run": run}), 0.0, 0)
    shared = SharedModel(12, 12, small_shared.encoder, small_shared.code, small_shared.contrastive)
    with pytest.raises(ConfigError, match="PyTorch sees none"):
        train_specific(shared, *few, small_specific.model_copy(update={"run": run}), 0.0, 0)


def test_exploding_training_stops_with_a_message(planted, small_shared) -> None:
    huge = planted(20, 2, 0)
    data = TrainingData.from_arrays(huge.phenotype * 1e38, huge.well_compound, huge.molecule)
    with pytest.raises(NonFiniteLossError, match="epoch 1, step 1"):
        train_shared(data, data, small_shared, 0.001, 0)


@pytest.mark.parametrize("n", [2, 3])
def test_very_few_compounds_train(planted, small_shared, small_specific, n: int) -> None:
    data = planted(n, 1, 0).data
    shared, _, _ = train_shared(data, data, small_shared, 0.001, 0)
    _, history, _ = train_specific(shared, data, data, small_specific, 1.0, 0)
    assert len(history) == 3


def test_joint_training_goes_on_with_the_shared_model_and_needs_alpha_above_lambda(
    few, small_shared, small_specific
) -> None:
    train, validation = few
    shared, _, _ = train_shared(train, validation, small_shared, 0.01, 0)
    before = {name: value.clone() for name, value in shared.state_dict().items()}
    settings = small_specific.model_copy(update={"joint_alpha": 1.0})
    with pytest.raises(ConfigError, match="expected more than every lambda, found 1 with lambda 1"):
        train_specific(shared, train, validation, settings, 1.0, 0)
    assert all(torch.equal(value, before[name]) for name, value in shared.state_dict().items())
    _, history, metrics = train_specific(shared, train, validation, settings, 0.5, 0, beta_nats=0.01)
    moved = [name for name, value in shared.state_dict().items() if not torch.equal(value, before[name])]
    assert "encoders" in {name.split(".")[0] for name in moved} <= {"encoders", "centers", "spread"}
    assert not any(parameter.requires_grad for parameter in shared.parameters())
    assert metrics["loss"] == pytest.approx(
        metrics["shared_contrastive"]
        + 0.01 * metrics["shared_kl"]
        + metrics["contrastive"]
        + 0.5 * sum(metrics[f"dependence_{name}"] for name in (PHENOTYPE, MOLECULE)),
        rel=1e-5,
    )
    assert "train_shared_kl" in history[0]
    with torch.no_grad():
        codes = encode([(shared, None)], validation.pooled.numpy(), validation.molecule.numpy()).shared
    found = shared_code_metrics(*(torch.from_numpy(codes[name]) for name in (PHENOTYPE, MOLECULE)))
    assert metrics["shared_mrr"] == pytest.approx(found["mrr"])


@pytest.mark.parametrize("same_molecule", ["exclude", "positive", "negative"])
def test_rows_of_wells_train(few, small_shared, small_specific, same_molecule: str) -> None:
    train, validation = few
    views = ViewSettings(rows="wells", replicates="distinct")
    contrastive = small_shared.contrastive.model_copy(update={"same_molecule": same_molecule})
    changes = {"views": views, "contrastive": contrastive}
    shared, history, metrics = train_shared(train, validation, small_shared.model_copy(update=changes), 0.01, 0)
    assert history[-1]["train_contrastive"] < history[0]["train_contrastive"]
    assert metrics["beta_nats"] == 0.01
    train_specific(shared, train, validation, small_specific.model_copy(update=changes), 0.5, 0)


def test_codes_of_a_model_on_features_are_its_own(few, small_shared, small_specific) -> None:
    train, validation = few
    shared, _, _ = train_shared(train, validation, small_shared, 0.01, 0)
    settings = small_specific.model_copy(update={"joint_of": "features", "dependence": "frobenius"})
    model, _, _ = train_specific(shared, train, validation, settings, 0.5, 0)
    x = train.molecule[:5]
    codes = encode([(shared, model)], None, x.numpy())
    raw = model.encoders[MOLECULE](torch.cat([x, shared.encoders[MOLECULE](x)], 1)).detach()
    expected = torch.nn.functional.normalize(raw, dim=1).numpy()
    assert np.allclose(codes.specific[MOLECULE], expected, atol=1e-6)
