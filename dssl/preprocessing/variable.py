"""Which features vary most over the training profiles: highly variable genes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from dssl.errors import TableError
from dssl.preprocessing.selection import FEATURE, REASON
from dssl.settings.preparation import VariableFeaturesSettings


def most_variable(
    values: NDArray[np.float64], names: Sequence[str], settings: VariableFeaturesSettings
) -> tuple[NDArray[np.bool_], pd.DataFrame]:
    """Keep the `n` features that vary most.

    `variance` ranks by variance, which is right for profiles in units of their controls' spread. `seurat` ranks log
    expression by dispersion, normalised among genes of similar mean: scanpy's highly_variable_genes.

    Parameters
    ----------
    values : ndarray, shape (n, p)
        Training profiles, without missing values.
    names : sequence of str
        The columns' names.
    settings : VariableFeaturesSettings
        How many, and how they are ranked.

    Returns
    -------
    keep : ndarray of bool, shape (p,)
        All true where there are no more than `n` features.
    dropped : DataFrame
        Columns feature and reason, in the order of the columns.

    Raises
    ------
    TableError
        If `seurat` is asked for and values are negative: they are no log expression.
    """
    keep = np.ones(len(names), dtype=bool)
    if settings.n < len(names):
        keep = _seurat(values, settings.n) if settings.ranking == "seurat" else _largest(values.var(axis=0), settings.n)
    reason = f"not among the {settings.n} most variable ({settings.ranking})"
    lost = np.asarray(names, dtype=object)[~keep]
    return keep, pd.DataFrame({FEATURE: lost, REASON: reason}, columns=[FEATURE, REASON], dtype=object)


def _largest(scores: NDArray[np.float64], n: int) -> NDArray[np.bool_]:
    keep = np.zeros(len(scores), dtype=bool)
    keep[np.argsort(-scores, kind="stable")[:n]] = True
    return keep


def _seurat(values: NDArray[np.float64], n: int) -> NDArray[np.bool_]:
    import scanpy

    if (values < 0).any():
        raise TableError(
            f"ranking seurat needs log expression, but {(values < 0).mean():.0%} of the values are negative\n"
            "Set fit_preprocessing.phenotype.highly_variable.ranking: variance for profiles that are normalised against"
            " controls."
        )
    found = scanpy.pp.highly_variable_genes(AnnData(values), n_top_genes=n, flavor="seurat", inplace=False)
    return np.asarray(found["highly_variable"], dtype=bool)
