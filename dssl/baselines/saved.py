"""Trained learned baselines on disk, and the codes of an ensemble of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dssl.baselines.learned import build
from dssl.baselines.pair_model import PairModel
from dssl.evaluation.retrieval import unit_rows
from dssl.settings.learning import TrainSharedSettings
from dssl.training.encode import side_by_side
from dssl.training.saved import fill
from dssl.training.tensorfile import read_tensors, write_tensors

FORMAT = "dssl-baseline/1"
CHUNK_ROWS = 8192


def save_baseline(path: Path, method: str, model: PairModel, metadata: Mapping[str, Any]) -> None:
    """Write weights, method, sizes, settings and hyperparameters; `path` ends in .safetensors."""
    description = {
        "format": FORMAT,
        "method": method,
        "input_sizes": model.input_sizes,
        "settings": model.settings.model_dump(mode="json"),
        "hyperparameters": model.hyperparameters,
        "metadata": dict(metadata),
    }
    write_tensors(path, model.state_dict(), description)


def load_baseline(path: Path, device: torch.device) -> PairModel:
    """Read what `save_baseline` wrote: a frozen model in evaluation mode.

    Raises
    ------
    IntegrityError
        If the file is missing, damaged, or not a baseline of this version.
    """
    tensors, description = read_tensors(path, device, FORMAT)
    settings = TrainSharedSettings(**description["settings"])
    model = build(description["method"], description["input_sizes"], settings, description["hyperparameters"])
    fill(model, tensors, "", device, path)
    return model


def encode_shared(models: Sequence[PairModel], modality: str, inputs: NDArray[Any]) -> NDArray[np.float32]:
    """Shared codes (n, models x d) of inputs (n, k) from an ensemble, as `dssl.training.encode.encode` gives them.

    Unit vectors; the dot product of two rows is the mean over the models of their cosines, each weighed by the inverse of
    its spread.
    """
    codes = [unit_rows(_shared_code(model, modality, inputs)) for model in models]
    return side_by_side(codes, [float(model.spread) for model in models])


def _shared_code(model: PairModel, modality: str, inputs: NDArray[Any]) -> NDArray[np.float32]:
    device = next(model.parameters()).device
    with torch.no_grad():
        chunks = [
            model.comparable_codes(
                modality, torch.from_numpy(np.array(inputs[start : start + CHUNK_ROWS], np.float32)).to(device)
            )
            for start in range(0, len(inputs), CHUNK_ROWS)
        ]
    return np.asarray(torch.cat(chunks).cpu().numpy(), dtype=np.float32)
