"""Trained models of several modalities on disk."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dssl.model.multimodal import MultimodalModel
from dssl.settings.learning import CodeSettings, ContrastiveSettings, EncoderSettings
from dssl.training.saved import fill
from dssl.training.tensorfile import read_tensors, write_tensors

FORMAT = "dssl-multimodal-model/2"


def save_multimodal(path: Path, model: MultimodalModel, metadata: Mapping[str, Any]) -> None:
    """Write a model and JSON-able metadata (.safetensors); the same model and metadata give the same bytes."""
    description = {
        "format": FORMAT,
        "metadata": dict(metadata),
        # a list, since the order of the modalities is that of the pairs, and JSON's keys are sorted
        "input_sizes": list(model.input_sizes.items()),
        "encoder": model.encoder_settings.model_dump(mode="json"),
        "code": model.code_settings.model_dump(mode="json"),
        "contrastive": model.contrastive_settings.model_dump(mode="json"),
        "sharing": model.sharing,
    }
    write_tensors(path, model.state_dict(), description)


def load_multimodal(path: Path, device: torch.device) -> tuple[MultimodalModel, dict[str, Any]]:
    """Read what `save_multimodal` wrote: a frozen model in evaluation mode on `device`, and the metadata.

    Raises
    ------
    IntegrityError
        If the file is missing, damaged, or not a model of this version.
    """
    tensors, stored = read_tensors(path, device, FORMAT)
    model = MultimodalModel(
        dict(stored["input_sizes"]),
        EncoderSettings(**stored["encoder"]),
        CodeSettings(**stored["code"]),
        ContrastiveSettings(**stored["contrastive"]),
        stored["sharing"],
    )
    fill(model, tensors, "", device, path)
    return model, stored["metadata"]
