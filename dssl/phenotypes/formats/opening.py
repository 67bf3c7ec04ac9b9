"""One door to all formats."""

from collections.abc import Sequence
from pathlib import Path

import h5py

from dssl.errors import TableError
from dssl.io import TABLE_ENDINGS
from dssl.phenotypes.formats.aggregate import aggregated
from dssl.phenotypes.formats.annotated import open_10x, open_h5ad
from dssl.phenotypes.formats.gct import open_gct, open_gctx
from dssl.phenotypes.formats.npz import open_npz
from dssl.phenotypes.formats.source import Source
from dssl.phenotypes.formats.sqlite import open_sqlite
from dssl.phenotypes.formats.table import open_matrix, open_table
from dssl.settings.inputs import PlateTableSettings

_BY_ENDING = {
    **dict.fromkeys(TABLE_ENDINGS, "table"),
    **dict.fromkeys((".gct", ".gct.gz"), "gct"),
    ".gctx": "gctx",
    ".h5ad": "h5ad",
    ".npz": "npz",
    **dict.fromkeys((".sqlite", ".sqlite3", ".db"), "sqlite"),
}


def format_of(path: Path) -> str:
    """Format of a file of wells, by its ending; of .h5 files and folders, by what is in them.

    Raises
    ------
    TableError
        If the file is missing, or of no format that is known.
    """
    if not path.exists():
        raise TableError(f"{path}: there is no such file; correct the path in the settings")
    if path.is_dir():
        if any(path.glob("matrix.mtx*")):
            return "10x"
        if any(path.rglob("*.npz")):
            return "npz"
        raise TableError(
            f"{path}: a folder without .npz files and without matrix.mtx\n"
            "Name the tables in it (plates.tables takes patterns), or a plate's folder of .npz or 10x files."
        )
    for ending, name in _BY_ENDING.items():
        if path.name.endswith(ending):
            return name
    if path.suffix in (".h5", ".hdf5") and h5py.is_hdf5(path):
        with h5py.File(path) as opened:
            keys = set(opened)
        for key, name in (("matrix", "10x"), ("0", "gctx"), ("obs", "h5ad")):
            if key in keys:
                return name
    known = ", ".join([*_BY_ENDING, ".h5 (10x)", "or a folder of .npz or 10x files"])
    raise TableError(f"{path}: unknown kind of file; known are {known}\nSet plates.format where the ending misleads.")


def open_wells(path: Path, plates: PlateTableSettings, text_columns: Sequence[str]) -> Source:
    """Open a file of wells, of whatever format: its rows are wells, aggregated where plates.aggregate says so.

    Parameters
    ----------
    path : Path
        File, or folder of a plate's .npz or 10x files.
    plates : PlateTableSettings
        Format (None: see `format_of`), columns, aggregation.
    text_columns : sequence of str
        Columns that are read as text whatever they look like.

    Raises
    ------
    TableError
        If the file cannot be read.
    ConfigError
        If plates.aggregate does not fit the format.
    """
    kind = plates.format or format_of(path)
    if kind == "sqlite":
        return open_sqlite(path, plates)
    opened = _open_rows(path, kind, plates, text_columns)
    return opened if plates.aggregate is None else aggregated(opened, plates, plates.aggregate, str(path))


def _open_rows(path: Path, kind: str, plates: PlateTableSettings, text_columns: Sequence[str]) -> Source:
    if kind == "table":
        return open_table(path, text_columns, in_batches=plates.aggregate is not None)
    if kind == "h5ad":
        return open_h5ad(path, plates.layer)
    return {"matrix": open_matrix, "gct": open_gct, "gctx": open_gctx, "10x": open_10x, "npz": open_npz}[kind](path)
