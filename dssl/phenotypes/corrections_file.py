"""Fitted corrections in one safetensors file."""

import json
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

FORMAT = "dssl_corrections"
VERSION = 1
_SPHERING_ARRAYS = ("mean", "scale", "components", "gains")
Arrays = dict[str, NDArray[Any]]


def save_corrections(path: Path, fitted: Corrections, record: dict[str, str]) -> None:
    """Write corrections atomically, with `record` (where they came from); the same content gives the same bytes."""
    text: dict[str, Any] = {"version": VERSION, "features": fitted.features, "record": record}
    # a file without any array is no safetensors file
    arrays: Arrays = {"n_features": np.array([len(fitted.features)])}
    if fitted.position is not None:
        arrays |= {"position.places": fitted.position.places, "position.effects": fitted.position.effects}
    for name, scaling in (("standardize", fitted.standardize), ("combat", fitted.combat)):
        if scaling is not None:
            text[name] = scaling.groups
            arrays |= {f"{name}.slope": scaling.slope, f"{name}.intercept": scaling.intercept}
    text["sphering"] = list(fitted.sphering)
    for number, state in enumerate(fitted.sphering.values()):
        arrays |= {f"sphering.{number}.{name}": getattr(state, name) for name in _SPHERING_ARRAYS}
        arrays[f"sphering.{number}.rest"] = np.array([state.rest])
    header = {FORMAT: json.dumps(text, sort_keys=True)}
    with atomic_path(path) as temporary:
        temporary.write_bytes(
            save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, metadata=header)
        )


def load_corrections(path: Path) -> Corrections:
    """Read what `save_corrections` wrote.

    Raises
    ------
    IntegrityError
        If the file is missing, is none of fitted corrections, or was written in another version of the format.
    """
    try:
        with safe_open(path, framework="np") as opened:
            text = json.loads((opened.metadata() or {}).get(FORMAT, "{}"))
    except (SafetensorError, FileNotFoundError) as error:
        raise IntegrityError(f"{path}: cannot be read ({error})\nRun assemble_profiles again.") from None
    if text.get("version") != VERSION:
        raise IntegrityError(
            f"{path}: expected fitted corrections of version {VERSION}, found {text.get('version', 'another file')}\n"
            "Run assemble_profiles again, or use the version of dssl that wrote the file."
        )
    arrays = load_file(path)
    position = None
    if "position.places" in arrays:
        position = PositionEffects(arrays["position.places"], arrays["position.effects"])
    scalings = {
        name: GroupScaling(tuple(text[name]), arrays[f"{name}.slope"], arrays[f"{name}.intercept"])
        for name in ("standardize", "combat")
        if name in text
    }
    sphering = {name: _sphering(arrays, number) for number, name in enumerate(text["sphering"])}
    return Corrections(tuple(text["features"]), position, scalings.get("standardize"), scalings.get("combat"), sphering)


def _sphering(arrays: Arrays, number: int) -> SpheringState:
    parts = {name: arrays[f"sphering.{number}.{name}"] for name in _SPHERING_ARRAYS}
    return SpheringState(**parts, rest=float(arrays[f"sphering.{number}.rest"].item()))
