"""How all figures look, and how they get into the page."""

import base64
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from dssl.report.handover.formulas import safe_frame

# Okabe and Ito's palette: told apart with every common kind of colour blindness
PALETTE = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000"]
# categories beyond eight repeat the colours with another marker
MARKERS = ["o", "^"]
GREY = "#C4C8CC"
INK = "#22303C"
OTHER_METHODS = "#5B6670"  # beside the methods that a figure is about
N_COLOURED = 12
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8A949E",
    "axes.labelcolor": INK,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": "#4A5662",
    "ytick.color": "#4A5662",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.fonttype": "path",
    "svg.hashsalt": "dssl",
    "figure.dpi": 110,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw with the page's fonts and colours; nothing of it stays."""
    with matplotlib.rc_context(STYLE):
        yield


def svg_uri(figure: Figure) -> str:
    """The figure as an SVG data URI; the same figure gives the same bytes."""
    return data_uri(svg_bytes(figure), "image/svg+xml")


def svg_bytes(figure: Figure) -> bytes:
    """The figure as SVG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    return buffer.getvalue()


def csv_text(frame: pd.DataFrame) -> str:
    """The numbers behind a figure as CSV, six significant digits; no spreadsheet runs its text as a formula."""
    return str(safe_frame(frame).to_csv(index=False, lineterminator="\n", float_format="%.6g"))


def data_uri(content: bytes, media_type: str) -> str:
    """Bytes as a data URI."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def category_style(number: int) -> tuple[str, str]:
    """Colour and marker of the category with this number."""
    return PALETTE[number % len(PALETTE)], MARKERS[number // len(PALETTE) % len(MARKERS)]


def interval_dots(axis: Any, names: list[str], dots: Iterable[tuple[str, float, tuple[float, float], str]]) -> None:
    """Draw a row for each name: the values (name, value, interval, colour) as dots on their intervals."""
    for name, value, interval, colour in dots:
        y = names.index(name)
        axis.plot(interval, [y, y], color=colour, lw=2.2, solid_capstyle="round")
        axis.plot(value, y, "o", color=colour, ms=7)
    axis.set_yticks(range(len(names)), names, parse_math=False)
    axis.set_ylim(-0.6, len(names) - 0.4)
