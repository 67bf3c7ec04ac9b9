"""Training of step 2, the specific codes, on a frozen shared model."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Generator, Tensor

from dssl.evaluation.dependence import participation_ratio
from dssl.keys import MODALITIES, MOLECULE, PHENOTYPE
from dssl.model.shared import SharedModel
from dssl.model.specific import SpecificModel, freeze, specific_loss
from dssl.settings.learning import TrainSpecificSettings
from dssl.training.data import TrainingData
from dssl.training.device import resolve_device
from dssl.training.fit import EpochCallback, Record, fit
from dssl.training.views import InputScales, draw_views


def train_specific(
    shared_model: SharedModel,
    data_train: TrainingData,
    data_validation: TrainingData,
    settings: TrainSpecificSettings,
    lam: float,
    seed: int,
    checkpoint: Path | None = None,
    on_epoch: EpochCallback | None = None,
) -> tuple[SpecificModel, list[Record], Record]:
    """Train the specific encoders of both modalities; the shared model is frozen and stays as it is.

    Parameters
    ----------
    shared_model : SharedModel
        Of step 1; frozen and moved to the device.
    data_train, data_validation : TrainingData
        The inputs that the shared model was trained and validated on.
    settings : TrainSpecificSettings
    lam : float
        Weight of the dependence penalty.
    seed : int
        Of everything random.
    checkpoint, on_epoch
        See `dssl.training.fit.fit`.

    Returns
    -------
    SpecificModel
        With the weights of the lowest validation loss, in evaluation mode.
    list of dict
        One record per epoch.
    dict
        Of the best epoch: loss (contrastive + lam * dependence), contrastive loss and dependence of each modality, and
        the participation ratio of each specific code (near 1 or 0: collapsed), `best_epoch`.
    """
    device = resolve_device(settings.run)
    train, validation = data_train.to(device), data_validation.to(device)
    scales = InputScales.of(train)
    shared_model.to(device)
    freeze(shared_model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = SpecificModel(shared_model.input_sizes, shared_model.code_settings.size, settings)
    model.to(device)

    def loss_function(rows: Tensor, generator: Generator) -> Mapping[str, Tensor]:
        view_a, view_b = draw_views(train, rows, scales, settings.views, generator, n_views=2)
        return specific_loss(model, shared_model, view_a, view_b, lam, generator)

    def validation_function() -> Record:
        return validate_specific(model, shared_model, validation, scales, settings, lam, seed)

    result = fit(
        model,
        train.n_compounds,
        loss_function,
        validation_function,
        settings.optimizer,
        settings.run,
        seed,
        checkpoint,
        on_epoch,
        {"step": "train_specific", "settings": settings.model_dump(mode="json", exclude={"run"}), "lam": lam},
    )
    return model, result.history, {**result.metrics, "best_epoch": result.best_epoch}


def validate_specific(
    model: SpecificModel,
    shared_model: SharedModel,
    data: TrainingData,
    scales: InputScales,
    settings: TrainSpecificSettings,
    lam: float,
    seed: int,
) -> Record:
    """Terms of step 2 between two views of the validation compounds, the same views at every call; mean codes."""
    generator = torch.Generator(data.molecule.device).manual_seed(seed)
    compounds = torch.arange(data.n_compounds, device=data.molecule.device)
    view_a, view_b = draw_views(data, compounds, scales, settings.views, generator, n_views=2)
    terms = specific_loss(model, shared_model, view_a, view_b, lam, None)
    record = {name: float(value) for name, value in terms.items() if name != "critic"}
    record["contrastive"] = record[f"contrastive_{PHENOTYPE}"] + record[f"contrastive_{MOLECULE}"]
    # the critic's own loss is no part of what is compared between epochs
    record["loss"] = record["contrastive"] + lam * sum(record[f"dependence_{modality}"] for modality in MODALITIES)
    for modality, inputs in ((PHENOTYPE, data.pooled), (MOLECULE, data.molecule)):
        code = model.code(modality, inputs, shared_model.code(modality, inputs))
        record[f"participation_ratio_{modality}"] = participation_ratio(code.cpu().numpy())
    return record
