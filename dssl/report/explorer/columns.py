"""Columns of a table as the page takes them: numbers, or categories with their codes."""

from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from dssl import keys
from dssl.report.explorer.container import smallest_unsigned
from dssl.report.names import readable

UNITS = {
    keys.CELL_COUNT: "cells per well, as given",
    keys.ACTIVITY_MAP: "mean average precision, 0 to 1",
    keys.ACTIVITY_P_FDR: "p-value, corrected",
    keys.TRAINING_SIMILARITY: "Tanimoto, 0 to 1",
    keys.PERCENTILE_PHENOTYPE_TO_MOLECULE: "share of library beaten; chance 0.5",
    keys.PERCENTILE_MOLECULE_TO_PHENOTYPE: "share of library beaten; chance 0.5",
    keys.RANK_PHENOTYPE_TO_MOLECULE: "rank, 1 = first",
    keys.RANK_MOLECULE_TO_PHENOTYPE: "rank, 1 = first",
    keys.PRIORITY: "1 = look at first",
    keys.N_WELLS: "wells",
    keys.N_PLATES: "plates",
}


def column(values: "pd.Series[Any]") -> dict[str, Any]:
    """One column: its name, the name in words, and either numbers (missing: NaN) with their unit or categories (code 0: missing).

    Categories stand by falling frequency, then by name, so that code 1 is the commonest.
    """
    name = str(values.name)
    if is_numeric_dtype(values.dtype) and not is_bool_dtype(values.dtype):
        numbers = values.to_numpy(dtype=np.float32, na_value=np.nan)
        return {"name": name, "label": readable(name), "kind": "number", "unit": UNITS.get(name, ""), "data": numbers}
    texts = values.astype(object).map(_text, na_action="ignore")
    counts = texts.dropna().value_counts()
    names = sorted(counts.index, key=lambda each: (-counts[each], each))
    codes = pd.Index(names, dtype=object).get_indexer(pd.Index(texts, dtype=object)) + 1
    return {
        "name": name,
        "label": readable(name),
        "kind": "category",
        "values": names,
        "data": smallest_unsigned(codes),
    }


def texts(values: "pd.Series[Any]") -> list[str | None]:
    """Texts of a column; None where there is none."""
    return [None if pd.isna(each) else str(each) for each in values]


def _text(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    return str(value)
