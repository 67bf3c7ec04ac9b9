"""Tensors with a JSON description in one safetensors file: no pickle, atomic, the same bytes for the same content."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from dssl.errors import IntegrityError
from dssl.io import atomic_path

# one key only: safetensors writes several in random order
DESCRIPTION = "dssl"
CHECKSUM = "sha256"


def write_tensors(path: Path, tensors: Mapping[str, Tensor], description: Mapping[str, Any]) -> None:
    """Write tensors and a JSON-able description (NaN is refused)."""
    plain = {name: tensors[name].detach().cpu().contiguous() for name in sorted(tensors)}
    text = json.dumps({**description, CHECKSUM: _checksum(plain)}, sort_keys=True, allow_nan=False)
    with atomic_path(path) as temporary:
        save_file(plain, str(temporary), metadata={DESCRIPTION: text})


def read_tensors(path: Path, device: torch.device, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `write_tensors` wrote; `kind` is what its description has to say under "format".

    Raises
    ------
    IntegrityError
        If the file is missing, is not of this kind, or is damaged.
    """
    try:
        with safe_open(str(path), framework="pt", device=str(device)) as opened:
            description = json.loads((opened.metadata() or {}).get(DESCRIPTION, "{}"))
            names = opened.keys()
            tensors = {name: opened.get_tensor(name) for name in names}
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise IntegrityError(f"{path}: cannot be read as {kind} ({error})\nRemove it and run its step again.") from None
    if description.get("format") != kind:
        raise IntegrityError(
            f"{path}: expected the format {kind}, found {description.get('format')!r}\n"
            "It was written by another version or step: remove it and run its step again."
        )
    if description.pop(CHECKSUM, None) != _checksum(tensors):
        raise IntegrityError(f"{path}: its tensors are not those that were written\nRemove it and run its step again.")
    return tensors, description


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the values: safetensors notices a file that is too short, but no changed byte."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(tensors[name].detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
