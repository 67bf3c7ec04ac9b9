"""The Excel workbook: compounds with their structures in the cells, and what every column means."""

import io
import logging
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_bool_dtype

from dssl import keys
from dssl.evaluation.compound_columns import Column
from dssl.io import atomic_path
from dssl.report.structures import structure_png

logger = logging.getLogger(__name__)
A3 = 8  # its number among Excel's paper sizes
LONGEST_TEXT = 32_767  # characters of a cell
CUT = " [cut here: the CSV file has all of it]"
MOST_ROWS = 1_048_576 - 2
PICTURE = (180, 120)  # pixels
WIDEST, ABOUT_WIDTH = 42, 120  # characters
LINE_HEIGHT = 15  # points
TWO_DIGITS, THREE_DIGITS, SMALL, WHOLE, RANK = "0.00", "0.000", "0.0E+00", "0", "0.0"
FORMATS = {
    keys.N_WELLS: WHOLE,
    keys.N_PLATES: WHOLE,
    keys.CELL_COUNT: TWO_DIGITS,
    keys.ACTIVITY_MAP: THREE_DIGITS,
    keys.ACTIVITY_P_FDR: SMALL,
    keys.LIBRARY_SIZE: WHOLE,
    keys.CHANCE_RANK: RANK,
    keys.RANK_PHENOTYPE_TO_MOLECULE: RANK,
    keys.RANK_MOLECULE_TO_PHENOTYPE: RANK,
    **dict.fromkeys(keys.PERCENTILES, THREE_DIGITS),
    keys.TRAINING_SIMILARITY: THREE_DIGITS,
    keys.PRIORITY: WHOLE,
}


def write_workbook(
    path: Path,
    compounds: pd.DataFrame,
    columns: Sequence[Column],
    dictionary: pd.DataFrame,
    about: Sequence[str],
    max_structures: int,
) -> None:
    """Write the workbook; the same tables give the same bytes.

    Every text is written as text: nothing is a formula or a link. Compounds stand in the order of their priority, and
    the first `max_structures` of them are drawn. The sheet "About" says what is left out.

    Parameters
    ----------
    compounds : the compound table.
    columns : its data dictionary; the chance level stands above each column, the meaning is a note of its name.
    dictionary : the data dictionary of all files.
    about : lines of the sheet "About".
    max_structures : how many structures are drawn.
    """
    import xlsxwriter

    ordered = compounds.sort_values(keys.PRIORITY).head(MOST_ROWS)
    smiles = ordered[keys.SMILES].where(ordered[keys.SMILES].notna(), "").astype(str).tolist()
    drawn = min(max_structures, len(ordered))
    lines = [
        *about,
        f"The structures of {drawn} of {len(compounds)} compounds are drawn, in the order of their priority.",
    ]
    if drawn < len(compounds):
        logger.info("%s: structures of %d of %d compounds are drawn", path, drawn, len(compounds))
        lines.append(
            f"handover.max_structures is {max_structures}; the SMILES of all stand in the column {keys.SMILES}."
        )
    if len(ordered) < len(compounds):
        logger.warning("%s: a sheet holds %d of %d compounds", path, len(ordered), len(compounds))
        lines.append(f"A sheet of Excel holds no more than {len(ordered)} of them; compounds.csv has all.")
    with atomic_path(path) as temporary:
        options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
        with xlsxwriter.Workbook(str(temporary), options) as book:
            # otherwise the time of writing is in the file
            book.set_properties({"created": pd.Timestamp(2000, 1, 1).to_pydatetime()})
            _compound_sheet(book, ordered, columns, smiles[:drawn])
            _plain_sheet(book, "Data dictionary", dictionary)
            sheet = book.add_worksheet("About")
            sheet.set_column(0, 0, ABOUT_WIDTH)
            for row, line in enumerate(lines):
                _text(sheet, row, 0, line, book.add_format({"text_wrap": True, "valign": "top"}))
                sheet.set_row(row, _height(line, ABOUT_WIDTH))
            _printed(sheet, 0)


