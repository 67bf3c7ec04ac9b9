"""NPZ files of deep embeddings, as DeepProfiler (CPCNN) writes them: an array `features`, and often `metadata`."""

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from pickle import Unpickler, UnpicklingError
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib import format as npy

from dssl.errors import TableError
from dssl.phenotypes.formats.source import Source

FEATURES, METADATA, PREFIX, MODEL = "features", "metadata", "DP", "Metadata_Model"
# what dictionaries of texts, numbers and arrays consist of, and nothing that could run a program
_OF_NUMPY = {"dtype", "ndarray", "scalar", "_reconstruct"}
_HARMLESS = {
    "builtins": {"dict", "list", "tuple", "str", "int", "float", "bool", "set"},
    "collections": {"OrderedDict"},
    "_codecs": {"encode"},
    "numpy": _OF_NUMPY,
    "numpy.core.multiarray": _OF_NUMPY,
    "numpy._core.multiarray": _OF_NUMPY,
}


def open_npz(path: Path) -> Source:
    """One .npz, or a folder (a plate) with one per site, read one after the other.

    Features are named "<prefix>_0", "<prefix>_1", ...; the prefix is Metadata_Model where the files say it, else DP, as
    in pycytominer. What else describes the rows: the entries of `metadata` (Metadata_ is put before their names), any
    further array with one value, or one for each row, and, where the files do not say it themselves, Metadata_Plate
    (the folder), Metadata_Well and Metadata_Site from paths WELL/SITE.npz, WELL_SITE.npz or WELL-SITE.npz.

    Raises
    ------
    TableError
        If there is no file, one has no two-dimensional array `features`, or its metadata is more than plain values.
    """
    files = sorted(path.rglob("*.npz")) if path.is_dir() else [path]
    if not files:
        raise TableError(f"{path}: there is no .npz file in this folder\nCorrect the path in plates.tables.")
    first = _read(files[0], path)
    values = [str(name) for name in first.columns if re.fullmatch(r".+_[0-9]+", str(name))]

    def batches(described: Sequence[str], features: Sequence[str]) -> Iterator[pd.DataFrame]:
        for file in files:
            frame = _read(file, path)
            absent = [name for name in (*described, *features) if name not in frame.columns]
            if absent:
                raise TableError(
                    f"{file}: has no {absent[0]!r}, which {files[0].name} has\nWrite all files of a screen the same way."
                )
            yield frame[[*described, *features]]

    return Source([str(name) for name in first.columns], batches, values)


def _read(file: Path, root: Path) -> pd.DataFrame:
    try:
        with zipfile.ZipFile(file) as archive:
            arrays = {name.removesuffix(".npy"): _array(archive.read(name)) for name in archive.namelist()}
    except (zipfile.BadZipFile, UnpicklingError, ValueError, EOFError) as error:
        raise TableError(
            f"{file}: cannot be read ({error})\nWrite it with numpy.savez: an array `features`, and `metadata` as a"
            " dictionary of texts and numbers."
        ) from None
    features = arrays.pop(FEATURES, None)
    if features is None or features.ndim != 2:
        found = f"one of {features.ndim} dimensions" if features is not None else f"the arrays {', '.join(arrays)}"
        raise TableError(f"{file}: expected an array `features` (rows x features), found {found}\nCorrect the file.")
    described = _from_path(file, root) | _described(arrays, len(features))
    model = np.atleast_1d(np.asarray(described.get(MODEL, PREFIX), dtype=object))
    names = [f"{model[0] if model.size else PREFIX}_{column}" for column in range(features.shape[1])]
    rows = pd.DataFrame(described, index=pd.RangeIndex(len(features)))
    return pd.concat([rows, pd.DataFrame(features, columns=names)], axis=1)


def _described(arrays: Mapping[str, Any], n_rows: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, array in arrays.items():
        if name == METADATA:
            entries = array.item() if array.ndim == 0 else {key: array[key] for key in array.dtype.names or ()}
            found |= {key if key.startswith("Metadata_") else f"Metadata_{key}": each for key, each in entries.items()}
        elif array.ndim == 0:
            found[name] = array.item()
        elif array.shape == (n_rows,):
            found[name] = array
    return found


def _from_path(file: Path, root: Path) -> dict[str, Any]:
    if file == root:
        return {}
    parts = re.split(r"[/_-]", file.relative_to(root).with_suffix("").as_posix())
    return {"Metadata_Plate": root.name, **dict(zip(("Metadata_Well", "Metadata_Site"), parts[:2], strict=False))}


class _PlainValues(Unpickler):
    """Reads a pickled dictionary of texts and numbers; anything else in it is refused, because it could run code."""

    def find_class(self, module: str, name: str) -> Any:
        if name not in _HARMLESS.get(module, ()):
            raise UnpicklingError(f"it holds {module}.{name}, not only texts and numbers")
        return super().find_class(module, name)


def _array(content: bytes) -> Any:
    opened = io.BytesIO(content)
    version = npy.read_magic(opened)
    shape, _, dtype = npy.read_array_header_1_0(opened) if version == (1, 0) else npy.read_array_header_2_0(opened)
    if dtype.hasobject:
        return _PlainValues(opened).load().reshape(shape)
    return npy.read_array(io.BytesIO(content), allow_pickle=False)
