"""Paired data in memory and in its file: the same, without copies of obs outside the modalities."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mudata
import pandas as pd
from anndata import AnnData
from mudata import MuData

from dssl import keys
from dssl.errors import TableError
from dssl.io import atomic_path, naming_damage


@contextmanager
def _columns_stay_in_modalities() -> Iterator[None]:
    # otherwise MuData copies every column of the modalities into its own obs, where it goes stale
    with mudata.set_options(pull_on_update=False):
        yield


def as_mudata(phenotype: AnnData, molecule: AnnData, second_assay: AnnData | None = None) -> MuData:
    """Put the modalities into one MuData that keeps obs and var in the modalities only."""
    second = {} if second_assay is None else {keys.SECOND_ASSAY: second_assay}
    with _columns_stay_in_modalities():
        return MuData({keys.PHENOTYPE: phenotype, **second, keys.MOLECULE: molecule})


def write_pairs(path: Path, mdata: MuData) -> None:
    """Write pairs (.h5mu) atomically; the same content gives the same bytes."""
    with atomic_path(path) as temporary, _columns_stay_in_modalities():
        mdata.write_h5mu(temporary)


def read_pairs(path: Path) -> MuData:
    """Read what `write_pairs` wrote.

    Raises
    ------
    TableError
        If the file is missing, or does not hold both modalities.
    IntegrityError
        If it is damaged.
    """
    if not path.exists():
        raise TableError(f"{path}: there is no such file; pair_and_split writes it")
    with _columns_stay_in_modalities(), naming_damage(path):
        mdata = mudata.read_h5mu(path)
    absent = [name for name in keys.MODALITIES if name not in mdata.mod]
    if absent:
        raise TableError(
            f"{path}: expected the modalities {' and '.join(keys.MODALITIES)}, found {', '.join(mdata.mod)}\n"
            "Name the file that pair_and_split wrote."
        )
    return mdata


def storable(frame: pd.DataFrame) -> pd.DataFrame:
    """Give a copy of obs or var that reading its file gives back unchanged.

    On writing, AnnData turns text with repeated or missing values into categories; doing it here means that the table
    in memory is the table in the file. Mixed columns become text, columns without any value become missing numbers,
    and categories are made anew, so that what was dropped before leaves no trace.
    """
    index = pd.Index(frame.index.astype(str).to_numpy(dtype=object), name=frame.index.name)
    columns = {str(name): _storable_column(frame[name]).set_axis(index) for name in frame.columns}
    return pd.DataFrame(columns, index=index)


def _storable_column(column: pd.Series) -> pd.Series:
    text_like = isinstance(column.dtype, pd.CategoricalDtype | pd.StringDtype) or column.dtype == object
    if not text_like:
        return column
    values = column.astype(object).infer_objects()
    if values.isna().all():
        return values.astype(float)
    if values.dtype != object:
        return values
    values = values.map(str, na_action="ignore")
    categories = pd.Categorical(values)
    return values if len(categories.categories) >= len(values) else pd.Series(categories, index=column.index)
