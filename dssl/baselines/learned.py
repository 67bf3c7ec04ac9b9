"""Training of the learned baselines: one interface, the loop, views and encoders of DisentangledSSL.

FactorCL (Liang et al. 2023, arXiv 2306.05268) is not among them. Its conditional terms, I(X1; X2 | X1', X2') bounded by
critics of four inputs, stand for I(X1; X2 | Y), which is right only where the views X1', X2' keep exactly what a task Y
needs. There is neither a task nor such a view of a molecule here; with views that are noise, the condition takes away
all that the modalities share. A form without it would be InfoNCE with another name.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from scipy.stats import qmc
from torch import Generator, Tensor

from dssl.baselines.dmvae import Dmvae
from dssl.baselines.dmvae_released import DmvaeAsReleased
from dssl.baselines.focal import Focal, FocalAsReleased
from dssl.baselines.infonce import InfoNce
from dssl.baselines.joint_opt import JointOpt, JointOptAsReleased
from dssl.baselines.pair_model import PairModel
from dssl.keys import MODALITIES, MOLECULE, PHENOTYPE
from dssl.settings.learning import TrainSharedSettings, ViewSettings
from dssl.training.data import TrainingData
from dssl.training.device import resolve_device
from dssl.training.fit import EpochCallback, Record, fit
from dssl.training.metrics import shared_code_metrics
from dssl.training.settling import settle
from dssl.training.views import InputScales, draw_views, n_rows, same_molecule

METHODS: dict[str, type[PairModel]] = {
    "infonce": InfoNce,
    "joint_opt": JointOpt,
    "joint_opt_as_released": JointOptAsReleased,
    "focal": Focal,
    "focal_as_released": FocalAsReleased,
    "dmvae": Dmvae,
    "dmvae_as_released": DmvaeAsReleased,
}


def has_specific_code(method: str) -> bool:
    """Whether a method learns specific codes too, so that its epochs are those of both steps of DisentangledSSL."""
    return METHODS[method] is not InfoNce


def trials(method: str, n: int) -> list[dict[str, float]]:
    """Hyperparameters of `n` trials of a method: the same for everybody, and the first ones of any larger number.

    Points of the Halton sequence, evenly spread over the logarithms of the method's `ranges`; rounded to 3 digits.
    """
    ranges = METHODS[method].ranges
    # the sequence begins at 0 in every dimension: the corner of all lowest values
    points = qmc.Halton(len(ranges), scramble=False).random(n + 1)[1:]
    return [
        {
            name: float(f"{low * (high / low) ** share:.3g}")
            for (name, (low, high)), share in zip(ranges.items(), point, strict=True)
        }
        for point in points
    ]


def train_learned(
    method: str,
    data_train: TrainingData,
    data_validation: TrainingData,
    settings: TrainSharedSettings,
    hyperparameters: Mapping[str, float],
    seed: int,
    checkpoint: Path | None = None,
    on_epoch: EpochCallback | None = None,
) -> tuple[PairModel, list[Record], Record]:
    """Train a baseline.

    Parameters
    ----------
    method : str
        A name of `METHODS`.
    data_train, data_validation : TrainingData
        Preprocessed inputs of training and validation compounds.
    settings : TrainSharedSettings
        Encoder, code, contrastive loss, views, optimiser and device; `solver` has no meaning here.
    hyperparameters : mapping of str to float
        Of the method (see `trials`); what is left out is the method's default.
    seed : int
        Of everything random.
    checkpoint, on_epoch
        See `dssl.training.fit.fit`.

    Returns
    -------
    PairModel
        With the weights of the lowest validation loss (its own loss), in evaluation mode.
    list of dict
        One record per epoch.
    dict
        Of the best epoch: the terms of the loss, what `settle` gives, `best_epoch`.

    Raises
    ------
    ConfigError
        If a hyperparameter is unknown, or a GPU is asked for and there is none.
    """
    device = resolve_device(settings.run)
    train, validation = data_train.to(device), data_validation.to(device)
    scales = InputScales.of(train)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build(method, dict(zip(MODALITIES, train.input_sizes, strict=True)), settings, hyperparameters)
    model.to(device)
    views = _scaled_noise(settings.views, hyperparameters.get("noise", 1.0))

    def loss_function(rows: Tensor, generator: Generator) -> Mapping[str, Tensor]:
        drawn = draw_views(train, rows, scales, views, generator, n_views=model.n_views)
        return model.loss(drawn[0], drawn[-1], generator, same_molecule(train, rows, views))

    identity = {"method": method, "hyperparameters": dict(hyperparameters)}
    result = fit(
        model,
        n_rows(train, views),
        loss_function,
        lambda: validate_learned(model, validation, scales, views, seed),
        settings.optimizer,
        settings.run,
        seed,
        checkpoint,
        on_epoch,
        {"step": "train_learned_baseline", "settings": settings.model_dump(mode="json", exclude={"run"}), **identity},
    )
    settled = settle(model, _comparable(model, train), _comparable(model, validation), settings.code.center)
    return model, result.history, {**result.metrics, **settled, "best_epoch": result.best_epoch}


def validate_learned(
    model: PairModel, data: TrainingData, scales: InputScales, views: ViewSettings, seed: int
) -> Record:
    """Terms of a baseline's loss and retrieval, of validation compounds.

    Where the loss takes two views they are drawn, the same at every call; else it is that of pooled, unperturbed inputs.
    """
    generator = torch.Generator(data.molecule.device).manual_seed(seed)
    drawn: Sequence[Mapping[str, Tensor]] = [{PHENOTYPE: data.pooled, MOLECULE: data.molecule}]
    if model.n_views > 1:
        compounds = torch.arange(data.n_compounds, device=data.molecule.device)
        of_compounds = views.model_copy(update={"rows": "compounds"})
        drawn = draw_views(data, compounds, scales, of_compounds, generator, n_views=model.n_views)
    terms = model.loss(drawn[0], drawn[-1], generator if model.validates_with_draws else None)
    record: Record = {name: float(value) for name, value in terms.items()}
    if not math.isfinite(record["loss"]):
        return record
    return record | shared_code_metrics(*_comparable(model, data).values())


def build(
    method: str,
    input_sizes: Mapping[str, int],
    settings: TrainSharedSettings,
    hyperparameters: Mapping[str, float],
) -> PairModel:
    """An untrained baseline by its name."""
    return METHODS[method](input_sizes, settings, hyperparameters)


def _comparable(model: PairModel, data: TrainingData) -> dict[str, Tensor]:
    inputs = {PHENOTYPE: data.pooled, MOLECULE: data.molecule}
    with torch.no_grad():
        return {modality: model.comparable_codes(modality, values) for modality, values in inputs.items()}


def _scaled_noise(views: ViewSettings, factor: float) -> ViewSettings:
    noise = {"phenotype_noise": views.phenotype_noise * factor, "molecule_noise": views.molecule_noise * factor}
    return views.model_copy(update=noise)
