"""Doses of any unit in micromolar."""

import re

import numpy as np
import numpy.typing as npt
import pandas as pd

from dssl.errors import TableError, first_few
from dssl.phenotypes.cells import not_negative, numbers_of, text_of
from dssl.settings.inputs import PlateTableSettings
from dssl.settings.units import IN_CELL, LOG10_MOLAR, MINUS_LOG10_MOLAR, MOLAR, molar_unit

_NUMBER_AND_UNIT = re.compile(r"^([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*(\D.*)$")
_REMEDY = (
    "Give doses as plain numbers (their unit: plates.columns.dose_unit or .dose_unit_column; '10 uM' in one cell:"
    " dose_unit: in cell), or set plates.columns.dose: null."
)


def doses_um(frame: pd.DataFrame, plates: PlateTableSettings, source: str) -> npt.NDArray[np.float64]:
    """Doses of the rows of a table in uM, NaN where they are missing, to 12 digits (0.00001 M and 10 uM are one dose).

    Raises
    ------
    TableError
        If a dose is not a number, is negative or infinite, or has a unit that is not molar.
    """
    named = plates.columns
    if named.dose is None:
        return np.full(len(frame), np.nan)
    column = frame[named.dose]
    if named.dose_unit_column is not None:
        units = text_of(frame[named.dose_unit_column])
    elif named.dose_unit == IN_CELL:
        column, units = _taken_apart(column)
    else:
        units = pd.Series(named.dose_unit, index=frame.index)
    present = text_of(column) != ""
    known = {
        text: _known_unit(text, np.flatnonzero(present & (units == text)), source) for text in units[present].unique()
    }
    molar = np.array([known.get(text, "M") for text in units], dtype=object)
    is_log = np.isin(molar, [LOG10_MOLAR, MINUS_LOG10_MOLAR])
    numbers = numbers_of(column, "dose", source, _REMEDY)
    sign = np.where(molar == MINUS_LOG10_MOLAR, -1.0, 1.0)
    linear = pd.Series(np.where(is_log, 10.0 ** np.where(is_log, sign * numbers, 0.0), numbers), name=column.name)
    moles = [MOLAR.get(unit, 1.0) for unit in molar]
    values = not_negative(linear, "dose", source, _REMEDY) / (MOLAR["uM"] / np.array(moles))
    return np.array([float(f"{value:.12g}") for value in values], dtype=np.float64)


def _known_unit(text: str, rows: npt.NDArray[np.int64], source: str) -> str:
    try:
        return molar_unit(text)
    except ValueError as error:
        raise TableError(
            f"{source}: unit of the dose {text!r} in {len(rows)} rows (the first: {first_few(rows + 1, 3)}): {error}"
            "\nCorrect the unit, or empty the dose of these rows."
        ) from None


def _taken_apart(column: pd.Series) -> tuple[pd.Series, pd.Series]:
    """'10 uM' as 10 and uM; a cell without a unit stays whole, to be refused as no number."""
    found = [_NUMBER_AND_UNIT.match(text) for text in text_of(column)]
    texts = text_of(column)
    numbers = [match[1] if match else text for match, text in zip(found, texts, strict=True)]
    units = [match[2] if match else "" for match in found]
    return (
        pd.Series(numbers, index=column.index, name=column.name, dtype=object),
        pd.Series(units, index=column.index, dtype=object),
    )
