"""One model trained by several processes, through the very command of the rule."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from torch import Tensor

from dssl.io import read_json


def train(inputs: Path, folder: Path, processes: int) -> "subprocess.CompletedProcess[str]":
    # with the dropout of the defaults, and an odd number of rows
    settings: dict[str, Any] = {"optimizer": {"epochs": 3}, "run": {"device": "cpu", "processes": processes}}
    names = {"model": "model.safetensors", "history": "history.jsonl", "metrics": "metrics.json"}
    outputs = [word for name, file in names.items() for word in (f"--{name}", str(folder / file))]
    given = ["--settings", json.dumps(settings), "--inputs", str(inputs), "--beta", "0.001", "--seed", "0"]
    command = [sys.executable, "-m", "dssl", "train_shared", *given, "--checkpoint", str(folder / "checkpoint")]
    done = [*command, *outputs, "--provenance", str(folder / "provenance.json")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(done, env=environment, capture_output=True, text=True, check=False)


def weights(folder: Path) -> dict[str, Tensor]:
    return dict(load_file(folder / "model.safetensors"))


@pytest.fixture(scope="module")
def alone(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    done = train(tiny / "results/tiny/fit_preprocessing/fold~0/inputs.h5mu", folder, 1)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("processes", [2, 4])
def test_several_processes_train_the_model_of_one(alone: Path, tiny: Path, tmp_path: Path, processes: int) -> None:
    done = train(tiny / "results/tiny/fit_preprocessing/fold~0/inputs.h5mu", tmp_path, processes)
    assert done.returncode == 0, done.stderr
    ours, expected = weights(tmp_path), weights(alone)
    assert ours.keys() == expected.keys()
    difference = max(float((ours[name] - expected[name]).abs().max()) for name in expected)
    # not one process by mistake, and the same to rounding
    assert 0 < difference < 2e-6
    found, known = (read_json(folder / "metrics.json") for folder in (tmp_path, alone))
    assert found.pop("seed") == known.pop("seed") == "0"
    assert found == pytest.approx(known, rel=1e-4)
    assert read_json(tmp_path / "provenance.json")["parameters"]["settings"]["run"]["processes"] == processes
    # only the first process speaks
    assert done.stderr.count("epoch 2 of 3") == 1
