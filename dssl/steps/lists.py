"""Lists of files, for steps that read thousands of them: one shell argument holds 128 KiB."""

from pathlib import Path

import pandas as pd

from dssl.io import read_table, write_table
from dssl.settings.quality import ListFilesSettings
from dssl.steps.registry import Inputs, Output, step

TABLE, PROFILES, QUALITY, RECORD = "table", "profiles", "quality", "record"


@step
def list_plates(
    *, settings: ListFilesSettings, tables: Inputs, profiles: Inputs, quality: Inputs, plates: Output
) -> None:
    """List the files of some plate tables: the table, its normalised profiles, and its quality, in one order."""
    columns = {TABLE: tables, PROFILES: profiles, QUALITY: quality}
    write_table(plates, pd.DataFrame({name: [path.as_posix() for path in paths] for name, paths in columns.items()}))


@step
def list_records(*, settings: ListFilesSettings, provenance_of: Inputs, records: Output) -> None:
    """List some of the records that the manifest joins."""
    write_table(records, pd.DataFrame({RECORD: [path.as_posix() for path in provenance_of]}))


def listed(lists: list[Path], column: str) -> list[Path]:
    """Paths that lists name in a column, one list after the other."""
    return [Path(name) for path in lists for name in read_table(path, columns=[column], text_columns=[column])[column]]
