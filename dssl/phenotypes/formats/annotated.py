"""AnnData (.h5ad) and 10x matrices: counts, mostly."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from dssl.errors import TableError, first_few
from dssl.phenotypes.formats.source import Source, rows_per_batch

OBS_NAMES, BARCODE = "obs_names", "barcode"


def open_h5ad(path: Path, layer: str | None) -> Source:
    """An .h5ad, its X or one layer read in batches of rows; the index of obs stands in the column "obs_names".

    Raises
    ------
    TableError
        If the file is not AnnData's, or has no such layer.
    """
    from anndata.io import read_elem, sparse_dataset

    key = "X" if layer is None else f"layers/{layer}"
    try:
        with h5py.File(path) as opened:
            obs, names = read_elem(opened["obs"]), [str(name) for name in read_elem(opened["var"]).index]
            layers, found = list(opened.get("layers", {})), key in opened
    except (OSError, KeyError) as error:
        raise TableError(f"{path}: is not an .h5ad file ({error})\nWrite it again with AnnData.write_h5ad.") from None
    if not found:
        raise TableError(
            f"{path}: there is no {'X' if layer is None else f'layer {layer!r}'}; its layers are"
            f" {first_few(layers) or 'none'}\nCorrect plates.layer."
        )
    described = obs.assign(**{OBS_NAMES: obs.index.astype(str)}).reset_index(drop=True)
    positions = {name: column for column, name in enumerate(names)}

    def batches(columns: Sequence[str], features: Sequence[str]) -> Iterator[pd.DataFrame]:
        wanted = [positions[name] for name in features]
        step = rows_per_batch(len(names))
        with h5py.File(path) as opened:
            stored: Any = sparse_dataset(opened[key]) if isinstance(opened[key], h5py.Group) else opened[key]
            for start in range(0, len(described), step):
                rows = described[list(columns)].iloc[start : start + step].reset_index(drop=True)
                values = _dense(stored[start : start + step])[:, wanted] if wanted else np.empty((len(rows), 0))
                yield pd.concat([rows, pd.DataFrame(values, columns=list(features))], axis=1)

    return Source([*(str(column) for column in described.columns), *names], batches, names)


def open_10x(path: Path) -> Source:
    """A 10x matrix, .h5 or a folder with matrix.mtx(.gz); features are named by gene identifier.

    Nothing but the barcode (column "barcode") describes its rows: which well it stands for comes from plates.metadata.
    """
    import scanpy

    read = scanpy.read_10x_mtx if path.is_dir() else scanpy.read_10x_h5
    try:
        adata = read(path, gex_only=False)
    except (OSError, KeyError, ValueError) as error:
        raise TableError(
            f"{path}: is not a 10x matrix ({error})\nName a .h5 file, or a folder with matrix.mtx, barcodes.tsv and"
            " features.tsv."
        ) from None
    counts, names = adata.X.tocsr(), [str(name) for name in adata.var["gene_ids"]]
    positions = {name: column for column, name in enumerate(names)}
    described = pd.DataFrame({BARCODE: adata.obs_names.astype(str)})

    def batches(columns: Sequence[str], features: Sequence[str]) -> Iterator[pd.DataFrame]:
        values = counts[:, [positions[name] for name in features]].toarray()
        yield pd.concat([described[list(columns)], pd.DataFrame(values, columns=list(features))], axis=1)

    return Source([BARCODE, *names], batches, names)


def _dense(values: Any) -> Any:
    return values.toarray() if hasattr(values, "toarray") else np.asarray(values)
