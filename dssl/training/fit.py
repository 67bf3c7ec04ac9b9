"""The training loop of both steps and of every learned baseline."""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from dssl.errors import NonFiniteLossError
from dssl.model.ranks import rank
from dssl.settings.learning import OptimizerSettings, RunSettings
from dssl.training.checkpoint import Progress, resume, save_checkpoint, snapshot
from dssl.training.device import reproducible, resolve_device
from dssl.training.distributed import average_gradients, join_ranks, of_first_rank, seed_epoch
from dssl.training.interruption import Terminated, noticing_sigterm
from dssl.training.schedule import learning_rate, make_optimizer, minibatches

logger = logging.getLogger(__name__)

Record = dict[str, float]
LossFunction = Callable[[Tensor, Generator], Mapping[str, Tensor]]
ValidationFunction = Callable[[], Mapping[str, float]]
EpochCallback = Callable[[Record], None]


@dataclass(frozen=True)
class FitResult:
    """Outcome of a run; the model itself holds the weights that `optimizer.keep` names.

    Attributes
    ----------
    history : list of dict
        One record per epoch: epoch, learning_rate, train_<term>, and validation_<term> where it was evaluated.
    best_epoch : int
        The epoch (from 1) of the lowest validation loss.
    metrics : dict
        What the validation function gives for the weights that are kept: of `best_epoch`, or of the last one.
    """

    history: list[Record]
    best_epoch: int
    metrics: Record


def fit(
    model: nn.Module,
    n_rows: int,
    loss_function: LossFunction,
    validation_function: ValidationFunction,
    settings: OptimizerSettings,
    run: RunSettings,
    seed: int,
    checkpoint: Path | None = None,
    on_epoch: EpochCallback | None = None,
    description: Mapping[str, Any] | None = None,
) -> FitResult:
    """Train a model and leave it with its best or its last weights, whichever `settings.keep` says.

    Under `torchrun` all processes call this alike and train one model (see `dssl.training.distributed`).

    Parameters
    ----------
    model : Module
        On the device that `run` names (see `resolve_device`).
    n_rows : int
        Number of training rows, at least 2; minibatches are shuffled indices into them.
    loss_function : callable
        (indices, generator) -> terms, of which "loss" is minimised. Called with the model in training mode. Nothing in
        the loop waits for the device but the end of an epoch: the loss function should not either.
    validation_function : callable
        () -> terms, of which the lowest "loss" is best. Called in evaluation mode, without gradients.
    settings, run : OptimizerSettings, RunSettings
    seed : int
        Of minibatches, views and draws (a generator on the device) and of dropout (PyTorch's global generator, seeded
        at every epoch; its state is given back to the caller as it was).
    checkpoint : Path, optional
        Written every `settings.checkpoint_every` epochs and at SIGTERM; resumed from if it is there, to the same final
        weights as an uninterrupted run; set aside if it is damaged; removed at the end.
    on_epoch : callable, optional
        Gets each epoch's record.
    description : mapping, optional
        JSON-able; a checkpoint of a run with another description is refused.

    Raises
    ------
    NonFiniteLossError
        If a loss is NaN or infinite, naming the epoch, the step and the terms; raised at the end of that epoch.
    IntegrityError
        If the checkpoint is of another run.
    Terminated
        At SIGTERM, after the state at the end of the last epoch was saved; the process then exits with status 143.
    """
    device = resolve_device(run)
    join_ranks(device)
    identity = {**(description or {}), "optimizer": settings.model_dump(mode="json"), "seed": seed, "n": n_rows}
    with reproducible(device, run.cpu_threads), noticing_sigterm() as raise_if_told_to_stop:
        generator = torch.Generator(device).manual_seed(seed)
        optimizer = make_optimizer(model, settings)
        autocast = torch.autocast(device.type, torch.bfloat16, enabled=run.mixed_precision and device.type == "cuda")
        saves = checkpoint is not None and rank() == 0
        progress = Progress()
        if checkpoint is not None:
            progress = resume(checkpoint, model, optimizer, generator, identity)

        def next_loss(rows: Tensor, generator: Generator) -> Mapping[str, Tensor]:
            raise_if_told_to_stop()
            return loss_function(rows, generator)

        while progress.epoch < settings.epochs and not _out_of_patience(progress, settings):
            reached = snapshot(model, optimizer, generator, progress) if saves else None
            seed_epoch(seed, progress.epoch)
            try:
                record = _train_epoch(
                    model, n_rows, next_loss, settings, optimizer, generator, autocast, progress.epoch
                )
            except Terminated:
                if checkpoint is not None and reached is not None:
                    save_checkpoint(checkpoint, reached, identity)
                    logger.warning("told to stop (SIGTERM): saved epoch %d, to go on from", progress.epoch)
                raise
            progress.epoch += 1
            if progress.epoch % settings.evaluate_every == 0 or progress.epoch == settings.epochs:
                record |= _validate(model, validation_function, progress, settings)
            progress.history.append(record)
            if checkpoint is not None and saves and progress.epoch % settings.checkpoint_every == 0:
                save_checkpoint(checkpoint, snapshot(model, optimizer, generator, progress), identity)
            if on_epoch is not None and rank() == 0:
                on_epoch(record)
        if settings.keep == "best":
            model.load_state_dict(progress.best_weights)
        metrics = _evaluate(model, validation_function, progress.epoch)
    if checkpoint is not None and rank() == 0:
        checkpoint.unlink(missing_ok=True)
    return FitResult(progress.history, progress.best_epoch, metrics)


