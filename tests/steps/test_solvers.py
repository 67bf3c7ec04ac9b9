"""The closed form writes the same files as training, for every seed alike."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from anndata import AnnData

from dssl import keys
from dssl.io import read_json
from dssl.settings.learning import TrainSharedSettings, TrainSpecificSettings
from dssl.steps.arrays import write_pairs
from dssl.steps.training import train_shared, train_specific
from dssl.training.saved import load_model


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    from dssl.pairs.storage import as_mudata

    rng, names = np.random.default_rng(0), [f"c{number}" for number in range(60)]
    roles = pd.Series(["train"] * 45 + ["validation"] * 15, index=names)
    shared = rng.normal(size=(60, 2))
    values = {size: np.hstack([shared, rng.normal(size=(60, size - 2))]).astype(np.float32) for size in (5, 6)}
    molecules = AnnData(values[5], obs=pd.DataFrame({keys.SPLIT: roles}))
    wells = pd.DataFrame({keys.COMPOUND_ID: names, keys.SPLIT: roles.to_numpy()}, index=[f"p:{n}" for n in names])
    write_pairs(tmp_path / "inputs.h5mu", as_mudata(AnnData(values[6], obs=wells), molecules), {})
    return tmp_path / "inputs.h5mu"


def solve(inputs: Path, folder: Path, seed: str, solver: str = "gaussian") -> dict[str, dict[str, Any]]:
    """Metrics of both steps, written into folders of their own."""
    outputs = {"model": "model.safetensors", "history": "history.jsonl", "metrics": "metrics.json"}
    first, second = ({name: folder / step / file for name, file in outputs.items()} for step in ("one", "two"))
    given: dict[str, Any] = {"inputs": inputs, "seed": seed, "checkpoint": folder / "checkpoint"}
    train_shared(settings=TrainSharedSettings(solver=solver), beta=0.05, **given, **first)
    settings = TrainSpecificSettings(solver=solver)
    train_specific(settings=settings, shared=first["model"], lam=1.0, **given, **second)
    return {"shared": read_json(first["metrics"]), "specific": read_json(second["metrics"])}


def test_closed_form_as_steps(tmp_path: Path, inputs: Path) -> None:
    found, again = (solve(inputs, tmp_path / seed, seed) for seed in ("0", "1"))
    assert found["shared"]["beta"] == found["specific"]["beta"] == found["shared"]["beta_nats"] == 0.05
    assert found["shared"]["n_kept"] == 2
    assert found["shared"]["mrr"] > 0.7
    for step in found:
        assert (found[step].pop("seed"), again[step].pop("seed")) == ("0", "1")
    assert found == again
    shared, specific, _ = load_model(tmp_path / "0" / "two" / "model.safetensors", torch.device("cpu"))
    assert shared.encoder_settings.hidden_sizes == []
    assert specific is not None
    assert len((tmp_path / "0" / "two" / "history.jsonl").read_text().splitlines()) == 1
    assert not list((tmp_path / "0").glob("checkpoint*"))


def test_closed_form_in_the_place_of_a_seed_is_the_same_model(tmp_path: Path, inputs: Path) -> None:
    """As a member of an ensemble of trained models, whose settings are those of training."""
    member = solve(inputs, tmp_path / "member", "closed_form", solver="neural")
    alone = solve(inputs, tmp_path / "alone", "0")
    for step in member:
        assert (member[step].pop("seed"), alone[step].pop("seed")) == ("closed_form", "0")
    assert member == alone
