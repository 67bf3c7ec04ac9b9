"""Tables and embeddings written block by block, so that a large library never lies in memory as a whole."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl.io import atomic_path, write_anndata

if TYPE_CHECKING:
    import h5py

CHUNK_ROWS = 1024  # of the stored arrays


class TableWriter:
    """Appends frames of the same columns to an open table."""

    def __init__(self, opened: IO[bytes], separator: str) -> None:
        self._opened, self._separator, self._is_first = opened, separator, True

    def append(self, frame: pd.DataFrame) -> None:
        """Write the rows of a frame, and its header before the first ones."""
        text = frame.to_csv(index=False, sep=self._separator, lineterminator="\n", header=self._is_first)
        self._opened.write(text.encode())
        self._is_first = False


@contextmanager
def table_writer(path: Path) -> Iterator[TableWriter]:
    """Open a .csv, .tsv or their .gz for appending; it is moved into place when the block ends well."""
    with atomic_path(path) as temporary, open(temporary, "wb") as raw:
        separator = "," if ".csv" in path.suffixes[-2:] else "\t"
        if path.suffix != ".gz":
            yield TableWriter(raw, separator)
            return
        with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as packed:
            yield TableWriter(cast("IO[bytes]", packed), separator)


class EmbeddingWriter:
    """Fills the obsm of an open .h5ad from its first row on."""

    def __init__(self, opened: "h5py.File", n_rows: int) -> None:
        self._opened, self._n_rows, self._filled = opened, n_rows, 0

    def append(self, codes: dict[str, NDArray[np.float32]]) -> None:
        """Write the next rows of every array of obsm."""
        n = 0
        for name, values in codes.items():
            if name not in self._opened["obsm"]:
                self._create(name, values.shape[1])
            n = len(values)
            self._opened["obsm"][name][self._filled : self._filled + n] = values
        self._filled += n

    def describe(self, obs: pd.DataFrame) -> None:
        """Write the obs of all rows."""
        from anndata.io import write_elem

        write_elem(self._opened, "obs", obs, dataset_kwargs={"compression": "gzip"})

    def _create(self, name: str, width: int) -> None:
        dataset: Any = self._opened["obsm"].create_dataset(
            name,
            shape=(self._n_rows, width),
            dtype=np.float32,
            chunks=(min(CHUNK_ROWS, self._n_rows), width),
            compression="gzip",
        )
        dataset.attrs["encoding-type"], dataset.attrs["encoding-version"] = "array", "0.2.0"


@contextmanager
def embedding_writer(path: Path, names: pd.Index, stamp: dict[str, str]) -> Iterator[EmbeddingWriter]:
    """Open an .h5ad without X whose rows are `names`; it is moved into place when the block ends well."""
    import h5py
    from anndata import AnnData

    with atomic_path(path) as temporary:
        write_anndata(temporary, AnnData(obs=pd.DataFrame(index=names)), stamp)
        with h5py.File(temporary, "r+") as opened:
            yield EmbeddingWriter(opened, len(names))
