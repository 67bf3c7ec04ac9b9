"""The training loop of both steps and of every learned baseline."""

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from dssl.errors import NonFiniteLossError
from dssl.settings.learning import OptimizerSettings, RunSettings
from dssl.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from dssl.training.device import resolve_device
from dssl.training.schedule import learning_rate, make_optimizer, minibatches

logger = logging.getLogger(__name__)

Record = dict[str, float]
LossFunction = Callable[[Tensor, Generator], Mapping[str, Tensor]]
ValidationFunction = Callable[[], Mapping[str, float]]
EpochCallback = Callable[[Record], None]


@dataclass(frozen=True)
class FitResult:
    """Outcome of a run; the model itself holds the weights of `best_epoch`.

    Attributes
    ----------
    history : list of dict
        One record per epoch: epoch, learning_rate, train_<term>, and validation_<term> where it was evaluated.
    best_epoch : int
        The epoch (from 1) of the lowest validation loss.
    metrics : dict
        What the validation function gives for the weights of that epoch.
    """

    history: list[Record]
    best_epoch: int
    metrics: Record


def fit(
    model: nn.Module,
    n_compounds: int,
    loss_function: LossFunction,
    validation_function: ValidationFunction,
    settings: OptimizerSettings,
    run: RunSettings,
    seed: int,
    checkpoint: Path | None = None,
    on_epoch: EpochCallback | None = None,
    description: Mapping[str, Any] | None = None,
) -> FitResult:
    """Train a model and leave it with its best weights.

    Parameters
    ----------
    model : Module
        On the device that `run` names (see `resolve_device`).
    n_compounds : int
        Number of training rows, at least 2; minibatches are shuffled indices into them.
    loss_function : callable
        (indices, generator) -> terms, of which "loss" is minimised. Called with the model in training mode.
    validation_function : callable
        () -> terms, of which the lowest "loss" is best. Called in evaluation mode, without gradients.
    settings, run : OptimizerSettings, RunSettings
    seed : int
        Of minibatches, views and draws (a generator on the device) and of dropout (PyTorch's global generator, whose
        state is given back to the caller as it was).
    checkpoint : Path, optional
        Written every `settings.checkpoint_every` epochs; resumed from if it is there, to the same final weights as an
        uninterrupted run; removed at the end.
    on_epoch : callable, optional
        Gets each epoch's record.
    description : mapping, optional
        JSON-able; a checkpoint of a run with another description is refused.

    Raises
    ------
    NonFiniteLossError
        If a loss is NaN or infinite, naming the epoch, the step and the terms.
    IntegrityError
        If the checkpoint is damaged or of another run.
    """
    device = resolve_device(run)
    identity = {**(description or {}), "optimizer": settings.model_dump(mode="json"), "seed": seed, "n": n_compounds}
    with _reproducible(device, run.cpu_threads, seed):
        generator = torch.Generator(device).manual_seed(seed)
        optimizer = make_optimizer(model, settings)
        autocast = torch.autocast(device.type, torch.bfloat16, enabled=run.mixed_precision and device.type == "cuda")
        progress = Progress()
        if checkpoint is not None and checkpoint.exists():
            progress = load_checkpoint(checkpoint, model, optimizer, generator, identity)
            logger.info("resumed after epoch %d", progress.epoch)
        while progress.epoch < settings.epochs and not _out_of_patience(progress, settings):
            record = _train_epoch(
                model, n_compounds, loss_function, settings, optimizer, generator, autocast, progress.epoch
            )
            progress.epoch += 1
            if progress.epoch % settings.evaluate_every == 0 or progress.epoch == settings.epochs:
                record |= _validate(model, validation_function, progress)
            progress.history.append(record)
            if checkpoint is not None and progress.epoch % settings.checkpoint_every == 0:
                save_checkpoint(checkpoint, model, optimizer, generator, progress, identity)
            if on_epoch is not None:
                on_epoch(record)
        model.load_state_dict(progress.best_weights)
        model.eval()
        with torch.no_grad():
            metrics = dict(validation_function())
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    return FitResult(progress.history, progress.best_epoch, metrics)


def _train_epoch(
    model: nn.Module,
    n_compounds: int,
    loss_function: LossFunction,
    settings: OptimizerSettings,
    optimizer: torch.optim.Optimizer,
    generator: Generator,
    autocast: torch.autocast,
    n_finished: int,
) -> Record:
    """One pass over the training rows; the mean of every loss term over them."""
    model.train()
    batches = minibatches(n_compounds, settings.batch_size, generator)
    record: Record = {"epoch": n_finished + 1}
    for index, rows in enumerate(batches):
        rate = learning_rate(n_finished * len(batches) + index, settings.epochs * len(batches), settings)
        for group in optimizer.param_groups:
            group["lr"] = rate
        with autocast:
            terms = loss_function(rows, generator)
        values = _finite({name: float(term.detach()) for name, term in terms.items()}, n_finished + 1, index + 1)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(terms["loss"])
        optimizer.step()
        record["learning_rate"] = rate
        for name, value in values.items():
            record[f"train_{name}"] = record.get(f"train_{name}", 0.0) + value * len(rows) / n_compounds
    return record


def _validate(model: nn.Module, function: ValidationFunction, progress: Progress) -> Record:
    """Validation terms; the weights are kept if they are the best so far."""
    model.eval()
    with torch.no_grad():
        terms = _finite(dict(function()), progress.epoch, None)
    if progress.best_loss is None or terms["loss"] < progress.best_loss:
        progress.best_loss, progress.best_epoch = terms["loss"], progress.epoch
        progress.best_weights = {name: value.detach().clone() for name, value in model.state_dict().items()}
    return {f"validation_{name}": value for name, value in terms.items()}


def _out_of_patience(progress: Progress, settings: OptimizerSettings) -> bool:
    if settings.patience is None or progress.best_loss is None:
        return False
    return progress.epoch - progress.best_epoch >= settings.patience


def _finite(terms: dict[str, float], epoch: int, step: int | None) -> dict[str, float]:
    bad = [name for name, value in terms.items() if not math.isfinite(value)]
    if bad:
        where = f"epoch {epoch}, validation" if step is None else f"epoch {epoch}, step {step}"
        found = ", ".join(f"{name} = {value:.4g}" for name, value in terms.items())
        raise NonFiniteLossError(
            f"{where}: {', '.join(bad)} is not finite ({found})\n"
            "Lower optimizer.learning_rate, beta or lam; clip extreme inputs by fit_preprocessing.phenotype.clip."
        )
    return terms


@contextmanager
def _reproducible(device: torch.device, cpu_threads: int, seed: int) -> Iterator[None]:
    """Seeded global random state, deterministic kernels and a fixed number of threads, for the length of the block."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        torch.set_num_threads(cpu_threads)
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(deterministic)
