"""What assembling the plates has settled, for new plates: which features, and the sphering."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save

from dssl.errors import IntegrityError
from dssl.io import atomic_path
from dssl.phenotypes.sphering import SpheringState

FORMAT = "dssl_assembled/1"
ARRAYS = ("mean", "scale", "components", "gains")


@dataclass(frozen=True, eq=False)
class AssembledState:
    """Features and fitted state of `assemble_profiles`.

    Attributes
    ----------
    read : tuple of str
        Every feature that a plate has: what the quality flags of a well are made from.
    kept : tuple of str
        Features of the assembled profiles, in their order.
    sphering : SpheringState or None
        Fitted to the controls, on `kept`; None without sphering.
    """

    read: tuple[str, ...]
    kept: tuple[str, ...]
    sphering: SpheringState | None


def save_assembled(path: Path, state: AssembledState, metadata: Mapping[str, str]) -> None:
    """Write the state atomically (.safetensors); the same content gives the same bytes."""
    arrays = {"rest": np.empty(0)}
    if state.sphering is not None:
        arrays = {name: np.ascontiguousarray(getattr(state.sphering, name)) for name in ARRAYS}
        arrays["rest"] = np.array([state.sphering.rest])
    text = {"read": state.read, "kept": state.kept, "metadata": dict(metadata)}
    # one header entry only: the library writes several in an order that differs from run to run
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(arrays, metadata={FORMAT: json.dumps(text, sort_keys=True)}))


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
    sphering = None
    if arrays["rest"].size:
        mean, scale, components, gains = (arrays[name] for name in ARRAYS)
        sphering = SpheringState(mean, scale, components, gains, float(arrays["rest"].item()))
    return AssembledState(tuple(text["read"]), tuple(text["kept"]), sphering)
