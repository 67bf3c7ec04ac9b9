"""Training of the shared codes of more than two modalities, of which rows may lack some."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Generator, Tensor

from dssl.errors import PairingError
from dssl.keys import MOLECULE
from dssl.model.multimodal import MultimodalModel, multimodal_loss
from dssl.settings.learning import Sharing, TrainSharedSettings, ViewSettings
from dssl.training.device import resolve_device
from dssl.training.fit import EpochCallback, Record, fit
from dssl.training.metrics import RETRIEVAL_METRICS, mean_retrieval
from dssl.training.views import perturb, released_augmentation


@dataclass(frozen=True)
class MultimodalData:
    """Compounds (rows) in several modalities. Made by `from_arrays`.

    Attributes
    ----------
    inputs : dict of modality to Tensor, (n, k)
        Preprocessed; zeros in missing rows.
    present : dict of modality to Tensor of bool, (n,)
        Which rows have the modality.
    scales : dict of modality to Tensor, (k,)
        Standard deviation of each input over the rows that have it.
    """

    inputs: dict[str, Tensor]
    present: dict[str, Tensor]
    scales: dict[str, Tensor]

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, ArrayLike]) -> Self:
        """Take arrays (n, k) with matching rows; a row of NaN only is missing.

        Raises
        ------
        PairingError
            If numbers of rows differ, a row is missing in part or infinite, or two modalities have fewer than two rows
            in common.
        """
        values = {name: np.asarray(array, dtype=np.float32) for name, array in arrays.items()}
        present = {name: np.asarray((~np.isnan(array)).any(axis=1)) for name, array in values.items()}
        _check(values, present)
        inputs = {name: np.where(present[name][:, None], array, 0) for name, array in values.items()}
        scales = {name: array[present[name]].std(0) for name, array in values.items()}
        tensors = ({name: torch.from_numpy(part[name]) for name in part} for part in (inputs, present, scales))
        return cls(*tensors)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.inputs.values())))

    def to(self, device: torch.device) -> Self:
        """The same data on a device."""
        parts = (self.inputs, self.present, self.scales)
        return type(self)(*({name: tensor.to(device) for name, tensor in part.items()} for part in parts))


def train_multimodal(
    data_train: MultimodalData,
    data_validation: MultimodalData,
    settings: TrainSharedSettings,
    beta: float,
    seed: int,
    sharing: Sharing = "common",
    checkpoint: Path | None = None,
    on_epoch: EpochCallback | None = None,
) -> tuple[MultimodalModel, list[Record], Record]:
    """Train the encoders of all modalities, on every pair of them where both are there.

    Of `settings.views`, noise, dropout and the released augmentation apply: the molecule's to the modality "molecule",
    the phenotype's to all others. The rest as in `dssl.training.shared.train_shared`.

    Returns
    -------
    MultimodalModel, list of dict, dict
        As in `train_shared`; the metrics hold retrieval of the validation rows for every pair,
        `mrr_<first>_<second>` (the mean of both directions), and the means over the pairs.
    """
    device = resolve_device(settings.run)
    train, validation = data_train.to(device), data_validation.to(device)
    sizes = {name: values.shape[1] for name, values in train.inputs.items()}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = MultimodalModel(sizes, settings.encoder, settings.code, settings.contrastive, sharing)
    model.to(device)

    def loss_function(rows: Tensor, generator: Generator) -> Mapping[str, Tensor]:
        view = {name: _view(name, train, rows, settings.views, generator) for name in train.inputs}
        present = {name: mask[rows] for name, mask in train.present.items()}
        return multimodal_loss(model, view, present, beta, generator, kl_scale=settings.kl_scale)

    result = fit(
        model,
        train.n_rows,
        loss_function,
        lambda: _validate(model, validation, settings, beta),
        settings.optimizer,
        settings.run,
        seed,
        checkpoint,
        on_epoch,
        {
            "step": "train_multimodal",
            "settings": settings.model_dump(mode="json", exclude={"run"}),
            "beta": beta,
            "sharing": sharing,
        },
    )
    return model, result.history, {**result.metrics, "best_epoch": result.best_epoch}


def _view(name: str, data: MultimodalData, rows: Tensor, settings: ViewSettings, generator: Generator) -> Tensor:
    inputs = data.inputs[name][rows]
    if settings.augmentation == "released":
        return released_augmentation(inputs, generator)
    if name == MOLECULE:
        return perturb(inputs, data.scales[name], settings.molecule_noise, settings.molecule_dropout, generator)
    return perturb(inputs, data.scales[name], settings.phenotype_noise, settings.phenotype_dropout, generator)


def _validate(model: MultimodalModel, data: MultimodalData, settings: TrainSharedSettings, beta: float) -> Record:
    """Terms of the loss, and retrieval between the modalities of each pair among the rows that have both."""
    terms = multimodal_loss(model, data.inputs, data.present, beta, None, kl_scale=settings.kl_scale)
    record: Record = {name: float(value) for name, value in terms.items()}
    if not math.isfinite(record["loss"]):
        return record
    for pair in model.pairs:
        both = data.present[pair[0]] & data.present[pair[1]]
        first, second = (model.code(name, data.inputs[name][both], pair) for name in pair)
        found = [mean_retrieval(first, second), mean_retrieval(second, first)]
        for name in RETRIEVAL_METRICS:
            record[f"{name}_{pair[0]}_{pair[1]}"] = (found[0][name] + found[1][name]) / 2
    for name in RETRIEVAL_METRICS:
        record[name] = sum(record[f"{name}_{pair[0]}_{pair[1]}"] for pair in model.pairs) / len(model.pairs)
    return record


def _check(values: Mapping[str, np.ndarray], present: Mapping[str, np.ndarray]) -> None:
    lengths = {name: len(array) for name, array in values.items()}
    if len(set(lengths.values())) > 1:
        raise PairingError(f"multimodal data: expected as many rows in every modality, found {lengths}")
    for name, array in values.items():
        n_bad = int((~np.isfinite(array).all(axis=1) & present[name]).sum())
        if n_bad:
            raise PairingError(
                f"multimodal data: {n_bad} row(s) of {name} are missing in part or infinite\n"
                "Fill them in preprocessing, or set the whole row to NaN where the modality is missing."
            )
    for pair in combinations(values, 2):
        n_common = int((present[pair[0]] & present[pair[1]]).sum())
        if n_common < 2:
            raise PairingError(
                f"multimodal data: expected at least 2 rows with both {pair[0]} and {pair[1]}, found {n_common}"
            )
