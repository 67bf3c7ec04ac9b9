from pathlib import Path

import numpy as np
import pytest
import torch

from dssl.errors import PairingError
from dssl.model.multimodal import MultimodalModel
from dssl.settings.learning import (
    CodeSettings,
    ContrastiveSettings,
    EncoderSettings,
    OptimizerSettings,
    TrainSharedSettings,
    ViewSettings,
)
from dssl.training.multimodal import MultimodalData, settle_multimodal, train_multimodal
from dssl.training.saved_multimodal import load_multimodal, save_multimodal

NAMES = ("molecule", "cell_painting", "l1000")
SETTINGS = TrainSharedSettings(
    encoder=EncoderSettings(hidden_sizes=[32], dropout=0.0),
    code=CodeSettings(size=12),
    views=ViewSettings(phenotype_noise=0.3, molecule_noise=0.3),
    optimizer=OptimizerSettings(epochs=20, batch_size=128, patience=None),
)


def planted(n: int, seed: int, missing: float) -> MultimodalData:
    """A common factor and one of its own in each of three modalities, of which a share of the rows is missing."""
    rng, mixing = np.random.default_rng(seed), np.random.default_rng(99)
    common = rng.normal(size=(n, 4))
    arrays = {}
    for name in NAMES:
        arrays[name] = np.hstack([common, rng.normal(size=(n, 4))]) @ mixing.normal(size=(8, 12)) / np.sqrt(8)
        arrays[name] = np.where(rng.random(n)[:, None] < missing, np.nan, arrays[name])
    return MultimodalData.from_arrays(arrays)


@pytest.mark.parametrize("sharing", ["common", "pairs"])
def test_common_factor_is_found_across_every_pair_with_rows_missing(sharing: str) -> None:
    train, validation, held_out = planted(800, 0, 0.3), planted(100, 1, 0.3), planted(100, 2, 0.0)
    model, history, metrics = train_multimodal(train, validation, SETTINGS, 0.003, 0, sharing)
    assert len(history) == 20
    for pair in model.pairs:
        with torch.no_grad():
            first, second = (model.code(name, held_out.inputs[name], pair) for name in pair)
        similarity = first @ second.T
        ranks = (similarity > similarity.diagonal()[:, None]).sum(1) + 1
        # chance is 0.05 for 100 rows
        assert float((1 / ranks).mean()) > 0.5
        assert metrics[f"mrr_{pair[0]}_{pair[1]}"] > 0.5
    assert metrics["mrr"] == pytest.approx(np.mean([metrics[f"mrr_{a}_{b}"] for a, b in model.pairs]))


def in_a_cone(n: int, seed: int) -> MultimodalData:
    """Directions near a common axis, how near being noise of each modality; across it they have a factor in common."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(n, 4))
    arrays = {}
    for name in NAMES:
        along = 3 * np.exp(rng.normal(size=(n, 1)))
        arrays[name] = np.hstack([along, factor + 0.5 * rng.normal(size=(n, 4))])
    return MultimodalData.from_arrays(arrays)


@pytest.mark.parametrize("sharing", ["common", "pairs"])
def test_codes_are_centred_where_validation_rows_rank_better_so(sharing: str) -> None:
    train, validation = in_a_cone(400, 0), in_a_cone(80, 1)
    linear, code = EncoderSettings(hidden_sizes=[]), CodeSettings(size=5)
    model = MultimodalModel(dict.fromkeys(NAMES, 5), linear, code, ContrastiveSettings(), sharing)
    for encoder in model.encoders.values():
        encoder.linear.weight.data, encoder.linear.bias.data = torch.eye(5), torch.zeros(5)
    with torch.no_grad():
        before = settle_multimodal(model, train, validation, may_center=False)
        found = settle_multimodal(model, train, validation, may_center=True)
    assert (before["centered"], found["centered"]) == (0, 1)
    assert found["mean_normalized_rank"] < before["mean_normalized_rank"] - 0.02
    units = {
        name: {part: values / np.linalg.norm(values, axis=1, keepdims=True) for part, values in parts.items()}
        for name, parts in (
            (name, {"train": train.inputs[name].numpy(), "validation": validation.inputs[name].numpy()})
            for name in NAMES
        )
    }
    for number, pair in enumerate(model.pairs):
        codes = []
        for name in pair:
            centred = units[name]["validation"] - units[name]["train"].mean(axis=0)
            codes.append(centred / np.linalg.norm(centred, axis=1, keepdims=True))
            with torch.no_grad():
                np.testing.assert_allclose(model.code(name, validation.inputs[name], pair), codes[-1], atol=1e-5)
        cosines = codes[0] @ codes[1].T
        spread = cosines[~np.eye(len(cosines), dtype=bool)].std()
        np.testing.assert_allclose(float(model.spreads[number]), spread, rtol=1e-4)


def test_same_seed_same_weights() -> None:
    data = planted(60, 3, 0.3)
    short = SETTINGS.model_copy(update={"optimizer": OptimizerSettings(epochs=2, batch_size=32)})
    states = [train_multimodal(data, data, short, 0.003, seed)[0].state_dict() for seed in (0, 0, 1)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not all(torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_rows_of_nan_are_missing_and_do_not_count_in_the_scales() -> None:
    first = np.array([[1.0, 2.0], [np.nan, np.nan], [3.0, 6.0]])
    data = MultimodalData.from_arrays({"a": first, "b": np.ones((3, 1))})
    assert data.present["a"].tolist() == [True, False, True]
    assert data.inputs["a"].tolist() == [[1, 2], [0, 0], [3, 6]]
    assert data.scales["a"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (np.ones((2, 1)), "as many rows in every modality"),
        (np.array([[1.0, np.nan]] * 3), r"3 row\(s\) of b are missing in part"),
        (np.array([[np.inf], [1.0], [1.0]]), r"1 row\(s\) of b are missing in part or infinite"),
        (np.array([[np.nan], [np.nan], [1.0]]), "at least 2 rows with both a and b, found 1"),
    ],
)
def test_arrays_that_cannot_be_trained_on(second: np.ndarray, message: str) -> None:
    with pytest.raises(PairingError, match=message):
        MultimodalData.from_arrays({"a": np.ones((3, 2)), "b": second})


@pytest.mark.parametrize("sharing", ["common", "pairs"])
def test_a_model_read_again_gives_the_same_codes(tmp_path: Path, sharing: str) -> None:
    data = planted(60, 3, 0.3)
    short = SETTINGS.model_copy(update={"optimizer": OptimizerSettings(epochs=2, batch_size=32)})
    model, _, _ = train_multimodal(data, data, short, 0.003, 0, sharing)
    save_multimodal(tmp_path / "model.safetensors", model, {"seed": 0})
    read, metadata = load_multimodal(tmp_path / "model.safetensors", torch.device("cpu"))
    assert metadata == {"seed": 0}
    assert read.pairs == model.pairs
    for pair in model.pairs:
        for name in pair:
            assert torch.equal(read.code(name, data.inputs[name], pair), model.code(name, data.inputs[name], pair))
    assert not any(parameter.requires_grad for parameter in read.parameters())
