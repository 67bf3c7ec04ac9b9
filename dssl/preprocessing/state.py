"""One safetensors file for everything that was fitted in a fold: arrays as tensors, text as JSON in the header."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save
from scipy import sparse

from dssl.errors import IntegrityError
from dssl.io import atomic_path
from dssl.preprocessing.descriptors import DescriptorScaling
from dssl.preprocessing.harmony import HarmonyState
from dssl.preprocessing.kernel_components import KernelComponents
from dssl.preprocessing.molecule import MoleculeState
from dssl.preprocessing.phenotype import PhenotypeState
from dssl.preprocessing.selection import FEATURE, REASON

FORMAT = "dssl_preprocessing"
VERSION = 1
PHENOTYPE_ARRAYS = ("median", "center", "scale", "mean", "components", "divisor", "explained")
Arrays = dict[str, NDArray[Any]]
Text = dict[str, Any]


@dataclass(frozen=True, eq=False)
class PreprocessingState:
    """Fitted preprocessing of both modalities, and free text about its origin."""

    phenotype: PhenotypeState
    molecule: MoleculeState
    metadata: dict[str, str]


def save_state(path: Path, phenotype: PhenotypeState, molecule: MoleculeState, metadata: Mapping[str, str]) -> None:
    """Write fitted preprocessing atomically; the same content gives the same bytes."""
    phenotype_arrays, phenotype_text = _pack_phenotype(phenotype)
    molecule_arrays, molecule_text = _pack_molecule(molecule)
    text = {
        "version": VERSION,
        "phenotype": phenotype_text,
        "molecule": molecule_text,
        "metadata": dict(metadata),
    }
    # one header entry only: the library writes several in an order that differs from run to run
    header = {FORMAT: json.dumps(text, sort_keys=True)}
    arrays = {name: np.ascontiguousarray(array) for name, array in (phenotype_arrays | molecule_arrays).items()}
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(arrays, metadata=header))


def load_state(path: Path) -> PreprocessingState:
    """Read what `save_state` wrote.

    Raises
    ------
    IntegrityError
        If the file is missing, is not fitted preprocessing, or was written in another version of the format.
    """
    try:
        with safe_open(path, framework="np") as opened:
            header = (opened.metadata() or {}).get(FORMAT)
    except (SafetensorError, FileNotFoundError) as error:
        raise IntegrityError(
            f"{path}: expected fitted preprocessing, cannot read it ({error})\nRun fit_preprocessing again."
        ) from None
    if header is None:
        raise IntegrityError(
            f"{path}: expected fitted preprocessing, found another safetensors file\n"
            "Name the file that fit_preprocessing wrote."
        )
    text = json.loads(header)
    if text["version"] != VERSION:
        raise IntegrityError(
            f"{path}: expected version {VERSION} of fitted preprocessing, found version {text['version']}\n"
            "Run fit_preprocessing again, or use the version of dssl that wrote the file."
        )
    arrays = load_file(path)
    return PreprocessingState(
        _unpack_phenotype(arrays, text["phenotype"]), _unpack_molecule(arrays, text["molecule"]), text["metadata"]
    )


def _pack_phenotype(state: PhenotypeState) -> tuple[Arrays, Text]:
    arrays: Arrays = {f"phenotype.{name}": getattr(state, name) for name in PHENOTYPE_ARRAYS}
    arrays["phenotype.clip"] = np.array([state.clip])
    text: Text = {"names": state.names, "dropped": _pack_dropped(state.dropped)}
    if state.harmony is not None:
        text["batches"] = state.harmony.batches
        arrays["harmony.sigma"] = np.array([state.harmony.sigma])
        arrays |= {"harmony.centroids": state.harmony.centroids, "harmony.offsets": state.harmony.offsets}
    return arrays, text


def _unpack_phenotype(arrays: Arrays, text: Text) -> PhenotypeState:
    return PhenotypeState(
        names=tuple(text["names"]),
        clip=float(arrays["phenotype.clip"].item()),
        dropped=_unpack_dropped(text["dropped"]),
        harmony=_unpack_harmony(arrays, text),
        **{name: arrays[f"phenotype.{name}"] for name in PHENOTYPE_ARRAYS},
    )


def _unpack_harmony(arrays: Arrays, text: Text) -> HarmonyState | None:
    if "batches" not in text:
        return None
    return HarmonyState(
        batches=tuple(text["batches"]),
        centroids=arrays["harmony.centroids"],
        sigma=float(arrays["harmony.sigma"].item()),
        offsets=arrays["harmony.offsets"],
    )


def _pack_molecule(state: MoleculeState) -> tuple[Arrays, Text]:
    text: Text = {
        "count_names": state.count_names,
        "vocabulary": state.vocabulary,
        "descriptors": state.scaling.names,
        "dropped": _pack_dropped(state.dropped),
        "blocks": None,
    }
    arrays: Arrays = {
        "molecule.descriptor_mean": state.scaling.mean,
        "molecule.descriptor_std": state.scaling.std,
        "molecule.descriptor_clip": np.array([state.scaling.clip]),
    }
    if state.kernel is not None:
        text["blocks"] = state.kernel.blocks
        arrays |= {
            "molecule.counts_data": state.kernel.counts.data,
            "molecule.counts_columns": state.kernel.counts.indices.astype(np.int64),
            "molecule.counts_starts": state.kernel.counts.indptr.astype(np.int64),
            "molecule.training_descriptors": state.kernel.descriptors,
            "molecule.length_scale": np.array([state.kernel.length_scale]),
            "molecule.column_mean": state.kernel.column_mean,
            "molecule.projection": state.kernel.projection,
        }
    return arrays, text


def _unpack_molecule(arrays: Arrays, text: Text) -> MoleculeState:
    scaling = DescriptorScaling(
        names=tuple(text["descriptors"]),
        mean=arrays["molecule.descriptor_mean"],
        std=arrays["molecule.descriptor_std"],
        clip=float(arrays["molecule.descriptor_clip"].item()),
    )
    return MoleculeState(
        count_names=tuple(text["count_names"]),
        vocabulary=tuple(text["vocabulary"]),
        scaling=scaling,
        kernel=None if text["blocks"] is None else _unpack_kernel(arrays, tuple(text["blocks"])),
        dropped=_unpack_dropped(text["dropped"]),
    )


def _unpack_kernel(arrays: Arrays, blocks: tuple[str, ...]) -> KernelComponents:
    parts = tuple(arrays[f"molecule.counts_{part}"] for part in ("data", "columns", "starts"))
    column_mean = arrays["molecule.column_mean"]
    return KernelComponents(
        counts=sparse.csr_matrix(parts, shape=(len(column_mean), len(blocks))),
        blocks=blocks,
        descriptors=arrays["molecule.training_descriptors"],
        length_scale=float(arrays["molecule.length_scale"].item()),
        column_mean=column_mean,
        projection=arrays["molecule.projection"],
    )


def _pack_dropped(dropped: pd.DataFrame) -> list[list[str]]:
    return [dropped[column].astype(str).tolist() for column in (FEATURE, REASON)]


def _unpack_dropped(columns: list[list[str]]) -> pd.DataFrame:
    return pd.DataFrame(dict(zip((FEATURE, REASON), columns, strict=True)), dtype=object)
