import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import pdist
from scipy.stats import kstest

from dssl.errors import PairingError
from dssl.evaluation.dependence import (
    dependence_table,
    gaussian_gram,
    linear_cka,
    participation_ratio,
)

codes = arrays(float, (8, 3), elements=st.floats(-5, 5, width=32))


@given(codes)
def test_participation_ratio_equals_its_definition(values):
    eigenvalues = np.linalg.eigvalsh(np.cov(values.T))
    expected = eigenvalues.sum() ** 2 / (eigenvalues**2).sum() if eigenvalues.sum() > 1e-6 else None
    if expected is not None:
        assert participation_ratio(values) == pytest.approx(expected, rel=1e-6)
        assert participation_ratio(np.hstack([values, np.zeros((8, 20))])) == pytest.approx(expected, rel=1e-6)


def test_participation_ratio_of_samples():
    isotropic = np.random.default_rng(0).normal(size=(20_000, 10)).astype(np.float32)
    assert participation_ratio(isotropic) == pytest.approx(10, rel=0.01)
    assert participation_ratio(isotropic[:, :1] * np.ones(10)) == pytest.approx(1, rel=1e-6)
    assert participation_ratio(np.ones((50, 10))) == 0
    assert participation_ratio(isotropic + 100) == pytest.approx(10, rel=0.01)


def test_participation_ratio_of_known_codes():
    assert participation_ratio(np.vstack([np.eye(4), -np.eye(4)])) == pytest.approx(4)
    assert participation_ratio(np.outer(np.arange(5.0), [1, 2])) == pytest.approx(1)
    assert participation_ratio(np.full((7, 3), 0.1)) == 0


def test_gram_uses_the_median_distance():
    values = np.random.default_rng(0).normal(size=(15, 4))
    squared = pdist(values, "sqeuclidean")
    found = gaussian_gram(values)
    np.testing.assert_allclose(found[np.triu_indices(15, 1)], np.exp(-squared / (2 * np.median(squared))))
    assert (np.diag(found) == 1).all()


def normalised_hsic(gram_a, gram_b):
    """HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)) with HSIC(K, L) = tr(K H L H) (Cortes, Mohri, Rostamizadeh 2012)."""
    h = np.eye(len(gram_a)) - 1 / len(gram_a)

    def hsic(a, b):
        return np.trace(a @ h @ b @ h)

    return hsic(gram_a, gram_b) / np.sqrt(hsic(gram_a, gram_a) * hsic(gram_b, gram_b))


@settings(deadline=None)
@given(codes, codes)
def test_linear_cka_is_normalised_hsic_with_linear_kernels_and_is_invariant(a, b):
    found = linear_cka(a, b)
    assert 0 <= found <= 1 + 1e-9
    assert linear_cka(b, a) == pytest.approx(found, abs=1e-9)
    if min(np.linalg.norm(a - a.mean(0)), np.linalg.norm(b - b.mean(0))) > 1e-3:
        assert normalised_hsic(a @ a.T, b @ b.T) == pytest.approx(found, abs=1e-6)
        rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
        assert linear_cka(3 * a @ rotation + 1, b) == pytest.approx(found, abs=1e-6)
        assert linear_cka(a, a) == pytest.approx(1)


def test_a_nonlinear_dependence_is_seen_by_hsic_only():
    rng = np.random.default_rng(2)
    a = rng.normal(size=(150, 1))
    found = dependence_table(a, a**2 + 0.1 * rng.normal(size=(150, 1)), 199, rng).set_index("measure")
    assert found.loc["hsic", "p_value"] == 1 / 200
    assert found.loc["linear_cka", "value"] < 0.1
    assert found.loc["hsic", "chance"] < 0.1 < found.loc["hsic", "value"]


def test_p_values_of_independent_codes_are_uniform():
    rng = np.random.default_rng(3)
    tables = [dependence_table(rng.normal(size=(25, 2)), rng.normal(size=(25, 3)), 49, rng) for _ in range(120)]
    for measure in range(2):
        assert kstest([table["p_value"][measure] for table in tables], "uniform").pvalue > 0.001


def test_values_match_the_plain_functions_and_large_inputs_are_sampled():
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(40, 2)), rng.normal(size=(40, 3))
    found = dependence_table(a, b, 10, rng)["value"].tolist()
    assert found == pytest.approx([linear_cka(a, b), normalised_hsic(gaussian_gram(a), gaussian_gram(b))])
    assert dependence_table(a, b, 10, rng, max_rows=25)["n_rows"].tolist() == [25, 25]
    collapsed = dependence_table(np.full((40, 2), 0.1), b, 10, rng)
    assert collapsed["value"].tolist() == [0, 0]
    assert collapsed["p_value"].tolist() == [1, 1]
    with pytest.raises(PairingError, match="found 40 and 39"):
        dependence_table(a, b[1:], 10, rng)
