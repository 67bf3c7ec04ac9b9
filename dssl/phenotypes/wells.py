"""A file of wells, with everything that other tables say of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from dssl.phenotypes.cells import cell_text
from dssl.phenotypes.columns import resolve_columns, text_columns
from dssl.phenotypes.formats.aggregate import OBJECT_COUNT
from dssl.phenotypes.formats.opening import open_wells
from dssl.phenotypes.join import join_metadata, joined_columns, key_columns
from dssl.phenotypes.read import add_listed_columns
from dssl.settings.inputs import PlateTableSettings


def with_counted_cells(plates: PlateTableSettings) -> PlateTableSettings:
    """Settings in which the cell count is the number of aggregated rows, where these are cells and no column has it."""
    if plates.aggregate is None or plates.aggregate.rows != "cells" or plates.columns.cell_count is not None:
        return plates
    return plates.model_copy(update={"columns": plates.columns.model_copy(update={"cell_count": OBJECT_COUNT})})


def read_wells(
    path: Path,
    plates: PlateTableSettings,
    listed: Mapping[str, object] | None = None,
    metadata: Sequence[Path] = (),
    features: bool = True,
) -> pd.DataFrame:
    """Read what the settings name: from the file of wells, its row of the plate list, and the metadata tables.

    Parameters
    ----------
    path : Path
        File of wells, of any format.
    plates : PlateTableSettings
        As from `with_counted_cells`.
    listed : mapping, optional
        Columns that every well takes over.
    metadata : sequence of Path
        The files of `plates.metadata`, in the same order.
    features : bool
        Whether the feature values are read too.

    Raises
    ------
    TableError, ConfigError
        If a file cannot be read, or columns are missing.
    """
    text = text_columns(plates)
    opened = open_wells(path, plates, [*text, *(key for table in plates.metadata for key in key_columns(table))])
    present = list(opened.columns)
    extra = dict(listed or {})
    present += [name for name in extra if name not in present]
    added: list[list[str]] = []
    for table, file in zip(plates.metadata, metadata, strict=True):
        added.append(joined_columns(present, table, file))
        present += added[-1]
    resolved = resolve_columns(present, plates, str(path))
    keys = [key for table in plates.metadata for key in key_columns(table)]
    described = list(dict.fromkeys([*resolved.metadata, *keys]))
    own = set(opened.columns)
    frame = opened.read([name for name in described if name in own], resolved.features if features else [])
    if extra:
        frame = add_listed_columns(frame, extra, str(path))
    for table, file, columns in zip(plates.metadata, metadata, added, strict=True):
        frame = join_metadata(frame, table, file, [name for name in columns if name in described], text)
    if plates.missing_values:
        absent = set(plates.missing_values)
        names = [name for name in described if name in frame.columns]
        frame = frame.assign(**{n: frame[n].mask(frame[n].map(lambda cell: cell_text(cell) in absent)) for n in names})
    return frame
