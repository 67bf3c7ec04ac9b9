"""Colours of categories, for the tools that open the AnnData files."""

from itertools import chain

import pandas as pd

from dssl.report.figures import GREY, PALETTE


def _mixed(color: str, other: int, share: float) -> str:
    parts = (int(color[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{round(part + (other - part) * share):02X}" for part in parts)


# Okabe and Ito's eight hues, then the same lighter, then (without black) darker: lightness is seen by everybody
COLORS = tuple(
    chain(PALETTE, (_mixed(color, 255, 0.55) for color in PALETTE), (_mixed(color, 0, 0.45) for color in PALETTE[:-1]))
)


def category_colors(column: "pd.Series[str]") -> list[str]:
    """A colour for each category of a categorical column, in the order of its categories.

    Where there are more categories than colours, the most frequent ones have a colour and all others are grey.
    """
    counts = column.value_counts()
    chosen = set(counts.sort_values(ascending=False, kind="stable").index[: len(COLORS)])
    colors = iter(COLORS)
    return [next(colors) if category in chosen else GREY for category in column.cat.categories]
