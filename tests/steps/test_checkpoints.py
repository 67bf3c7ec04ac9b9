"""Interrupted training goes on from its own checkpoint, and never from that of another run."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from dssl import keys
from dssl.settings.learning import OptimizerSettings, TrainSharedSettings
from dssl.steps.arrays import write_pairs
from dssl.steps.training import train_shared
from dssl.training import shared as training_of_shared


def settings_with(learning_rate: float = 1e-3) -> TrainSharedSettings:
    optimizer = OptimizerSettings(epochs=6, checkpoint_every=1, batch_size=8, learning_rate=learning_rate)
    return TrainSharedSettings(optimizer=optimizer)


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    from dssl.pairs.storage import as_mudata

    rng, names = np.random.default_rng(0), [f"c{number}" for number in range(24)]
    roles = pd.Series(["train"] * 16 + ["validation"] * 8, index=names)
    molecules = AnnData(rng.normal(size=(24, 5)).astype(np.float32), obs=pd.DataFrame({keys.SPLIT: roles}))
    wells = pd.DataFrame({keys.COMPOUND_ID: names, keys.SPLIT: roles.to_numpy()}, index=[f"p:{n}" for n in names])
    profiles = AnnData(rng.normal(size=(24, 6)).astype(np.float32), obs=wells)
    write_pairs(tmp_path / "inputs.h5mu", as_mudata(profiles, molecules), {})
    return tmp_path / "inputs.h5mu"


def train(inputs: Path, folder: Path, settings: TrainSharedSettings) -> bytes:
    outputs = {"model": "model.safetensors", "history": "history.jsonl", "metrics": "metrics.json"}
    paths = {name: folder / file for name, file in outputs.items()}
    train_shared(settings=settings, inputs=inputs, beta=0.001, seed=0, checkpoint=folder / "checkpoint", **paths)
    return paths["model"].read_bytes()


def interrupt(monkeypatch: pytest.MonkeyPatch, inputs: Path, folder: Path, settings: TrainSharedSettings) -> None:
    validate, calls = training_of_shared.validate_shared, []

    def stop_at_the_second(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return validate(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(training_of_shared, "validate_shared", stop_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            train(inputs, folder, settings)


def test_an_interrupted_run_goes_on_to_the_same_bytes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, inputs: Path
) -> None:
    folder = tmp_path / "interrupted"
    interrupt(monkeypatch, inputs, folder, settings_with())
    assert len(list(folder.glob("checkpoint-*"))) == 1
    assert train(inputs, folder, settings_with()) == train(inputs, tmp_path / "whole", settings_with())
    assert not list(folder.glob("checkpoint-*"))


def test_a_checkpoint_of_other_settings_is_not_resumed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, inputs: Path
) -> None:
    folder, changed = tmp_path / "interrupted", settings_with(learning_rate=5e-3)
    interrupt(monkeypatch, inputs, folder, settings_with())
    assert train(inputs, folder, changed) == train(inputs, tmp_path / "whole", changed)
    first = json.loads((folder / "history.jsonl").read_text().splitlines()[0])
    assert first["epoch"] == 1
    assert not list(folder.glob("checkpoint-*"))
