"""Cells of a user's table as text and as numbers, and the few dtypes that obs columns have."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dssl.errors import TableError, first_few

_WHOLE_NUMBER = re.compile(r"^(-?(?:0|[1-9]\d*))\.0+$")


def cell_text(value: Any) -> str:
    """Text of one cell: stripped, "" where missing, whole numbers without a decimal point.

    The last, because a column of integers with one missing cell is read as floats, and identifier 1.0 would no longer
    meet identifier 1.
    """
    if value is None or value is pd.NA or value != value:
        return ""
    if isinstance(value, float | np.floating):
        number = float(value)
        return str(int(number)) if number.is_integer() else repr(number)
    return str(value).strip()


def comparable_text(value: Any) -> str:
    """Text by which a settings value and a cell are compared: 1, 1.0, "1" and "1.0" agree, as do true and "True"."""
    text = cell_text(value)
    if text.lower() in ("true", "false"):
        return text.lower()
    whole = _WHOLE_NUMBER.match(text)
    return whole.group(1) if whole else text


def text_of(column: pd.Series) -> pd.Series:
    """A column as `str`, "" where a cell is missing."""
    texts = [cell_text(value) for value in column.astype(object)]
    return pd.Series(texts, index=column.index, name=column.name, dtype=object)


def numbers_of(column: pd.Series, what: str, source: str, remedy: str) -> npt.NDArray[np.float64]:
    """A column as float64, NaN where a cell is missing.

    Raises
    ------
    TableError
        If a cell is neither missing nor a number; the message names the column (by its role `what`), row and value.
    """
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    cells = column.astype(object)
    texts = text_of(cells)
    numbers = pd.to_numeric(texts.where(texts != ""), errors="coerce").to_numpy(dtype=np.float64)
    bad = np.flatnonzero(np.isnan(numbers) & (texts != "").to_numpy())
    if bad.size:
        shown = first_few([f"{texts.iloc[row]!r} in row {row + 1}" for row in bad[:6]], 3)
        raise TableError(
            f"{source}: {what} {column.name!r} must hold numbers, but {bad.size} of {len(column)} cells do not: {shown}"
            f"\n{remedy}"
        )
    return numbers


def not_negative(column: pd.Series, what: str, source: str, remedy: str) -> npt.NDArray[np.float64]:
    """A column as float64, NaN where a cell is missing.

    Raises
    ------
    TableError
        If a cell is not a number, is negative or is infinite.
    """
    numbers = numbers_of(column, what, source, remedy)
    bad = np.flatnonzero((numbers < 0) | np.isinf(numbers))
    if bad.size:
        shown = first_few([f"{numbers[row]:g} in row {row + 1}" for row in bad], 3)
        raise TableError(
            f"{source}: {what} {column.name!r} is negative or infinite in {bad.size} of {len(column)} rows: {shown}"
            f"\n{remedy}"
        )
    return numbers


def settle_dtypes(obs: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Give `columns` one of the dtypes that an .h5ad file gives back unchanged.

    Numbers become float64 (NaN where missing), truth values without gaps stay bool, everything else, mixtures
    included, becomes text ("" where missing). A column without any value is float64.
    """
    settled = obs.copy()
    for column in columns:
        settled[column] = _settle(settled[column])
    return settled


def _settle(column: pd.Series) -> pd.Series:
    if pd.api.types.is_bool_dtype(column) and not column.isna().any():
        return column.astype(bool)
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return pd.Series(column.to_numpy(dtype=np.float64, na_value=np.nan), index=column.index, name=column.name)
    values = column.astype(object)
    present = values[values.notna()]
    if len(present) == len(values) and present.map(lambda value: isinstance(value, bool | np.bool_)).all():
        return values.astype(bool)
    if present.map(lambda value: isinstance(value, int | float | np.number) and not isinstance(value, bool)).all():
        return pd.Series(values.to_numpy(dtype=np.float64, na_value=np.nan), index=column.index, name=column.name)
    return text_of(values)
