"""What assembling the plates has settled, for new plates: which features, and what was fitted on the controls."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save

from dssl.errors import IntegrityError
from dssl.io import atomic_path
from dssl.phenotypes.corrections import Corrections
from dssl.phenotypes.group_scaling import GroupScaling
from dssl.phenotypes.position import PositionEffects
from dssl.phenotypes.sphering import SpheringState

FORMAT = "dssl_assembled/1"
_SPHERING_ARRAYS = ("mean", "scale", "components", "gains")
_SCALINGS = ("standardize", "combat")
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class AssembledState:
    """Features and fitted state of `assemble_profiles`.

    Attributes
    ----------
    read : tuple of str
        Every feature that a plate has: what the quality flags of a well are made from.
    kept : tuple of str
        Features of the assembled profiles, in their order.
    corrections : Corrections
        Fitted on the controls, on `kept`.
    """

    read: tuple[str, ...]
    kept: tuple[str, ...]
    corrections: Corrections


def save_assembled(path: Path, state: AssembledState, metadata: Mapping[str, str]) -> None:
    """Write the state atomically (.safetensors); the same content gives the same bytes."""
    fitted = state.corrections
    text: dict[str, Any] = {"read": state.read, "kept": state.kept, "metadata": dict(metadata)}
    # a file without any array is no safetensors file
    arrays: Arrays = {"n_kept": np.array([len(state.kept)])}
    if fitted.position is not None:
        arrays |= {"position.places": fitted.position.places, "position.effects": fitted.position.effects}
    for name in _SCALINGS:
        scaling: GroupScaling | None = getattr(fitted, name)
        if scaling is not None:
            text[name] = scaling.groups
            arrays |= {f"{name}.slope": scaling.slope, f"{name}.intercept": scaling.intercept}
    text["sphering"] = list(fitted.sphering)
    for number, sphering in enumerate(fitted.sphering.values()):
        arrays |= {f"sphering.{number}.{name}": getattr(sphering, name) for name in _SPHERING_ARRAYS}
        arrays[f"sphering.{number}.rest"] = np.array([sphering.rest])
    content = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    # one header entry only: the library writes several in an order that differs from run to run
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(content, metadata={FORMAT: json.dumps(text, sort_keys=True)}))


def load_assembled(path: Path) -> AssembledState:
    """Read what `save_assembled` wrote.

    Raises
    ------
    IntegrityError
        If the file is missing or is something else.
    """
    try:
        with safe_open(path, framework="np") as opened:
            header = (opened.metadata() or {}).get(FORMAT)
    except (SafetensorError, FileNotFoundError) as error:
        raise IntegrityError(f"{path}: cannot be read ({error})\nRun assemble_profiles again.") from None
    if header is None:
        raise IntegrityError(f"{path}: expected {FORMAT}, found another file\nRun assemble_profiles again.")
    text, arrays = json.loads(header), load_file(path)
    position = None
    if "position.places" in arrays:
        position = PositionEffects(arrays["position.places"], arrays["position.effects"])
    scalings = {
        name: GroupScaling(tuple(text[name]), arrays[f"{name}.slope"], arrays[f"{name}.intercept"])
        for name in _SCALINGS
        if name in text
    }
    sphering = {name: _sphering(arrays, number) for number, name in enumerate(text["sphering"])}
    corrections = Corrections(position, scalings.get("standardize"), scalings.get("combat"), sphering)
    return AssembledState(tuple(text["read"]), tuple(text["kept"]), corrections)


def _sphering(arrays: Arrays, number: int) -> SpheringState:
    parts = {name: arrays[f"sphering.{number}.{name}"] for name in _SPHERING_ARRAYS}
    return SpheringState(**parts, rest=float(arrays[f"sphering.{number}.rest"].item()))
