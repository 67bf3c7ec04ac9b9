"""AnnData as scanpy, cellxgene and muon expect it: categories with colours, plain text, one title."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from dssl import keys
from dssl.report.handover.colors import category_colors

if TYPE_CHECKING:
    from anndata import AnnData

YES, NO, NOT_KNOWN = "yes", "no", "not known"
# free text: a category for every compound would say nothing
FREE_TEXT = (keys.COMPOUND_ID, keys.NAME, keys.SMILES, keys.INCHIKEY, keys.PRIORITY_REASON)


def annotated(
    values: NDArray[np.float32], obs: pd.DataFrame, var: pd.DataFrame, embedded: "AnnData", title: str
) -> "AnnData":
    """A file of one modality for other people's tools.

    Of the cellxgene schema it has the fields that apply to any screen: uns title, default_embedding and batch_condition;
    obs is_primary_data and suspension_type; var feature_is_filtered. Organism, tissue, assay and donor are not known
    here, and are not made up.

    Parameters
    ----------
    values : (n, k) what the features measured; becomes X.
    obs : (n rows) description, indexed by unique names.
    var : (k rows) annotation of the features.
    embedded : the same rows with their codes and maps in obsm.
    title : of the file.
    """
    from anndata import AnnData

    described = pd.DataFrame({name: plain(column, name in FREE_TEXT) for name, column in obs.items()}, index=obs.index)
    described["is_primary_data"] = True
    described["suspension_type"] = pd.Categorical(["na"] * len(obs))
    features = pd.DataFrame({name: plain(column, False) for name, column in var.items()}, index=var.index)
    adata = AnnData(values, obs=described, var=features.assign(feature_is_filtered=False))
    for key in (keys.X_SHARED, keys.X_SPECIFIC, keys.X_UMAP, keys.X_UMAP_SPECIFIC):
        adata.obsm[key] = np.asarray(embedded.obsm[key], dtype=np.float32)
    for name, column in described.items():
        if isinstance(column.dtype, pd.CategoricalDtype):
            adata.uns[f"{name}_colors"] = np.array(category_colors(column), dtype=object)
    adata.uns["title"] = title
    adata.uns["default_embedding"] = keys.X_UMAP
    if keys.BATCH in described:
        adata.uns["batch_condition"] = np.array([keys.BATCH], dtype=object)
    return adata


def plain(column: pd.Series, is_free_text: bool) -> pd.Series:
    """A column in the types that every reader of .h5ad knows: numbers, text, or categories of text.

    Yes and no that may be missing become the categories yes, no and not known; other missing categories stay missing,
    missing free text is "".
    """
    if is_bool_dtype(column.dtype):
        said = column.astype(object).map({True: YES, False: NO}).fillna(NOT_KNOWN)
        return pd.Series(pd.Categorical(said, [YES, NO, NOT_KNOWN]), column.index).cat.remove_unused_categories()
    if is_numeric_dtype(column.dtype):
        return column
    text = column.astype(object).map(str, na_action="ignore")
    if is_free_text:
        return text.fillna("")
    if text.isna().all():
        return pd.Series(np.nan, column.index)
    return pd.Series(pd.Categorical(text), column.index)
