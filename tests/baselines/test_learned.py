from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import RidgeCV

from dssl.baselines.learned import METHODS, build, has_specific_code, train_learned, trials
from dssl.baselines.pair_model import PairModel
from dssl.baselines.saved import encode_shared, load_baseline, save_baseline
from dssl.errors import IntegrityError
from dssl.keys import MODALITIES, MOLECULE, PHENOTYPE
from dssl.settings.baselines import TrainLearnedBaselineSettings
from dssl.settings.learning import (
    CodeSettings,
    EncoderSettings,
    OptimizerSettings,
    TrainSharedSettings,
    ViewSettings,
)
from dssl.training.data import TrainingData
from dssl.training.fit import Record
from dssl.training.saved import save_model
from dssl.training.shared import train_shared

CPU = torch.device("cpu")
SETTINGS = TrainSharedSettings(
    encoder=EncoderSettings(hidden_sizes=[64], dropout=0.0),
    code=CodeSettings(size=16),
    views=ViewSettings(phenotype_noise=0.3, molecule_noise=0.3),
    optimizer=OptimizerSettings(epochs=40, batch_size=100, learning_rate=3e-3, patience=None, evaluate_every=5),
)
# two epochs: what does not depend on how well a method has learned
SHORT = SETTINGS.model_copy(update={"optimizer": OptimizerSettings(epochs=2, batch_size=50, evaluate_every=1)})


class Planted:
    """Two modalities, linear mixtures of a factor that they share and one that each has alone."""

    def __init__(self, n: int, seed: int) -> None:
        rng, mixing = np.random.default_rng(seed), np.random.default_rng(99)
        self.shared = rng.normal(size=(n, 4))
        self.own = {modality: rng.normal(size=(n, 4)) for modality in MODALITIES}
        self.inputs = {
            modality: np.hstack([self.shared, self.own[modality]]) @ mixing.normal(size=(8, 12)) / np.sqrt(8)
            for modality in MODALITIES
        }
        self.data = TrainingData.from_arrays(self.inputs[PHENOTYPE], np.arange(n), self.inputs[MOLECULE])


TRAIN, VALIDATION, HELD_OUT = Planted(400, 0), Planted(60, 1), Planted(400, 2)


def r_squared(code: np.ndarray, factor: np.ndarray) -> float:
    half = len(code) // 2
    return float(RidgeCV(np.logspace(-4, 2, 13)).fit(code[:half], factor[:half]).score(code[half:], factor[half:]))


@pytest.fixture(scope="module")
def trained() -> dict[str, tuple[PairModel, list[Record], Record]]:
    methods = ("infonce", "joint_opt", "focal", "dmvae")
    return {method: train_learned(method, TRAIN.data, VALIDATION.data, SETTINGS, {}, 0) for method in methods}


# chance is 0.08 for 60 compounds
@pytest.mark.parametrize(("method", "mrr"), [("infonce", 0.6), ("joint_opt", 0.5), ("focal", 0.6), ("dmvae", 0.15)])
def test_training_finds_the_planted_shared_factor(trained, method: str, mrr: float) -> None:
    model, history, metrics = trained[method]
    assert metrics["mrr"] > mrr
    assert len(history) == 40
    for modality in MODALITIES:
        code = encode_shared([model], modality, HELD_OUT.inputs[modality])
        assert r_squared(code, HELD_OUT.shared) > max(0.65, r_squared(code, HELD_OUT.own[modality]) + 0.1)


def test_specific_codes_of_joint_opt_hold_the_factor_of_their_own_modality(trained) -> None:
    model = trained["joint_opt"][0]
    for modality in MODALITIES:
        with torch.no_grad():
            specific = model.codes(modality, torch.from_numpy(HELD_OUT.inputs[modality].astype(np.float32)))[1]
        assert r_squared(specific.numpy(), HELD_OUT.own[modality]) > r_squared(specific.numpy(), HELD_OUT.shared) + 0.4


def test_infonce_is_step_1_at_beta_0(tmp_path: Path) -> None:
    step_1, _, metrics = train_shared(TRAIN.data, VALIDATION.data, SHORT, 0.0, 3)
    baseline, _, found = train_learned("infonce", TRAIN.data, VALIDATION.data, SHORT, {}, 3)
    weights = dict(step_1.named_parameters())
    assert all(torch.equal(value, weights[name.removeprefix("shared.")]) for name, value in baseline.named_parameters())
    assert found["mrr"] == metrics["mrr"]
    save_model(tmp_path / "step_1.safetensors", step_1, None, {})
    with pytest.raises(IntegrityError, match="expected the format dssl-baseline/1, found 'dssl-model/1'"):
        load_baseline(tmp_path / "step_1.safetensors", CPU)


