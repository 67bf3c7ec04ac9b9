"""Training of step 1, the shared code."""

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Generator, Tensor

from dssl.errors import ConfigError
from dssl.keys import MOLECULE, PHENOTYPE
from dssl.model.shared import KlScale, SharedModel, beta_scales, shared_loss
from dssl.settings.learning import TrainSharedSettings
from dssl.training.data import TrainingData
from dssl.training.device import resolve_device
from dssl.training.fit import EpochCallback, Record, fit
from dssl.training.metrics import shared_code_metrics
from dssl.training.settling import settle_shared
from dssl.training.views import InputScales, draw_views, n_rows, same_molecule


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
        Weight of the KL, on the scale of `settings.kl_scale`.
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
        whether codes are `centered` (see `settle_centers`), beta on both scales (see `beta_scales`), `best_epoch`.

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
        same = same_molecule(train, rows, settings.views)
        return shared_loss(model, view[PHENOTYPE], view[MOLECULE], beta, generator, same, settings.kl_scale)

    result = fit(
        model,
        n_rows(train, settings.views),
        loss_function,
        lambda: validate_shared(model, validation, beta, settings.kl_scale),
        settings.optimizer,
        settings.run,
        seed,
        checkpoint,
        on_epoch,
        {"step": "train_shared", "settings": settings.model_dump(mode="json", exclude={"run"}), "beta": beta},
    )
    settled = settle_shared(model, train, validation)
    scales_of_beta = beta_scales(beta, settings.code, settings.kl_scale)
    return model, result.history, {**result.metrics, **settled, **scales_of_beta, "best_epoch": result.best_epoch}


def validate_shared(model: SharedModel, data: TrainingData, beta: float, kl_scale: KlScale = "nats") -> Record:
    """Terms of step 1 and retrieval, of mean codes from pooled, unperturbed inputs.

    "loss" (early stopping) is the whole objective: the contrastive loss alone is lowest before the KL has taken effect,
    so that stopping by it would give back what beta is there to remove.
    """
    terms = shared_loss(model, data.pooled, data.molecule, beta, None, kl_scale=kl_scale)
    record: Record = {name: float(value) for name, value in terms.items()}
    if not math.isfinite(record["loss"]):
        return record
    return record | shared_code_metrics(model.code(PHENOTYPE, data.pooled), model.code(MOLECULE, data.molecule))
