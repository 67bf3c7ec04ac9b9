"""Training of step 1, the shared code."""

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Generator, Tensor

from dssl.errors import ConfigError
from dssl.evaluation.dependence import participation_ratio
from dssl.evaluation.retrieval import DIRECTIONS, retrieval_metrics
from dssl.keys import MOLECULE, PHENOTYPE
from dssl.model.shared import SharedModel, shared_loss
from dssl.settings.learning import TrainSharedSettings
from dssl.training.data import TrainingData
from dssl.training.device import resolve_device
from dssl.training.fit import EpochCallback, Record, fit
from dssl.training.views import InputScales, draw_views

RETRIEVAL_METRICS = ("mrr", "mean_normalized_rank")


def train_shared(
    data_train: TrainingData,
    data_validation: TrainingData,
    settings: TrainSharedSettings,
    beta: float,
    seed: int,
    checkpoint: Path | None = None,
    on_epoch: EpochCallback | None = None,
) -> tuple[SharedModel, list[Record], Record]:
    """Train the encoders of both modalities.

    Parameters
    ----------
    data_train, data_validation : TrainingData
        Preprocessed inputs of training and validation compounds.
    settings : TrainSharedSettings
    beta : float
        Weight of the KL in nats.
    seed : int
        Of everything random: initial weights, minibatches, views, draws, dropout.
    checkpoint, on_epoch
        See `dssl.training.fit.fit`.

    Returns
    -------
    SharedModel
        With the weights of the lowest validation loss (contrastive + beta * KL), in evaluation mode.
    list of dict
        One record per epoch.
    dict
        Of the best epoch: validation loss, contrastive loss, KL, retrieval in both directions
        (`mrr_phenotype_to_molecule`, ...) and the mean of both (`mrr`, `mean_normalized_rank`), participation ratios,
        `best_epoch`.

    Raises
    ------
    ConfigError
        If a GPU is asked for and there is none, or beta > 0 with deterministic codes.
    """
    if beta > 0 and settings.code.distribution == "deterministic":
        raise ConfigError(
            f"beta = {beta:g} with deterministic codes: their KL is infinite\n"
            "Set sweep.beta: [0], or train_shared.code.distribution: vmf, power_spherical or gaussian."
        )
    device = resolve_device(settings.run)
    train, validation = data_train.to(device), data_validation.to(device)
    scales = InputScales.of(train)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = SharedModel(*train.input_sizes, settings.encoder, settings.code, settings.contrastive)
    model.to(device)

    def loss_function(rows: Tensor, generator: Generator) -> Mapping[str, Tensor]:
        (view,) = draw_views(train, rows, scales, settings.views, generator)
        return shared_loss(model, view[PHENOTYPE], view[MOLECULE], beta, generator)

    result = fit(
        model,
        train.n_compounds,
        loss_function,
        lambda: validate_shared(model, validation, beta),
        settings.optimizer,
        settings.run,
        seed,
        checkpoint,
        on_epoch,
        {"step": "train_shared", "settings": settings.model_dump(mode="json", exclude={"run"}), "beta": beta},
    )
    return model, result.history, {**result.metrics, "best_epoch": result.best_epoch}


def validate_shared(model: SharedModel, data: TrainingData, beta: float) -> Record:
    """Terms of step 1 and retrieval, of mean codes from pooled, unperturbed inputs.

    "loss" (early stopping) is the whole objective: the contrastive loss alone is lowest before the KL has taken effect,
    so that stopping by it would give back what beta is there to remove.
    """
    terms = shared_loss(model, data.pooled, data.molecule, beta, None)
    record: Record = {name: float(value) for name, value in terms.items()}
    if not math.isfinite(record["loss"]):
        return record
    phenotype, molecule = model.code(PHENOTYPE, data.pooled), model.code(MOLECULE, data.molecule)
    similarity = (phenotype @ molecule.T).double().cpu().numpy()
    for direction, matrix in zip(DIRECTIONS, (similarity, similarity.T), strict=True):
        found = retrieval_metrics(matrix)
        record |= {f"{name}_{direction}": found[name] for name in RETRIEVAL_METRICS}
    for name in RETRIEVAL_METRICS:
        record[name] = sum(record[f"{name}_{direction}"] for direction in DIRECTIONS) / len(DIRECTIONS)
    record[f"participation_ratio_{PHENOTYPE}"] = participation_ratio(phenotype.cpu().numpy())
    record[f"participation_ratio_{MOLECULE}"] = participation_ratio(molecule.cpu().numpy())
    return record
