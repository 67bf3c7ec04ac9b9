"""State of an interrupted training run, complete enough to go on to the very same weights."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from dssl.errors import IntegrityError
from dssl.model.ranks import rank
from dssl.training.distributed import of_first_rank
from dssl.training.tensorfile import read_tensors, write_tensors

logger = logging.getLogger(__name__)

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


@dataclass(frozen=True)
class Snapshot:
    """Copies of weights, optimiser, random state and progress at the end of an epoch; training may go on meanwhile."""

    tensors: dict[str, Tensor]
    reached: dict[str, Any]


def snapshot(model: nn.Module, optimizer: torch.optim.Optimizer, generator: Generator, progress: Progress) -> Snapshot:
    """Copy the state of a run, on its device.

    PyTorch's global random state is left out: `fit` seeds it at every epoch.
    """
    tensors = {f"model.{name}": value.detach().clone() for name, value in model.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in progress.best_weights.items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {
            f"optimizer.{index}.{name}": torch.as_tensor(value).detach().clone() for name, value in state.items()
        }
    tensors["random.generator"] = generator.get_state()
    reached = {name: getattr(progress, name) for name in ("epoch", "best_epoch", "best_loss")}
    return Snapshot(tensors, {**reached, "history": list(progress.history)})


def save_checkpoint(path: Path, state: Snapshot, run: Mapping[str, Any]) -> None:
    """Write a snapshot; `run` (JSON-able) says which run this is."""
    write_tensors(path, state.tensors, {"format": FORMAT, "run": dict(run), "progress": state.reached})


def resume(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    generator: Generator,
    run: Mapping[str, Any],
) -> Progress:
    """Go on from a checkpoint, or begin where there is none.

    A damaged one (the disk was full, the file was cut off) is set aside as `<name>.damaged`, with a warning.

    Raises
    ------
    IntegrityError
        If the checkpoint belongs to a run with other settings, data or seed, or not every rank sees the same one.
    """
    progress = Progress()
    if path.exists():
        try:
            stored = read_tensors(path, torch.device("cpu"), FORMAT)
        except IntegrityError as error:
            aside = path.with_name(f"{path.name}.damaged")
            logger.warning("%s\nIt is set aside as %s; training begins anew.", str(error).splitlines()[0], aside.name)
            if rank() == 0:
                os.replace(path, aside)
        else:
            progress = _load(path, *stored, model, optimizer, generator, run)
            logger.info("resumed after epoch %d", progress.epoch)
    first = of_first_rank({"epoch": progress.epoch})["epoch"]
    if first != progress.epoch:
        raise IntegrityError(
            f"{path}: the first process resumes after epoch {first:g}, process {rank()} after {progress.epoch}\n"
            "All machines have to see the same files: put results/ on storage that they share."
        )
    return progress


def _load(
    path: Path,
    tensors: dict[str, Tensor],
    description: dict[str, Any],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    generator: Generator,
    run: Mapping[str, Any],
) -> Progress:
    """Put a checkpoint's state into model, optimiser and random generator."""
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
