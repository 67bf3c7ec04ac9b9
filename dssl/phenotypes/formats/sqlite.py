"""CellProfiler's SQLite files (ExportToDatabase, cytominer-database): a table of images, and tables of objects.

Read here, with Python's own sqlite3, because CytoTable brings parsl, duckdb and the clients of three clouds, some 35
packages, and writes single cells to Parquet first; what CytoTable has written is read as single-cell Parquet.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pandas as pd

from dssl.errors import ConfigError, TableError, first_few
from dssl.phenotypes.formats.aggregate import OBJECT_COUNT, aggregated, keys_of_wells
from dssl.phenotypes.formats.source import Source, rows_per_batch
from dssl.settings.inputs import PlateTableSettings

_KEYS = ("TableNumber", "ImageNumber")
_WITHOUT_MEANING = ("TableNumber", "ImageNumber", "ObjectNumber")


def open_sqlite(path: Path, plates: PlateTableSettings) -> Source:
    """Wells of an SQLite file: each table of objects is aggregated by itself, and joined to what the images say.

    Wells without objects stay: their features are missing, their count is 0. Objects are counted in the table that
    ends with Cells, or else in the first.

    Raises
    ------
    ConfigError
        If plates.aggregate is not set.
    TableError
        If the file has no table of images or of objects.
    """
    if plates.aggregate is None:
        raise ConfigError(
            f"{path}: an SQLite file holds cells, not wells\nWrite plates.aggregate: {{statistic: median, rows: cells}}."
        )
    image, tables = _tables(path)
    of_sites = plates.aggregate.model_copy(update={"rows": "sites"})
    images = aggregated(_source(path, image, image), plates, of_sites, str(path))
    objects = [aggregated(_source(path, image, name), plates, plates.aggregate, f"{path} ({name})") for name in tables]
    keys = keys_of_wells(plates, images.columns)
    own = [[name for name in source.columns if name not in images.columns] for source in objects]
    own[1:] = [[name for name in names if name != OBJECT_COUNT] for names in own[1:]]

    def batches(described: Sequence[str], features: Sequence[str]) -> Iterator[pd.DataFrame]:
        wanted = [name for name in (*keys, *described) if name in images.columns]
        wells = images.read(list(dict.fromkeys(wanted)), [name for name in features if name in images.columns])
        for source, names in zip(objects, own, strict=True):
            parts = [[name for name in some if name in names] for some in (described, features)]
            if any(parts):
                wells = wells.merge(source.read([*keys, *parts[0]], parts[1]), on=keys, how="left")
        if OBJECT_COUNT in described:
            wells[OBJECT_COUNT] = wells[OBJECT_COUNT].fillna(0)
        yield wells[[*described, *features]]

    return Source([*images.columns, *(name for names in own for name in names)], batches)


def _tables(path: Path) -> tuple[str, list[str]]:
    try:
        with closing(_connect(path)) as opened:
            names = [name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            objects = [name for name in names if "ObjectNumber" in _columns(opened, name)]
    except sqlite3.DatabaseError as error:
        raise TableError(
            f"{path}: is not an SQLite file ({error})\nFetch it again, or correct plates.format."
        ) from None
    images = [name for name in names if name.lower() == "image" or name.lower().endswith("per_image")]
    if len(images) != 1 or not objects:
        raise TableError(
            f"{path}: expected one table of images (Image or ..Per_Image) and tables with an ObjectNumber, found"
            f" {first_few(names, 8)}\nWrite the file with CellProfiler's ExportToDatabase, or give single-cell tables."
        )
    return images[0], sorted(objects, key=lambda name: (not name.lower().endswith("cells"), name))


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)


def _columns(opened: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in opened.execute(f'PRAGMA table_info("{table}")')]


def _source(path: Path, image: str, table: str) -> Source:
    with closing(_connect(path)) as opened:
        own, of_image = _columns(opened, table), _columns(opened, image)
    keys = [key for key in _KEYS if key in own and key in of_image]
    where = {column: table for column in own if column not in _WITHOUT_MEANING}
    where = dict.fromkeys((column for column in of_image if column not in _WITHOUT_MEANING), image) | where

    def batches(described: Sequence[str], features: Sequence[str]) -> Iterator[pd.DataFrame]:
        wanted = ", ".join(f'"{where[name]}"."{name}" AS "{name}"' for name in (*described, *features)) or "1"
        joined = f'"{table}"' if table == image else f'"{table}" JOIN "{image}" USING ({", ".join(keys)})'
        query = f'SELECT {wanted} FROM {joined} ORDER BY "{table}".rowid'
        with closing(_connect(path)) as opened:
            for frame in pd.read_sql_query(query, opened, chunksize=rows_per_batch(len(where))):
                text = frame.select_dtypes("object").columns
                yield frame.assign(**{name: frame[name].mask(frame[name] == "nan") for name in text})

    return Source(list(where), batches)
