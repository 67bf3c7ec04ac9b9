"""What all steps that train have in common: logging, checkpoints of their own, history and metrics."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dssl.io import sha256_of, write_json, write_text
from dssl.settings.base import Settings

logger = logging.getLogger(__name__)
Record = dict[str, float]


def log_epoch(epochs: int) -> Callable[[Record], None]:
    """A callback that logs the losses of every epoch with a validation."""

    def log(record: Record) -> None:
        if "validation_loss" in record:
            logger.info(
                "epoch %d of %d: training loss %.4f, validation loss %.4f",
                record["epoch"],
                epochs,
                record["train_loss"],
                record["validation_loss"],
            )

    return log


def own_checkpoint(checkpoint: Path, settings: Settings, made_from: list[Path]) -> Path:
    """Name the checkpoint after what the run is made from; what another run left behind is removed, never resumed."""
    digest = hashlib.sha256(settings.to_json().encode())
    for path in made_from:
        digest.update(sha256_of(path).encode())
    own = checkpoint.with_name(f"{checkpoint.name}-{digest.hexdigest()[:12]}.safetensors")
    for other in checkpoint.parent.glob(f"{checkpoint.name}-*.safetensors"):
        if other != own:
            logger.warning("%s: left by a run with other settings or inputs, removed", other)
            other.unlink(missing_ok=True)
    return own


def write_run(history: list[Record], metrics: Record, identity: Mapping[str, Any], paths: tuple[Path, Path]) -> None:
    """Write a record per epoch (JSON lines) and the metrics with what tells the run from others."""
    write_text(paths[0], "".join(json.dumps(record, sort_keys=True, allow_nan=False) + "\n" for record in history))
    write_json(paths[1], {**identity, **metrics})
