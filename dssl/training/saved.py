"""Trained models on disk: weights, sizes, settings and metadata in one safetensors file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dssl.errors import IntegrityError
from dssl.keys import MOLECULE, PHENOTYPE
from dssl.model.shared import SharedModel
from dssl.model.specific import SpecificModel, freeze
from dssl.settings.learning import CodeSettings, ContrastiveSettings, EncoderSettings, TrainSpecificSettings
from dssl.training.tensorfile import read_tensors, write_tensors

FORMAT = "dssl-model/1"


def save_model(path: Path, shared: SharedModel, specific: SpecificModel | None, metadata: Mapping[str, Any]) -> None:
    """Write a shared model, and the specific model on top of it if there is one.

    Parameters
    ----------
    path : Path
        Ends in .safetensors. The same models and metadata give the same bytes.
    metadata : mapping
        JSON-able: whatever says where the model is from.
    """
    description: dict[str, Any] = {"format": FORMAT, "metadata": dict(metadata)}
    description["shared"] = {
        "input_sizes": shared.input_sizes,
        "encoder": shared.encoder_settings.model_dump(mode="json"),
        "code": shared.code_settings.model_dump(mode="json"),
        "contrastive": shared.contrastive_settings.model_dump(mode="json"),
    }
    tensors = {f"shared.{name}": value for name, value in shared.state_dict().items()}
    if specific is not None:
        description["specific"] = {"settings": specific.settings.model_dump(mode="json")}
        tensors |= {f"specific.{name}": value for name, value in specific.state_dict().items()}
    write_tensors(path, tensors, description)


def load_model(path: Path, device: torch.device) -> tuple[SharedModel, SpecificModel | None, dict[str, Any]]:
    """Read what `save_model` wrote: frozen models in evaluation mode on `device`, and the metadata.

    Raises
    ------
    IntegrityError
        If the file is missing, damaged, or not a model of this version.
    """
    tensors, description = read_tensors(path, device, FORMAT)
    stored = description["shared"]
    shared = SharedModel(
        stored["input_sizes"][PHENOTYPE],
        stored["input_sizes"][MOLECULE],
        EncoderSettings(**stored["encoder"]),
        CodeSettings(**stored["code"]),
        ContrastiveSettings(**stored["contrastive"]),
    )
    fill(shared, tensors, "shared.", device, path)
    if "specific" not in description:
        return shared, None, description["metadata"]
    settings = TrainSpecificSettings(**description["specific"]["settings"])
    specific = SpecificModel(shared.input_sizes, shared.code_settings.size, settings)
    fill(specific, tensors, "specific.", device, path)
    return shared, specific, description["metadata"]


def fill(model: nn.Module, tensors: Mapping[str, Tensor], prefix: str, device: torch.device, path: Path) -> None:
    """Put the weights of a file into a model, whose names in it begin with `prefix`, and freeze it on the device.

    Raises
    ------
    IntegrityError
        If they do not fit.
    """
    state = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise IntegrityError(f"{path}: the weights do not fit the settings stored with them ({error})") from None
    model.to(device)
    freeze(model)