@pytest.mark.parametrize("method", list(METHODS))
def test_every_method_trains_is_reproducible_and_comes_back_from_its_file(method: str, tmp_path: Path) -> None:
    (first,) = trials(method, 1)
    files = []
    for name, seed in (("first", 0), ("again", 0), ("other", 1)):
        model, _, metrics = train_learned(method, TRAIN.data, VALIDATION.data, SHORT, first, seed)
        assert {"loss", "mrr", "mrr_phenotype_to_molecule", "participation_ratio_molecule"} <= set(metrics)
        save_baseline(tmp_path / name, method, model, {"seed": 0})
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]
    assert files[0] != files[2]
    loaded = load_baseline(tmp_path / "other", CPU)
    assert loaded.hyperparameters == {**METHODS[method].defaults, **first}
    assert np.array_equal(
        encode_shared([loaded], MOLECULE, HELD_OUT.inputs[MOLECULE]),
        encode_shared([model], MOLECULE, HELD_OUT.inputs[MOLECULE]),
    )
    specific = loaded.codes(PHENOTYPE, HELD_OUT.data.pooled)[1]
    assert (specific is not None) == has_specific_code(method)


def test_ensemble_codes_have_the_mean_cosine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dssl.baselines.saved.CHUNK_ROWS", 7)
    models = [train_learned("focal_as_released", TRAIN.data, VALIDATION.data, SHORT, {}, seed)[0] for seed in (0, 1)]
    first, second = (encode_shared(models, m, VALIDATION.inputs[m]) for m in MODALITIES)
    inputs = {m: torch.from_numpy(VALIDATION.inputs[m].astype(np.float32)) for m in MODALITIES}
    with torch.no_grad():
        cosines = [
            (
                model.comparable_codes(PHENOTYPE, inputs[PHENOTYPE])
                @ model.comparable_codes(MOLECULE, inputs[MOLECULE]).T
            ).numpy()
            for model in models
        ]
    others = ~np.eye(len(first), dtype=bool)
    weights = [1 / each[others].std() for each in cosines]
    assert np.allclose(first @ second.T, np.average(cosines, axis=0, weights=weights), atol=1e-5)


def test_trials_are_deterministic_nested_and_equal_in_number() -> None:
    for method, model in METHODS.items():
        few, many = trials(method, 4), trials(method, 9)
        assert len(few) == 4
        assert len(many) == 9
        assert many[:4] == few
        assert len({tuple(each.values()) for each in many}) == 9
        for each in many:
            assert list(each) == list(model.ranges)
            assert all(low <= each[name] <= high for name, (low, high) in model.ranges.items())
    # the middle of the logarithms, and the middles of both halves
    assert [each["a"] for each in trials("dmvae", 3)] == [0.1, 0.01, 1.0]


def test_every_method_of_the_settings_is_there() -> None:
    assert TrainLearnedBaselineSettings(methods=list(METHODS)).methods == list(METHODS)


def test_noise_of_the_views_is_a_hyperparameter_of_infonce() -> None:
    plain, noisy = (
        train_learned("infonce", TRAIN.data, VALIDATION.data, SHORT, {"noise": noise}, 0)[1] for noise in (1.0, 3.0)
    )
    assert noisy[0]["train_loss"] > plain[0]["train_loss"]


CONTRASTIVE = {
    "infonce": ["contrastive"],
    "joint_opt": ["shared_contrastive", "contrastive_phenotype", "contrastive_molecule"],
    "joint_opt_as_released": ["shared", "specific"],
    "focal": ["shared", "specific"],
}


@pytest.mark.parametrize("method", list(CONTRASTIVE))
def test_minibatches_of_wells_leave_out_false_negatives(method: str) -> None:
    rows = torch.arange(20) % 10
    view = {PHENOTYPE: TRAIN.data.pooled[rows], MOLECULE: TRAIN.data.molecule[rows]}
    model = build(method, dict(zip(MODALITIES, TRAIN.data.input_sizes, strict=True)), SETTINGS, {})
    without, found = (model.loss(view, view, None, same) for same in (None, rows[:, None] == rows[None, :]))
    for name in CONTRASTIVE[method]:
        assert found[name] < without[name] - 0.02


def test_wells_are_the_rows_of_minibatches_where_the_settings_say_so() -> None:
    n = TRAIN.data.n_compounds
    profiles = np.concatenate([TRAIN.inputs[PHENOTYPE]] * 2)
    data = TrainingData.from_arrays(profiles, np.tile(np.arange(n), 2), TRAIN.inputs[MOLECULE])
    optimizer = SHORT.optimizer.model_copy(update={"epochs": 1, "batch_size": 2 * n})
    losses = {}
    for rows in ("wells", "compounds"):
        views = SETTINGS.views.model_copy(update={"rows": rows})
        settings = SHORT.model_copy(update={"views": views, "optimizer": optimizer})
        _, history, _ = train_learned("focal_as_released", data, VALIDATION.data, settings, {}, 0)
        losses[rows] = history[0]["train_shared"]
    # untrained codes: about the logarithm of the number of candidates in each of both views, twice as many wells
    assert losses["wells"] - losses["compounds"] == pytest.approx(2 * np.log(2), abs=0.3)
