"""Text that a spreadsheet would run as a formula: the one place where it is made safe, and read back.

A cell of a CSV file that begins with one of `RISKY` may be executed by Excel, LibreOffice or Google Sheets when the file is
opened (OWASP, CSV injection). Such text gets an apostrophe before it; so does text that begins with an apostrophe, so
that taking one leading apostrophe away gives the text as it was. Numbers are left alone. The workbook needs none of
this: its cells say that they are text.
"""

import pandas as pd
from pandas.api.types import is_numeric_dtype

MARK = "'"
RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", MARK)


def safe_text(text: str) -> str:
    """The text, with an apostrophe before it where a spreadsheet would run it."""
    return MARK + text if text.startswith(RISKY) else text


def original_text(text: str) -> str:
    """What `safe_text` was given."""
    return text.removeprefix(MARK)


def safe_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """A copy of a table whose text, and whose columns' names, no spreadsheet runs; missing cells stay missing."""
    safe = {
        name: column if is_numeric_dtype(column.dtype) else column.astype(object).map(_safe_cell, na_action="ignore")
        for name, column in frame.items()
    }
    return pd.DataFrame(safe, index=frame.index).rename(columns=lambda name: safe_text(str(name)))


def original_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """What `safe_frame` was given."""
    restored = {
        name: column
        if is_numeric_dtype(column.dtype)
        else column.astype(object).map(_original_cell, na_action="ignore")
        for name, column in frame.items()
    }
    return pd.DataFrame(restored, index=frame.index).rename(columns=lambda name: original_text(str(name)))


def _safe_cell(cell: object) -> object:
    return safe_text(cell) if isinstance(cell, str) else cell


def _original_cell(cell: object) -> object:
    return original_text(cell) if isinstance(cell, str) else cell
