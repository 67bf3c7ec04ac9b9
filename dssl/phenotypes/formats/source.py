"""What every reader gives: a header, and rows in batches of bounded size."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

# values read at a time: 256 MiB of float64
BATCH_VALUES = 2**25

Batches = Callable[[Sequence[str], Sequence[str]], Iterator[pd.DataFrame]]


@dataclass(frozen=True)
class Source:
    """An opened file whose rows are wells, or what wells are aggregated from (cells, sites).

    Attributes
    ----------
    columns : list of str
        Its header: what describes the rows, and the features.
    batches : function
        Called with the names of descriptive columns and of features, it gives the rows in order, in data frames with
        these columns.
    values : list of str
        Those of the columns that the format itself sets apart as measured (genes of a GCT, var of an .h5ad); empty where
        it does not tell.
    parquet : Path, optional
        The file itself where it is Parquet, whose columns can be read one by one.
    """

    columns: list[str]
    batches: Batches
    values: list[str] = field(default_factory=list)
    parquet: Path | None = None

    def read(self, described: Sequence[str], features: Sequence[str]) -> pd.DataFrame:
        """All rows at once."""
        frames = list(self.batches(described, features))
        return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def at_once(frame: pd.DataFrame) -> Source:
    """A source of rows that are in memory."""
    return Source(
        [str(column) for column in frame.columns], lambda described, features: iter([frame[[*described, *features]]])
    )


def rows_per_batch(n_columns: int) -> int:
    """How many rows of so many columns are read at a time."""
    return max(1, BATCH_VALUES // max(1, n_columns))
