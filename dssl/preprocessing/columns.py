"""Columns found by name."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl.errors import TableError, first_few


def positions_by_name(wanted: Sequence[str], found: Sequence[str], what: str) -> NDArray[np.int64]:
    """Position in `found` of every name in `wanted`; other names and their order do not matter.

    Raises
    ------
    TableError
        If a wanted name is not there, or names are not unique.
    """
    index = pd.Index(list(found))
    if not index.is_unique:
        raise TableError(
            f"names of {what} features must be unique; repeated: {first_few(index[index.duplicated()].unique())}\n"
            "Rename the columns in the table."
        )
    positions = np.asarray(index.get_indexer(pd.Index(list(wanted))), dtype=np.int64)
    missing = [name for name, position in zip(wanted, positions, strict=True) if position < 0]
    if missing:
        raise TableError(
            f"{what} features differ from those of the training data: {len(missing)} of {len(wanted)} are missing: "
            f"{first_few(missing)}\nGive new data the features (names included) that the screen was prepared with."
        )
    return positions


def require_columns(n_columns: int, names: Sequence[str], what: str) -> None:
    """Refuse a matrix whose width is not the number of its features' names."""
    if n_columns != len(names):
        raise TableError(
            f"{what} features: the matrix has {n_columns} columns, but {len(names)} names were given\n"
            "Give one name per column."
        )
