"""From rows of cells or sites to wells, in memory that does not grow with the number of cells."""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dssl.errors import TableError, first_few
from dssl.phenotypes.cells import numbers_of, text_of
from dssl.phenotypes.formats.source import BATCH_VALUES, Source
from dssl.settings.inputs import AggregateSettings, PlateTableSettings

logger = logging.getLogger(__name__)

OBJECT_COUNT = "Metadata_Object_Count"  # as pycytominer calls it
Codes = npt.NDArray[np.int64]
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Wells:
    """Which well each row of a file belongs to, and what the file says of the wells."""

    codes: Codes
    described: pd.DataFrame
    names: list[tuple[str, ...]]


def aggregated(source: Source, plates: PlateTableSettings, settings: AggregateSettings, where: str) -> Source:
    """Give a source whose rows are wells: statistics of the features over the rows of each.

    Rows of one plate and well (columns.plate, where the file has it, and columns.well) belong together. What describes
    a well must be the same in all of its rows; with `rows: sites` the cell count of a well is the sum over its sites.
    Missing and infinite values do not count. With `rows: cells` there is one more column, Metadata_Object_Count.

    Parquet is read some columns at a time. Of other files means and sums are added up batch by batch; for medians, which
    are exact, the features go to a temporary Parquet file first.
    """
    summed = [plates.columns.cell_count] if plates.columns.cell_count and settings.rows == "sites" else []
    keys = keys_of_wells(plates, source.columns)
    if plates.columns.well not in keys:
        raise TableError(
            f"{where}: plates.aggregate needs the column of the well, but there is no {plates.columns.well!r}"
            f" (plates.columns.well); it has {first_few(map(repr, source.columns), 8)}\nCorrect plates.columns.well."
        )

    def batches(described: Sequence[str], features: Sequence[str]) -> Iterator[pd.DataFrame]:
        own = [name for name in described if name not in (*summed, OBJECT_COUNT)]
        wells = _find_wells(source, keys, own, where)
        frame = pd.concat(
            [wells.described, _statistics(source, wells, list(features), settings.statistic, where)], axis=1
        )
        if set(summed) & set(described):
            frame = frame.assign(**_statistics(source, wells, summed, "sum", where))
        if OBJECT_COUNT in described:
            frame[OBJECT_COUNT] = np.bincount(wells.codes, minlength=len(wells.names))
        logger.info("%s: %d rows are aggregated to %d wells", where, len(wells.codes), len(wells.names))
        yield frame[[*described, *features]]

    counted = [OBJECT_COUNT] if settings.rows == "cells" else []
    return Source([*source.columns, *counted], batches)


def keys_of_wells(plates: PlateTableSettings, columns: Sequence[str]) -> list[str]:
    """Those of the columns of plate and well that a file has."""
    return [name for name in (plates.columns.plate, plates.columns.well) if name is not None and name in columns]


def _find_wells(source: Source, keys: list[str], described: list[str], where: str) -> _Wells:
    known: dict[tuple[str, ...], int] = {}
    codes, distinct = [], []
    for frame in source.batches(list(dict.fromkeys([*keys, *described])), []):
        names = list(zip(*(text_of(frame[key]) for key in keys), strict=True))
        own = np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)
        codes.append(own)
        distinct.append(frame.assign(_well=own).drop_duplicates())
    rows = pd.concat(distinct, ignore_index=True).drop_duplicates()
    repeated = rows["_well"][rows["_well"].duplicated()].unique()
    names = list(known)
    if len(repeated):
        one = rows[rows["_well"] == repeated[0]]
        column = next(name for name in described if one[name].nunique(dropna=False) > 1)
        raise TableError(
            f"{where}: {len(repeated)} wells are not described alike in all of their rows; {':'.join(names[repeated[0]])}"
            f" has {first_few(map(repr, one[column].unique()), 3)} in {column!r}\n"
            "Correct the table, or take the column out of plates.columns."
        )
    return _Wells(np.concatenate(codes), rows.drop(columns="_well").reset_index(drop=True), names)


def _statistics(source: Source, wells: _Wells, names: list[str], statistic: str, where: str) -> pd.DataFrame:
    if not names:
        return pd.DataFrame(index=wells.described.index)
    if source.parquet is not None:
        return _by_columns(source.parquet, wells.codes, names, statistic, where)
    if statistic == "median":
        with tempfile.TemporaryDirectory() as folder:
            path = _spilled(source, names, Path(folder) / "rows.parquet", where)
            return _by_columns(path, wells.codes, names, statistic, where)
    sums, counts = _totals(source, wells, names, where)
    values = sums / np.where(counts == 0, np.nan, counts) if statistic == "mean" else np.where(counts, sums, np.nan)
    return pd.DataFrame(values, columns=names)


def _totals(source: Source, wells: _Wells, names: list[str], where: str) -> tuple[Array, Array]:
    sums, counts = (np.zeros((len(wells.names), len(names))) for _ in range(2))
    start = 0
    for frame in source.batches([], names):
        values = _numbers(frame, names, where)
        codes = wells.codes[start : start + len(values)]
        present = np.isfinite(values)
        # one row for each well of the batch: wells lie together in most files
        order = np.argsort(codes, kind="stable")
        firsts = np.flatnonzero(np.diff(codes[order], prepend=-1))
        sums[codes[order][firsts]] += np.add.reduceat(np.where(present, values, 0.0)[order], firsts, axis=0)
        counts[codes[order][firsts]] += np.add.reduceat(present[order].astype(np.float64), firsts, axis=0)
        start += len(values)
    return sums, counts


def _by_columns(path: Path, codes: Codes, names: list[str], statistic: str, where: str) -> pd.DataFrame:
    """Statistics of a Parquet file, so many columns at a time as fit into one batch, whatever its row groups are."""
    step = max(1, BATCH_VALUES // max(1, len(codes)))
    parts = []
    for start in range(0, len(names), step):
        some = names[start : start + step]
        values = _numbers(pq.read_table(path, columns=some, use_threads=False).to_pandas()[some], some, where)
        groups = pd.DataFrame(np.where(np.isfinite(values), values, np.nan), columns=some).groupby(codes)
        parts.append(groups.sum(min_count=1) if statistic == "sum" else groups.agg(statistic))
    return pd.concat(parts, axis=1).reset_index(drop=True)


def _spilled(source: Source, names: list[str], path: Path, where: str) -> Path:
    schema = pa.schema([(name, pa.float32()) for name in names])
    with pq.ParquetWriter(path, schema) as writer:
        for frame in source.batches([], names):
            values = _numbers(frame, names, where).astype(np.float32)
            writer.write_table(pa.table(dict(zip(names, values.T, strict=True)), schema=schema))
    return path


def _numbers(frame: pd.DataFrame, names: list[str], where: str) -> Array:
    remedy = "Clean the column, or leave it out of plates.features."
    text = [name for name in names if not pd.api.types.is_numeric_dtype(frame[name])]
    numeric = frame.assign(**{name: numbers_of(frame[name], "feature column", where, remedy) for name in text})
    return numeric[names].to_numpy(dtype=np.float64, na_value=np.nan)