def _train_epoch(
    model: nn.Module,
    n_rows: int,
    loss_function: LossFunction,
    settings: OptimizerSettings,
    optimizer: torch.optim.Optimizer,
    generator: Generator,
    autocast: torch.autocast,
    n_finished: int,
) -> Record:
    """One pass over the training rows; the mean of every loss term over them."""
    model.train()
    batches = minibatches(n_rows, settings.batch_size, generator)
    trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    rate, steps = 0.0, []
    names: list[str] = []
    for index, rows in enumerate(batches):
        rate = learning_rate(n_finished * len(batches) + index, settings.epochs * len(batches), settings)
        for group in optimizer.param_groups:
            group["lr"] = rate
        with autocast:
            terms = loss_function(rows, generator)
        for parameter in trained:
            parameter.grad = None
        torch.autograd.backward(terms["loss"])
        average_gradients(model)
        optimizer.step()
        names = list(terms)
        steps.append(torch.stack([terms[name].detach().float() for name in names]))
    # the only wait for the device
    values = torch.stack(steps).double().cpu()
    if not bool(values.isfinite().all()):
        for number, row in enumerate(values.tolist(), start=1):
            _finite(dict(zip(names, row, strict=True)), n_finished + 1, number)
    shares = torch.tensor([len(rows) / n_rows for rows in batches], dtype=torch.float64)
    means = zip(names, (shares @ values).tolist(), strict=True)
    return {"epoch": n_finished + 1, "learning_rate": rate} | {f"train_{name}": value for name, value in means}


def _evaluate(model: nn.Module, function: ValidationFunction, epoch: int) -> Record:
    """Validation terms, the same on all ranks."""
    model.eval()
    with torch.no_grad():
        return _finite(of_first_rank(dict(function())), epoch, None)


def _validate(
    model: nn.Module, function: ValidationFunction, progress: Progress, settings: OptimizerSettings
) -> Record:
    """Validation terms; the weights are remembered if they are the best so far."""
    terms = _evaluate(model, function, progress.epoch)
    if progress.best_loss is None or terms["loss"] < progress.best_loss:
        progress.best_loss, progress.best_epoch = terms["loss"], progress.epoch
        if settings.keep == "best":
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
