"""Tables that say more about the wells: joined by what the wells' own table holds."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from dssl.errors import TableError, first_few
from dssl.io import read_table, table_columns
from dssl.phenotypes.cells import text_of
from dssl.settings.inputs import MetadataTable

logger = logging.getLogger(__name__)


def joined_columns(columns: list[str], table: MetadataTable, path: Path) -> list[str]:
    """Columns that a metadata table adds to `columns`; what the wells have already is not taken from it.

    Raises
    ------
    TableError
        If the wells or the table lack a column of `by`.
    """
    keys, present = key_columns(table), table_columns(path)
    for where, wanted, found in (("the wells", keys, columns), (str(path), keys.values(), present)):
        absent = [name for name in wanted if name not in found]
        if absent:
            raise TableError(
                f"plates.metadata: {where}: no column {first_few(map(repr, absent))} to join {path.name} by; there are"
                f" {first_few(map(repr, found), 8)}\nCorrect `by` of this table (wells' column: table's column)."
            )
    return [name for name in present if name not in keys.values() and name not in columns]


def key_columns(table: MetadataTable) -> dict[str, str]:
    """From the wells' columns to the table's."""
    return dict(table.by) if isinstance(table.by, Mapping) else {name: name for name in table.by}


def join_metadata(
    wells: pd.DataFrame, table: MetadataTable, path: Path, wanted: Iterable[str], text_columns: Iterable[str]
) -> pd.DataFrame:
    """Give the wells the columns `wanted` of a metadata table; wells without a row have missing values there.

    Keys are compared as text: 1 and 1.0 and "1" agree. Wells that find no row are counted in the log.

    Raises
    ------
    TableError
        If a key of the wells has several rows that differ in a wanted column, or no well finds a row.
    """
    keys, wanted = key_columns(table), list(wanted)
    text = [*keys.values(), *(name for name in text_columns if name in wanted)]
    frame = read_table(path, columns=[*keys.values(), *wanted], text_columns=text)
    rows = frame[wanted].set_axis(_keys(frame, list(keys.values())))
    own = _keys(wells, list(keys))
    rows = rows[rows.index.isin(own)]
    rows = rows[~(rows.assign(_key=rows.index).duplicated().to_numpy())]
    repeated = rows.index[rows.index.duplicated()].unique()
    if len(repeated):
        raise TableError(
            f"{path}: {len(repeated)} of the wells' keys have several rows that differ: {first_few(repeated, 3)}\n"
            f"Add the columns that tell them apart to `by` of this table in plates.metadata, or correct the table."
        )
    unmatched = own[~own.isin(rows.index)]
    if len(unmatched) == len(own):
        raise TableError(
            f"{path}: no well finds a row: the wells have {first_few(own.unique(), 2)} ({', '.join(keys)}), the table"
            f" {first_few(_keys(frame, list(keys.values())).unique(), 2)}\nCorrect `by` of this table in plates.metadata."
        )
    if len(unmatched):
        logger.warning("%d of %d wells have no row in %s: %s", len(unmatched), len(own), path, first_few(unmatched))
    return pd.concat([wells, rows.reindex(own).set_axis(wells.index)], axis=1)


def _keys(frame: pd.DataFrame, columns: list[str]) -> pd.Index:
    texts = [text_of(frame[column]) for column in columns]
    return pd.Index([":".join(parts) for parts in zip(*texts, strict=True)], dtype=object)