def _compound_sheet(book: Any, table: pd.DataFrame, columns: Sequence[Column], drawn: Sequence[str]) -> None:
    sheet = book.add_worksheet("Compounds")
    head = book.add_format({"bold": True, "bottom": 1, "bg_color": "#E8EDF1", "text_wrap": True, "valign": "top"})
    light = book.add_format({"italic": True, "font_color": "#4A5662", "text_wrap": True, "valign": "top"})
    middle = {"valign": "vcenter"}
    _text(sheet, 0, 0, "chance level", light)
    _text(sheet, 1, 0, "structure", head)
    sheet.set_column_pixels(0, 0, PICTURE[0] + 8)
    sheet.set_row(0, 62)
    sheet.set_row(1, 46)
    text = book.add_format(middle)
    for place, column in enumerate(columns, start=1):
        values = table[column.name]
        _text(sheet, 0, place, column.chance, light)
        _text(sheet, 1, place, column.name, head)
        sheet.write_comment(1, place, column.meaning[:LONGEST_TEXT], {"x_scale": 2, "y_scale": 1.5, "author": ""})
        shown = book.add_format({**middle, "num_format": FORMATS.get(column.name, "General")})
        _cells(sheet, values, 2, place, text, shown)
        longest = values.head(500).astype(str).str.len().max() if len(values) else 0
        sheet.set_column(place, place, min(WIDEST, max(12, int(longest) + 2)))
    for row, smiles in enumerate(drawn, start=2):
        picture = structure_png(smiles, *PICTURE)
        if picture is not None:
            sheet.set_row_pixels(row, PICTURE[1] + 6)
            # position 1: moved, sized and hidden with its cell, so that sorting and filtering take it along
            how = {"object_position": 1, "x_offset": 3, "y_offset": 3, "description": smiles[:200]}
            sheet.insert_image(row, 0, "structure.png", {"image_data": io.BytesIO(picture), **how})
    # names, folds and doses that look like numbers are meant to be text
    sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
    sheet.freeze_panes(2, 3)
    sheet.autofilter(1, 0, max(2, 1 + len(table)), len(columns))
    _printed(sheet, 1)


def _printed(sheet: Any, last_head: int) -> None:
    """On paper: A3 across, all columns on a page, the heads (rows 0 to `last_head`) on every page."""
    sheet.set_landscape()
    sheet.set_paper(A3)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0, last_head)


def _cells(sheet: Any, values: pd.Series, row: int, column: int, text: Any, number: Any) -> None:
    if is_bool_dtype(values.dtype):
        values = values.astype(object).map({True: "true", False: "false"})
    for place, value in enumerate(values.tolist(), start=row):
        if isinstance(value, str):
            _text(sheet, place, column, value, text)
        elif not pd.isna(value):
            sheet.write_number(place, column, value, number)


def _plain_sheet(book: Any, name: str, table: pd.DataFrame) -> None:
    sheet = book.add_worksheet(name)
    head = book.add_format({"bold": True, "bottom": 1, "bg_color": "#E8EDF1"})
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    for column, title in enumerate(table.columns):
        _text(sheet, 0, column, str(title), head)
        _cells(sheet, table[title], 1, column, wrapped, wrapped)
        sheet.set_column(column, column, _width(title))
    for row, values in enumerate(table.fillna("").astype(str).itertuples(index=False), start=1):
        heights = (_height(text, _width(title)) for title, text in zip(table.columns, values, strict=True))
        sheet.set_row(row, max(heights))
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, max(1, len(table)), len(table.columns) - 1)
    _printed(sheet, 0)


def _width(title: object) -> int:
    return 80 if title == "meaning" else 30


def _height(text: str, width: int) -> float:
    """Points that a wrapped text needs: not every program finds the height of a row itself."""
    lines = len(textwrap.wrap(text, width)) or 1
    return LINE_HEIGHT * lines


def _text(sheet: Any, row: int, column: int, text: str, style: Any) -> None:
    cut = text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - len(CUT)] + CUT
    sheet.write_string(row, column, cut, style)
