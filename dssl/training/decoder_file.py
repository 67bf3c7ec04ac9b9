"""Fitted decoders on disk: one safetensors file for a fold."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dssl.training.counterfactuals import Choice, FittedTask
from dssl.training.decoder import Decoder, Landmarks, Strength
from dssl.training.tensorfile import read_tensors, write_tensors

FORMAT = "dssl-decoder/2"
Floats = NDArray[np.float64]
ARRAYS = ("weights", "offset")


@dataclass(frozen=True, eq=False)
class Scaling:
    """Profile features in standard deviations of training wells about their mean; those that do not vary are not there."""

    names: tuple[str, ...]
    center: Floats
    scale: Floats


@dataclass(frozen=True, eq=False)
class FittedContext:
    """Everything fitted for one column of contexts.

    Attributes
    ----------
    reconstructions : decoders of a profile from its own "shared" code, "specific" code, "both", and from what the
        encoders see ("inputs"); "chance": from both codes of permuted rows.
    strength : what the decoder of both codes was fitted with.
    axes : (p, k) principal axes of the training profiles, as many as both codes of one member have dimensions.
    tasks : by name; a task that could not be fitted is in `unfitted` with its reason.
    """

    reconstructions: Mapping[str, Decoder]
    strength: Strength
    axes: Floats
    tasks: Mapping[str, FittedTask]
    unfitted: Mapping[str, str]


def save_decoders(
    path: Path, scaling: Scaling, contexts: Mapping[str, FittedContext], metadata: Mapping[str, Any]
) -> None:
    """Write the decoders of every column of contexts; the same content gives the same bytes."""
    arrays: dict[str, Floats] = {"scaling.center": scaling.center, "scaling.scale": scaling.scale}
    described = {}
    for number, (column, fitted) in enumerate(contexts.items()):
        start = f"{number}."
        arrays[f"{start}axes"] = fitted.axes
        known = {name: _pack(f"{start}{name}.", decoder, arrays) for name, decoder in fitted.reconstructions.items()}
        tasks = {name: _pack_task(f"{start}{name}.", task, arrays) for name, task in fitted.tasks.items()}
        described[column] = {
            "number": number,
            "reconstructions": known,
            "strength": asdict(fitted.strength),
            "tasks": tasks,
            "unfitted": dict(fitted.unfitted),
        }
    description = {"format": FORMAT, "names": scaling.names, "contexts": described, "metadata": dict(metadata)}
    write_tensors(path, {name: torch.tensor(a) for name, a in arrays.items()}, description)


def load_decoders(path: Path) -> tuple[Scaling, dict[str, FittedContext], dict[str, Any]]:
    """Read what `save_decoders` wrote: scaling, decoders by column of contexts, metadata.

    Raises
    ------
    IntegrityError
        If the file is missing, damaged, or of another kind or version.
    """
    tensors, description = read_tensors(path, torch.device("cpu"), FORMAT)
    contexts = {}
    for column, stored in description["contexts"].items():
        start = f"{stored['number']}."
        contexts[column] = FittedContext(
            {name: _unpack(f"{start}{name}.", tensors, has) for name, has in stored["reconstructions"].items()},
            Strength(**stored["strength"]),
            tensors[f"{start}axes"].numpy(),
            {name: _unpack_task(f"{start}{name}.", tensors, task) for name, task in stored["tasks"].items()},
            stored["unfitted"],
        )
    scaling = Scaling(tuple(description["names"]), tensors["scaling.center"].numpy(), tensors["scaling.scale"].numpy())
    return scaling, contexts, description["metadata"]


def _pack(start: str, decoder: Decoder, arrays: dict[str, Floats]) -> float | None:
    """Width of its landmarks, or None where it has none."""
    arrays.update({f"{start}{name}": getattr(decoder, name) for name in ARRAYS})
    if decoder.landmarks is None:
        return None
    arrays[f"{start}landmarks"] = decoder.landmarks.rows
    return decoder.landmarks.width


def _unpack(start: str, tensors: Mapping[str, Tensor], width: float | None) -> Decoder:
    weights, offset = (tensors[f"{start}{name}"].numpy() for name in ARRAYS)
    landmarks = None if width is None else Landmarks(tensors[f"{start}landmarks"].numpy(), width)
    return Decoder(weights, offset, landmarks)


def _pack_task(start: str, task: FittedTask, arrays: dict[str, Floats]) -> dict[str, Any]:
    arrays[f"{start}spread"] = task.spread
    return {
        "choice": asdict(task.choice),
        "decoder": _pack(f"{start}decoder.", task.decoder, arrays),
        "members": [_pack(f"{start}member_{row}.", member, arrays) for row, member in enumerate(task.members)],
        "control": _pack(f"{start}control.", task.control, arrays),
        "control_arrangement": task.control_arrangement,
        "shrinkage": task.shrinkage,
    }


def _unpack_task(start: str, tensors: Mapping[str, Tensor], stored: dict[str, Any]) -> FittedTask:
    choice = dict(stored["choice"])
    members = [_unpack(f"{start}member_{row}.", tensors, width) for row, width in enumerate(stored["members"])]
    return FittedTask(
        Choice(**choice | {"strength": Strength(**choice["strength"])}),
        _unpack(f"{start}decoder.", tensors, stored["decoder"]),
        tuple(members),
        _unpack(f"{start}control.", tensors, stored["control"]),
        stored["control_arrangement"],
        stored["shrinkage"],
        tensors[f"{start}spread"].numpy(),
    )
