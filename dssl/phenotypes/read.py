"""From the user's table of wells to AnnData."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData

from dssl.errors import TableError, first_few
from dssl.io import stem_of
from dssl.keys import BATCH, CELL_COUNT, COMPOUND_ID, DOSE_UM, IS_CONTROL, PLATE, WELL
from dssl.phenotypes.cells import comparable_text, not_negative, numbers_of, settle_dtypes, text_of
from dssl.phenotypes.columns import resolve_columns
from dssl.phenotypes.doses import doses_um
from dssl.phenotypes.features import parse_feature_names
from dssl.phenotypes.several import one_compound
from dssl.settings.inputs import ControlWells, PlateTableSettings

logger = logging.getLogger(__name__)

ONE_BATCH = "1"  # name of the batch where the user has none


def read_plate_table(frame: pd.DataFrame, plates: PlateTableSettings, source: str) -> AnnData:
    """Turn a table of wells, one row each, into AnnData.

    Parameters
    ----------
    frame : DataFrame
        The table with the user's own column names; it may hold several plates.
    plates : PlateTableSettings
        What the columns mean.
    source : str
        Name of the table's file: it stands in messages, and names the plate where `columns.plate` is None.

    Returns
    -------
    AnnData
        X float32 (wells x features), NaN where missing or infinite; obs indexed "<plate>:<well>" with plate, well,
        batch, compound_id ("" where missing), dose_um (uM, NaN where missing), is_control, cell_count (only with
        `columns.cell_count`) and the kept columns; var with compartment, channel and measurement.

    Raises
    ------
    TableError
        If columns are missing or serve twice, the table is empty, a feature, dose or cell count is not a number, a
        dose or cell count is negative, no well is a control, or a well occurs twice.
    """
    resolved = resolve_columns([str(column) for column in frame.columns], plates, source)
    obs = describe_wells(frame, plates, source)
    values = _feature_values(frame, resolved.features, source)
    logger.info(
        "%s: %d wells on %d plates (%d controls), %d features",
        source,
        len(obs),
        obs[PLATE].nunique(),
        obs[IS_CONTROL].sum(),
        values.shape[1],
    )
    return AnnData(X=values, obs=obs, var=parse_feature_names(resolved.features))


def add_listed_columns(frame: pd.DataFrame, listed: Mapping[str, object], source: str) -> pd.DataFrame:
    """Give every well of a table the values that its row in `plates.plate_list` holds (plate, batch, ...).

    Raises
    ------
    TableError
        If the table has a column of that name already.
    """
    taken = [column for column in listed if column in frame.columns]
    if taken:
        raise TableError(
            f"{source}: columns {first_few(map(repr, taken))} stand both in this table and in plates.plate_list"
            "\nRename them in one of the two."
        )
    added = pd.DataFrame({column: [value] * len(frame) for column, value in listed.items()}, index=frame.index)
    return pd.concat([frame, added], axis=1)


def describe_wells(frame: pd.DataFrame, plates: PlateTableSettings, source: str) -> pd.DataFrame:
    """The obs of `read_plate_table`, for which the table needs no feature columns.

    Raises
    ------
    TableError
        As `read_plate_table`, except for what concerns features. The columns have to be there (`resolve_columns`).
    """
    if frame.empty:
        raise TableError(f"{source}: the table has no rows; remove it from plates.tables")
    named = plates.columns
    frame = one_compound(frame.reset_index(drop=True), named, source)
    stem = stem_of(Path(source))
    plate = _required_text(frame, named.plate, "plate", source) if named.plate else stem
    numbered = [str(row + 1) for row in range(len(frame))]
    well = _required_text(frame, named.well, "well", source) if named.well else numbered
    batch = _required_text(frame, named.batch, "batch", source) if named.batch else ONE_BATCH
    obs = pd.DataFrame({PLATE: plate, WELL: well, BATCH: batch}, index=frame.index, dtype=object)
    obs[COMPOUND_ID] = text_of(frame[named.compound_id])
    obs[DOSE_UM] = doses_um(frame, plates, source)
    obs[IS_CONTROL] = _is_control(frame, plates.control, source)
    if named.cell_count:
        remedy = "Correct these cells, or set plates.columns.cell_count: null."
        obs[CELL_COUNT] = not_negative(frame[named.cell_count], "cell count", source, remedy)
    for column in named.keep:
        obs[column] = frame[column]
    obs.index = pd.Index(obs[PLATE] + ":" + obs[WELL], dtype=object)
    _refuse_repeated_wells(obs, source)
    unknown = int(((obs[COMPOUND_ID] == "") & ~obs[IS_CONTROL]).sum())
    if unknown:
        logger.warning("%s: %d treated wells have no %r", source, unknown, named.compound_id)
    return settle_dtypes(obs, named.keep)


def _required_text(frame: pd.DataFrame, column: str, key: str, source: str) -> pd.Series:
    text = text_of(frame[column])
    missing = np.flatnonzero((text == "").to_numpy())
    if missing.size:
        raise TableError(
            f"{source}: column {column!r} (plates.columns.{key}) is empty in {missing.size} of {len(frame)} rows:"
            f" {first_few(missing + 1)}\nFill it in, or remove these rows."
        )
    return text


def _is_control(frame: pd.DataFrame, control: ControlWells | None, source: str) -> npt.NDArray[np.bool_]:
    if control is None:
        return np.zeros(len(frame), dtype=bool)
    cells = text_of(frame[control.column]).map(comparable_text)
    wanted = {comparable_text(value) for value in control.values}
    found = cells.isin(wanted).to_numpy(dtype=bool)
    if not found.any():
        occurring = [f"{value or '(empty)'} ({n} wells)" for value, n in cells.value_counts().items()]
        raise TableError(
            f"{source}: no well is a control: column {control.column!r} never holds"
            f" {first_few(map(repr, control.values))}; it holds {first_few(occurring, 8)}"
            "\nCorrect plates.control (column, values)."
        )
    return found


def _refuse_repeated_wells(obs: pd.DataFrame, source: str) -> None:
    repeated = obs.index[obs.index.duplicated(keep=False)]
    if len(repeated):
        raise TableError(
            f"{source}: {repeated.nunique()} wells occur more than once: {first_few(repeated.unique())}{_why_twice(obs)}"
            "\nCorrect plates.columns.plate and .well (null: rows are numbered); rows of cells or sites: plates.aggregate."
        )


def _why_twice(obs: pd.DataFrame) -> str:
    several = obs.groupby(obs.index)[COMPOUND_ID].nunique()
    if not (several > 1).any():
        return ""
    return f"; {(several > 1).sum()} of them with several compounds (see plates.columns.compound_separator)"


def _feature_values(frame: pd.DataFrame, features: list[str], source: str) -> npt.NDArray[np.float32]:
    block = frame[features]
    remedy = "Clean the column, or leave it out of plates.features."
    text = [name for name in features if not pd.api.types.is_numeric_dtype(block[name])]
    if text:
        block = block.assign(**{name: numbers_of(block[name], "feature column", source, remedy) for name in text})
    values = block.to_numpy(dtype=np.float64, na_value=np.nan)
    infinite = np.abs(values) > np.finfo(np.float32).max
    if infinite.any():
        logger.warning("%s: %d infinite feature values are taken as missing", source, infinite.sum())
        values = np.where(infinite, np.nan, values)
    return values.astype(np.float32)
