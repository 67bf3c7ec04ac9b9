"""GCT and GCTX, the files of L1000 (levels 3 to 5).

Read here rather than with cmapPy 4.0.1, which turns identifiers into numbers (00123 becomes 123), cannot decode µM in
a GCTX, reads no gzipped GCT, writes no GCTX with numpy 2, and calls pandas in a way that pandas 3 refuses. Tests
compare the values with cmapPy's.
"""

import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from dssl.errors import TableError
from dssl.phenotypes.formats.source import Source, rows_per_batch

CID = "cid"  # the id of a GCT's column, which is a well or a signature
_MISSING = ("-666", "-666.0")  # how L1000 writes that a value is missing
_VALUES, _ROWS, _COLUMNS = "/0/DATA/0/matrix", "/0/META/ROW", "/0/META/COL"


def open_gct(path: Path) -> Source:
    """A GCT of version 1.2 or 1.3, gzipped or not.

    Raises
    ------
    TableError
        If the file is not what its first two lines say.
    """
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as lines:
        version, sizes = lines.readline().strip(), lines.readline().split()
    try:
        n_rows, n_wells, n_row_fields, n_well_fields = _sizes(version, sizes)
        header = pd.read_csv(path, sep="\t", skiprows=2, nrows=n_well_fields, dtype=str, keep_default_na=False)
        data = pd.read_csv(path, sep="\t", skiprows=3 + n_well_fields, header=None, dtype={0: str}, low_memory=False)
        values = data.iloc[:, 1 + n_row_fields :].to_numpy(dtype=np.float32)
    except (ValueError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise TableError(
            f"{path}: is not a GCT file of version 1.2 or 1.3 ({error})\nSave it again as GCT, GCTX or CSV."
        ) from None
    if values.shape != (n_rows, n_wells):
        raise TableError(
            f"{path}: line 2 says {n_rows} features x {n_wells} wells, the file has {values.shape[0]} x"
            f" {values.shape[1]}\nFetch or save the file again: it may have been cut off."
        )
    wells = [str(name) for name in header.columns[1 + n_row_fields :]]
    fields = {str(row.iloc[0]): row.iloc[1 + n_row_fields :].tolist() for _, row in header.iterrows()}
    described = _described(wells, fields)
    names = data[0].tolist()
    positions = {name: row for row, name in enumerate(names)}

    def batches(columns: Sequence[str], features: Sequence[str]) -> Iterator[pd.DataFrame]:
        chosen = values[[positions[name] for name in features]].T
        yield pd.concat([described[list(columns)], pd.DataFrame(chosen, columns=list(features))], axis=1)

    return Source([*described.columns, *names], batches, names)


def _sizes(version: str, sizes: list[str]) -> tuple[int, ...]:
    numbers = tuple(int(size) for size in sizes)
    if version == "#1.2" and len(numbers) == 2:
        return (*numbers, 1, 0)
    if version == "#1.3" and len(numbers) == 4:
        return numbers
    raise ValueError(f"it begins with {version[:20]!r} and {' '.join(sizes)[:40]!r}")


def open_gctx(path: Path) -> Source:
    """A GCTX: only the features that are asked for are read, in batches of wells.

    Raises
    ------
    TableError
        If the file is not a GCTX.
    """
    try:
        with h5py.File(path) as opened:
            names = _texts(opened[f"{_ROWS}/id"][:])
            fields = {key: _texts(values[:]) for key, values in opened[_COLUMNS].items()}
    except (OSError, KeyError) as error:
        raise TableError(f"{path}: is not a GCTX file ({error})\nFetch or save it again, as GCTX or GCT.") from None
    described = _described(fields.pop("id"), fields)
    positions = {name: row for row, name in enumerate(names)}

    def batches(columns: Sequence[str], features: Sequence[str]) -> Iterator[pd.DataFrame]:
        wanted = np.array([positions[name] for name in features], dtype=np.int64)
        step = rows_per_batch(len(names))
        with h5py.File(path) as opened:
            for start in range(0, len(described), step):
                rows = described[list(columns)].iloc[start : start + step].reset_index(drop=True)
                values = opened[_VALUES][start : start + step][:, wanted] if len(wanted) else np.empty((len(rows), 0))
                yield pd.concat([rows, pd.DataFrame(values.astype(np.float32), columns=list(features))], axis=1)

    return Source([*described.columns, *names], batches, names)


def _texts(values: Any) -> list[str]:
    return [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in values]


def _described(wells: list[str], fields: dict[str, list[str]]) -> pd.DataFrame:
    frame = pd.DataFrame({CID: wells, **fields}, dtype=object)
    return frame.mask(frame.isin(_MISSING) | (frame == ""))
