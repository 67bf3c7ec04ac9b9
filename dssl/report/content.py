"""What a page consists of: sections of paragraphs, tables, figures and drawn examples."""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd

MISSING = "\N{EN DASH}"
# what is nearer to 0 is an error of rounding, not a number to read
ROUNDING = 1e-12


@dataclass(frozen=True)
class Cell:
    """Text of a table's cell, a smaller second line, whether it stands out, and a drawing (data URI) of what it names.

    A quoted cell holds what the user typed: no word of it is exchanged.
    """

    text: str
    note: str = ""
    strong: bool = False
    drawing: str = ""
    quoted: bool = False


@dataclass(frozen=True)
class Table:
    """A table of text.

    A row of one cell is the heading of the rows below it. The first `n_labels` columns are names (left-aligned), the
    others figures. A folded table is shown when it is asked for.
    """

    caption: str
    columns: list[str]
    rows: list[list[Cell]]
    n_labels: int = 1
    folded: bool = False
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Figure:
    """An SVG image as a data URI, what it shows in words, how to read it, its file's name, and its numbers as CSV."""

    caption: str
    alt: str
    uri: str
    name: str
    data: str
    kind: ClassVar[str] = "figure"

    @property
    def data_uri(self) -> str:
        """The numbers as a data URI."""
        return f"data:text/csv;charset=utf-8;base64,{base64.b64encode(self.data.encode()).decode('ascii')}"

    @property
    def svg(self) -> bytes:
        """The image as it is written to a file."""
        return base64.b64decode(self.uri.partition(",")[2])


@dataclass(frozen=True)
class Note:
    """A remark that must not be overlooked."""

    text: str
    kind: ClassVar[str] = "note"


@dataclass(frozen=True)
class Drawing:
    """A molecule: its name, its structure as a data URI, and what is said below it."""

    name: str
    uri: str
    text: str = ""
    is_right: bool = False


@dataclass(frozen=True)
class Example:
    """A query and the molecules that are nearest to it."""

    query: Drawing
    neighbours: list[Drawing]


@dataclass(frozen=True)
class Examples:
    """Several queries, and how to read them."""

    caption: str
    examples: list[Example]
    kind: ClassVar[str] = "examples"


@dataclass(frozen=True)
class Heading:
    """A heading below the section's own."""

    text: str
    kind: ClassVar[str] = "heading"


@dataclass(frozen=True)
class Text:
    """A paragraph between other parts."""

    text: str
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Answers:
    """Questions with their answers in words, each with the address (identifier) of the section that shows more."""

    answers: list[tuple[str, list[str], str]]
    kind: ClassVar[str] = "answers"


@dataclass(frozen=True)
class Folded:
    """Parts that are shown when they are asked for."""

    summary: str
    parts: "list[Part]"
    kind: ClassVar[str] = "folded"


Part = Table | Figure | Note | Examples | Heading | Text | Answers | Folded


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading and an address (#identifier)."""

    identifier: str
    title: str
    paragraphs: list[str] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)


def figures_of(sections: "Sequence[Section]") -> list[Figure]:
    """All figures of a page, those that are folded among them."""

    def inside(parts: Sequence[Part]) -> list[Figure]:
        found: list[Figure] = []
        for part in parts:
            found += [part] if isinstance(part, Figure) else inside(part.parts) if isinstance(part, Folded) else []
        return found

    return [figure for section in sections for figure in inside(section.parts)]


def cells(values: Sequence[object]) -> list[Cell]:
    """A row of plain cells."""
    return [Cell(text_of(value)) for value in values]


def text_of(value: object) -> str:
    """A number as people write it (missing: a dash), anything else as its text."""
    if value is None:
        return MISSING
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return number(value) if isinstance(value, float) else str(value)


def number(value: float, digits: int = 3) -> str:
    """A number with so many significant digits, a true minus sign, and a dash where it is missing."""
    if math.isnan(value):
        return MISSING
    if abs(value) < ROUNDING:
        value = 0.0
    if value != 0 and (abs(value) < 1e-3 or abs(value) >= 1e5):
        return f"{value:.{digits - 1}e}".replace("-", "\N{MINUS SIGN}")
    decimals = max(0, digits - len(str(int(abs(value))))) if abs(value) >= 1 else digits
    return f"{value:,.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def interval(low: float, high: float) -> str:
    """An interval in brackets; empty where it is missing."""
    return "" if math.isnan(low) or math.isnan(high) else f"[{number(low)}, {number(high)}]"


def percent(share: float) -> str:
    """A share as people read it: "38 %", with a digit more below 10 %, and a dash where it is missing."""
    if math.isnan(share):
        return MISSING
    decimals = 0 if abs(share) >= 0.0995 or share == 0 else 1
    return f"{100 * share:.{decimals}f} %".replace("-", "\N{MINUS SIGN}")


def percent_interval(low: float, high: float) -> str:
    """An interval of shares in brackets; empty where it is missing."""
    return "" if math.isnan(low) or math.isnan(high) else f"[{percent(low)}, {percent(high)}]"


def count(n: int, what: str) -> str:
    """A number of things: "1 plate", "1,432 wells"."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def p_text(value: float) -> str:
    """A p-value: "p = 0.012", "p < 0.001", or nothing where it is missing."""
    # more digits where three would round to the threshold of significance
    decimals = 3 if abs(value - 0.05) >= 5e-4 else 5
    if math.isnan(value):
        return ""
    return "p < 0.001" if value < 0.001 else f"p = {value:.{decimals}f}"


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a data frame as dictionaries of plain values."""
    return [{str(name): _plain(value) for name, value in row.items()} for row in frame.to_dict("records")]


def frame_table(frame: pd.DataFrame, caption: str, n_labels: int = 1, folded: bool = False) -> Table:
    """A data frame as it is, one cell per value."""
    rows = [cells([_plain(value) for value in row]) for row in frame.itertuples(index=False, name=None)]
    return Table(caption, [str(name).replace("_", " ") for name in frame.columns], rows, n_labels, folded)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
