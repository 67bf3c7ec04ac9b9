import logging

import numpy as np
import pytest
import scanpy
from anndata import AnnData

from dssl.errors import TableError
from dssl.phenotypes.counts import log_expression
from dssl.phenotypes.normalize import normalize_plates
from dssl.settings.inputs import CountSettings
from dssl.settings.preparation import NormalizePlateSettings


@pytest.fixture
def counts(make_wells):
    """Twelve wells of 30 genes, the first ten controls; the last one is empty."""
    values = np.random.default_rng(0).poisson(20, size=(12, 30))
    values[-1] = 0
    return make_wells(values, n_controls=10)


def test_values_are_scanpys(counts):
    found = log_expression(counts, CountSettings(target_sum=1e6), "x.h5ad")
    oracle = AnnData(np.array(counts.X[:-1], dtype=np.float32))
    scanpy.pp.normalize_total(oracle, target_sum=1e6)
    scanpy.pp.log1p(oracle)
    np.testing.assert_allclose(found.X[:-1], oracle.X, rtol=1e-6)
    np.testing.assert_allclose(np.expm1(found.X[:-1].astype(float)).sum(axis=1), 1e6, rtol=1e-5)
    assert found.obs["total_counts"].tolist() == counts.X.sum(axis=1).tolist()
    assert found.obs["n_genes"].tolist() == (counts.X > 0).sum(axis=1).tolist()


def test_an_empty_well_is_missing_and_flagged(counts, caplog):
    with caplog.at_level(logging.WARNING):
        found = log_expression(counts, CountSettings(), "x.h5ad")
    assert "1 wells have fewer counts than min_total" in caplog.text
    assert np.isnan(found.X[-1]).all()
    normalized = normalize_plates(found, NormalizePlateSettings())
    assert normalized.obs["qc_missing"].tolist() == [False] * 11 + [True]


def test_no_well_depends_on_another(counts):
    whole = log_expression(counts, CountSettings(), "x.h5ad")
    part = log_expression(counts[3:5].copy(), CountSettings(), "x.h5ad")
    np.testing.assert_array_equal(whole.X[3:5], part.X)


def test_negative_counts_are_refused(counts):
    counts.X[2, 7] = -1
    with pytest.raises(TableError, match=r"(?s)negative in 1 features.*plates.counts: null"):
        log_expression(counts, CountSettings(), "x.h5ad")
