"""Training of step 2: the specific codes on a frozen shared model, or both codes in one objective."""

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from dssl.errors import ConfigError
from dssl.evaluation.dependence import participation_ratio
from dssl.keys import MOLECULE, PHENOTYPE
from dssl.model.shared import SharedModel
from dssl.model.specific import SpecificModel, freeze, joint_loss, specific_loss, unfreeze
from dssl.settings.learning import TrainSpecificSettings
from dssl.training.data import TrainingData
from dssl.training.device import resolve_device
from dssl.training.fit import EpochCallback, Record, fit
from dssl.training.metrics import shared_code_metrics
from dssl.training.settling import settle_shared
from dssl.training.views import InputScales, draw_views, n_rows, same_molecule


def train_specific(
    shared_model: SharedModel,
    data_train: TrainingData,
    data_validation: TrainingData,
    settings: TrainSpecificSettings,
    lam: float,
    seed: int,
    checkpoint: Path | None = None,
    on_epoch: EpochCallback | None = None,
    beta_nats: float = 0.0,
) -> tuple[SpecificModel, list[Record], Record]:
    """Train the specific encoders of both modalities.

    The shared model is frozen and stays as it is, except with `settings.joint_alpha`, where it goes on training in the
    same objective (`dssl.model.specific.joint_loss`) and is changed in place.

    Parameters
    ----------
    shared_model : SharedModel
        Of step 1; moved to the device, and frozen when it comes back.
    data_train, data_validation : TrainingData
        The inputs that the shared model was trained and validated on.
    settings : TrainSpecificSettings
    lam : float
        Weight of the dependence penalty.
    seed : int
        Of everything random.
    checkpoint, on_epoch
        See `dssl.training.fit.fit`.
    beta_nats : float
        Weight of step 1's KL in joint training.

    Returns
    -------
    SpecificModel
        With the weights of the lowest validation loss, in evaluation mode.
    list of dict
        One record per epoch.
    dict
        Of the best epoch: loss (contrastive + lam * dependence), contrastive loss and dependence of each modality, and
        the participation ratio of each specific code (near 1 or 0: collapsed), `best_epoch`. With joint training also
        step 1's terms and retrieval, as `shared_<name>`.

    Raises
    ------
    ConfigError
        If joint training is asked for with alpha not above lambda: the penalty would then pay for giving up what is
        specific (the condition of RePercENT).
    """
    alpha = settings.joint_alpha
    if alpha is not None and alpha <= lam:
        raise ConfigError(
            f"train_specific.joint_alpha: expected more than every lambda, found {alpha:g} with lambda {lam:g}\n"
            "Raise joint_alpha, or lower sweep.lam."
        )
    device = resolve_device(settings.run)
    train, validation = data_train.to(device), data_validation.to(device)
    scales = InputScales.of(train)
    shared_model.to(device)
    freeze(shared_model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = SpecificModel(shared_model.input_sizes, shared_model.code_settings.size, settings)
    model.to(device)
    trained = nn.ModuleDict({"specific": model})
    if alpha is not None:
        unfreeze(shared_model)
        trained["shared"] = shared_model

    def loss_function(rows: Tensor, generator: Generator) -> Mapping[str, Tensor]:
        view_a, view_b = draw_views(train, rows, scales, settings.views, generator, n_views=2)
        same = same_molecule(train, rows, settings.views)
        if alpha is not None:
            return joint_loss(model, shared_model, view_a, view_b, lam, beta_nats, generator, same)
        return specific_loss(model, shared_model, view_a, view_b, lam, generator, same)

    def validation_function() -> Record:
        return validate_specific(model, shared_model, validation, scales, settings, lam, seed, beta_nats)

    result = fit(
        trained,
        n_rows(train, settings.views),
        loss_function,
        validation_function,
        settings.optimizer,
        settings.run,
        seed,
        checkpoint,
        on_epoch,
        {
            "step": "train_specific",
            "settings": settings.model_dump(mode="json", exclude={"run"}),
            "lam": lam,
            "beta_nats": beta_nats,
        },
    )
    freeze(shared_model)
    metrics = {**result.metrics, "best_epoch": result.best_epoch}
    if alpha is not None:
        # the codes of step 1 are not those of this model any more
        settled = settle_shared(shared_model, train, validation)
        metrics |= {f"shared_{name}": value for name, value in settled.items()}
    return model, result.history, metrics


def validate_specific(
    model: SpecificModel,
    shared_model: SharedModel,
    data: TrainingData,
    scales: InputScales,
    settings: TrainSpecificSettings,
    lam: float,
    seed: int,
    beta_nats: float = 0.0,
) -> Record:
    """Terms of step 2 between two views of the validation compounds, the same views at every call; mean codes."""
    generator = torch.Generator(data.molecule.device).manual_seed(seed)
    compounds = torch.arange(data.n_compounds, device=data.molecule.device)
    views = settings.views.model_copy(update={"rows": "compounds"})
    view_a, view_b = draw_views(data, compounds, scales, views, generator, n_views=2)
    if settings.joint_alpha is None:
        terms = specific_loss(model, shared_model, view_a, view_b, lam, None)
    else:
        terms = joint_loss(model, shared_model, view_a, view_b, lam, beta_nats, None)
    record = {name: float(value) for name, value in terms.items() if name != "critic"}
    record["contrastive"] = record[f"contrastive_{PHENOTYPE}"] + record[f"contrastive_{MOLECULE}"]
    # the critic's own loss is no part of what is compared between epochs
    record["loss"] -= float(terms.get("critic", torch.zeros(())))
    for modality, inputs in ((PHENOTYPE, data.pooled), (MOLECULE, data.molecule)):
        code = model.code(modality, inputs, model.shared_part(shared_model, modality, inputs))
        record[f"participation_ratio_{modality}"] = participation_ratio(code.cpu().numpy())
    if settings.joint_alpha is not None and math.isfinite(record["loss"]):
        codes = shared_model.code(PHENOTYPE, data.pooled), shared_model.code(MOLECULE, data.molecule)
        record |= {f"shared_{name}": value for name, value in shared_code_metrics(*codes).items()}
    return record
