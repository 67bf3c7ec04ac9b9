"""Wells that hold several compounds: refused, left out, or counted for one of them, as the user says."""

import logging

import pandas as pd

from dssl.errors import TableError, first_few
from dssl.phenotypes.cells import text_of
from dssl.settings.inputs import WellColumns

logger = logging.getLogger(__name__)


def one_compound(frame: pd.DataFrame, named: WellColumns, source: str) -> pd.DataFrame:
    """Give a table of wells in which no well names several compounds, but for those that are to be left out.

    With `first`, compound, dose and unit of such wells become the first of those that the separator parts. With
    `exclude` the cell stays as it is: no molecule has such an identifier, so that pairing leaves the well out and lists
    it. Without a separator every cell is one identifier.

    Raises
    ------
    TableError
        With `refuse`, if a well names several compounds.
    """
    separator = named.compound_separator
    if separator is None:
        return frame
    compounds = text_of(frame[named.compound_id])
    several = compounds.str.contains(separator, regex=False)
    if not several.any():
        return frame
    shown = first_few([f"{compounds[row]!r} in row {row + 1}" for row in several[several].index], 3)
    if named.several_compounds == "refuse":
        raise TableError(
            f"{source}: {several.sum()} wells hold several compounds: {shown}\n"
            "Set plates.columns.several_compounds to exclude, or to first where the first one is the treatment."
        )
    logger.warning(
        "%s: %d wells hold several compounds (%s): %s", source, several.sum(), named.several_compounds, shown
    )
    if named.several_compounds == "exclude":
        return frame
    parted = [column for column in (named.compound_id, named.dose, named.dose_unit_column) if column is not None]
    return frame.assign(**{column: _first(frame[column], several, separator) for column in parted})


def _first(column: pd.Series, several: pd.Series, separator: str) -> pd.Series:
    texts = text_of(column).str.split(separator, regex=False).str[0].str.strip()
    return column.astype(object).where(~several, texts)
