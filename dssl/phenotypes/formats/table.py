"""CSV, TSV and Parquet: a row per well (or cell), or a column per well."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from dssl.errors import TableError, first_few
from dssl.io import read_table, read_table_batches, table_columns
from dssl.phenotypes.formats.source import Source, at_once, rows_per_batch

COLUMN = "column"  # what names the wells of a matrix whose rows are features


def open_table(path: Path, text_columns: Sequence[str], in_batches: bool) -> Source:
    """A table with a row per well, read at once, or with a row per cell, read in batches."""
    columns = table_columns(path)

    def batches(described: Sequence[str], features: Sequence[str]) -> Iterator[pd.DataFrame]:
        wanted = [*described, *features]
        if not in_batches:
            yield read_table(path, wanted, text_columns)
            return
        yield from read_table_batches(path, wanted, text_columns, rows_per_batch(len(columns)))

    return Source(columns, batches, parquet=path if path.name.endswith(".parquet") else None)


def open_matrix(path: Path) -> Source:
    """A matrix with a row per feature (first column: its name) and a column per well, as count matrices often are.

    The wells are described by nothing but the column's name, which stands in the column "column": everything else
    comes from plates.metadata.

    Raises
    ------
    TableError
        If a feature occurs twice, or a cell is not a number.
    """
    name = table_columns(path)[0]
    table = read_table(path, text_columns=[name]).set_index(name)
    repeated = table.index[table.index.duplicated()].unique()
    if len(repeated):
        raise TableError(
            f"{path}: {len(repeated)} features have several rows: {first_few(repeated)}\n"
            "Give every row of the matrix a name of its own (a gene's identifier rather than its symbol)."
        )
    text = [str(column) for column in table.columns if not pd.api.types.is_numeric_dtype(table[column])]
    if text:
        raise TableError(
            f"{path}: a matrix of features by wells holds numbers only, but columns {first_few(map(repr, text))} do not"
            "\nRemove them, or set plates.format: table if the rows are wells."
        )
    wells = table.T
    wells.columns = pd.Index([str(each) for each in wells.columns], dtype=object)
    wells.insert(0, COLUMN, [str(each) for each in table.columns])
    return at_once(wells.reset_index(drop=True))
