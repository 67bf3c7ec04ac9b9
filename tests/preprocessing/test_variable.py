"""Highly variable features: against scanpy and a plain ranking, and fitted on training rows only."""

import numpy as np
import pytest
from anndata import AnnData

from dssl.errors import TableError
from dssl.preprocessing.phenotype import apply_phenotype, fit_phenotype
from dssl.preprocessing.variable import most_variable
from dssl.settings.preparation import PhenotypePreprocessingSettings, VariableFeaturesSettings

NAMES = [f"G{column}" for column in range(40)]


def test_variance_keeps_the_planted_features() -> None:
    values = np.random.default_rng(0).normal(size=(60, 40)) * np.where(np.arange(40) % 10 == 3, 5.0, 1.0)
    keep, dropped = most_variable(values, NAMES, VariableFeaturesSettings(n=4))
    assert np.flatnonzero(keep).tolist() == [3, 13, 23, 33]
    assert dropped["feature"].tolist() == [name for row, name in enumerate(NAMES) if row % 10 != 3]
    assert set(dropped["reason"]) == {"not among the 4 most variable (variance)"}


def test_seurat_is_scanpys() -> None:
    import scanpy

    rng = np.random.default_rng(1)
    counts = rng.poisson(rng.gamma(2, 3, size=400) * rng.gamma(5, 0.2, size=(60, 400)))
    names = [f"G{column}" for column in range(400)]
    values = np.log1p(counts.astype(float))
    keep, _ = most_variable(values, names, VariableFeaturesSettings(n=70, ranking="seurat"))
    oracle = AnnData(values.copy())
    scanpy.pp.highly_variable_genes(oracle, n_top_genes=70)
    assert keep.tolist() == oracle.var["highly_variable"].tolist()
    assert keep.sum() == 70
    with pytest.raises(TableError, match=r"(?s)negative.*highly_variable.ranking: variance"):
        most_variable(values - 1, names, VariableFeaturesSettings(n=7, ranking="seurat"))


def test_all_are_kept_where_there_are_no_more() -> None:
    keep, dropped = most_variable(np.eye(40), NAMES, VariableFeaturesSettings(n=40))
    assert keep.all()
    assert dropped.empty


def test_a_feature_that_varies_in_held_out_rows_only_is_not_chosen() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(80, 40)) * np.linspace(1, 2, 40)
    values[60:, 0] *= 1000
    settings = PhenotypePreprocessingSettings(highly_variable=VariableFeaturesSettings(n=5), max_correlation=None)
    state = fit_phenotype(values[:60].astype(np.float32), NAMES, settings)
    expected = np.sort(np.argsort(-values[:60].astype(np.float32).astype(float).var(axis=0))[:5])
    assert list(state.names) == [NAMES[column] for column in expected]
    assert apply_phenotype(state, values[60:].astype(np.float32), NAMES).shape[1] == 5
