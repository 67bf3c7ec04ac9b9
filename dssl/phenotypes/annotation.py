"""The user's description of the features."""

import logging

import pandas as pd
from anndata import AnnData

from dssl.errors import TableError, first_few
from dssl.phenotypes.cells import settle_dtypes, text_of

logger = logging.getLogger(__name__)


def annotate_features(adata: AnnData, annotation: pd.DataFrame, source: str) -> None:
    """Add the user's description of the features to `adata.var`.

    Parameters
    ----------
    adata : AnnData
        Its var gains the columns; a column that var has already (compartment, channel, measurement) is replaced.
        Features that the table lacks have "" or NaN there, and are counted in the log.
    annotation : DataFrame
        Indexed by the feature's name.
    source : str
        Name of the annotation's file, for messages.

    Raises
    ------
    TableError
        If a feature is described twice, no feature is described, or a column's name holds "/".
    """
    remedy = "Correct the table of plates.features.annotation: one row a feature, its name in the first column."
    table = annotation.set_axis(text_of(annotation.index.to_series()).to_numpy(), axis=0)
    table.columns = pd.Index([str(column) for column in table.columns], dtype=object)
    repeated = table.index[table.index.duplicated() & table.index.isin(adata.var_names)].unique()
    if len(repeated):
        raise TableError(f"{source}: {len(repeated)} features are described twice: {first_few(repeated)}\n{remedy}")
    known = adata.var_names.isin(table.index)
    if not known.any():
        raise TableError(
            f"{source}: describes {first_few(table.index, 3)}, but none of the {adata.n_vars} features"
            f" ({first_few(adata.var_names, 3)})\n{remedy}"
        )
    slashed = [column for column in table.columns if "/" in column]
    if slashed:
        raise TableError(f"{source}: no '/' may stand in a column's name: {first_few(map(repr, slashed))}\nRename it.")
    if not known.all():
        logger.warning("%s: %d of %d features are not described", source, (~known).sum(), adata.n_vars)
    added = table[~table.index.duplicated()].reindex(adata.var_names)
    kept = adata.var.drop(columns=[column for column in adata.var.columns if column in added.columns])
    adata.var = pd.concat([kept, settle_dtypes(added, list(added.columns))], axis=1)
