"""State of an interrupted training run, complete enough to go on to the very same weights."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from dssl.errors import IntegrityError
from dssl.training.tensorfile import read_tensors, write_tensors

FORMAT = "dssl-checkpoint/2"


@dataclass
class Progress:
    """What a run has reached.

    Attributes
    ----------
    epoch : int
        Finished epochs.
    best_epoch, best_loss : int, float or None
        Where the validation loss was lowest, and its value.
    history : list of dict
        One record per epoch.
    best_weights : dict of str to Tensor
        The model's state at `best_epoch`; empty where the last weights are kept.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_loss: float | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    best_weights: dict[str, Tensor] = field(default_factory=dict)


def save_checkpoint(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    generator: Generator,
    progress: Progress,
    run: Mapping[str, Any],
) -> None:
    """Write weights, optimiser, random state and progress; `run` (JSON-able) says which run this is.

    PyTorch's global random state is left out: `fit` seeds it at every epoch.
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in progress.best_weights.items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": torch.as_tensor(value) for name, value in state.items()}
    tensors["random.generator"] = generator.get_state()
    reached = {name: value for name, value in asdict(progress).items() if name != "best_weights"}
    write_tensors(path, tensors, {"format": FORMAT, "run": dict(run), "progress": reached})


def load_checkpoint(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    generator: Generator,
    run: Mapping[str, Any],
) -> Progress:
    """Put a checkpoint's state into model, optimiser and random generator.

    Raises
    ------
    IntegrityError
        If the file is damaged or belongs to a run with other settings, data or seed.
    """
    tensors, description = read_tensors(path, torch.device("cpu"), FORMAT)
    if description["run"] != dict(run):
        differing = sorted(
            name for name in {*description["run"], *run} if description["run"].get(name) != run.get(name)
        )
        raise IntegrityError(
            f"{path}: this checkpoint belongs to a run with other {', '.join(differing)}\nRemove it to start afresh."
        )
    model.load_state_dict(_part(tensors, "model."))
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in _part(tensors, "optimizer.").items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    generator.set_state(tensors["random.generator"])
    best = {name: value.to(generator.device) for name, value in _part(tensors, "best.").items()}
    return Progress(**description["progress"], best_weights=best)


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
