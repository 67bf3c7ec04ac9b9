import numpy as np
import pytest
from scipy.linalg import eigh
from sklearn.cross_decomposition import CCA

from dssl.errors import PairingError
from dssl.model.canonical import canonical_directions


def paired(seed=0, n=200, p=6, q=4):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, 3))
    first = shared @ rng.normal(size=(3, p)) + rng.normal(size=(n, p)) * np.linspace(0.5, 2, p) + 3
    second = shared @ rng.normal(size=(3, q)) + rng.normal(size=(n, q)) - 1
    return first, second


@pytest.mark.parametrize("ridge", [0.0, 0.1, 3.0])
@pytest.mark.parametrize(("p", "q"), [(6, 4), (3, 7)])
def test_correlations_solve_the_regularised_generalised_eigenproblem(ridge, p, q):
    """[0 S12; S21 0] w = rho [S11 + r1 I, 0; 0, S22 + r2 I] w (Bach, Jordan, JMLR 2002), solved by scipy."""
    first, second = paired(p=p, q=q)
    covariance = np.cov(first.T, second.T, bias=True)
    regularised = np.zeros_like(covariance)
    for block in (slice(0, p), slice(p, None)):
        own = covariance[block, block]
        regularised[block, block] = own + ridge * np.trace(own) / len(own) * np.eye(len(own))
    cross = covariance.copy()
    cross[:p, :p] = cross[p:, p:] = 0
    truth, vectors = eigh(cross, regularised)
    count = min(p, q)
    found = canonical_directions(first, second, ridge)
    np.testing.assert_allclose(found.correlations, truth[::-1][:count], atol=1e-10)
    # of unit regularised length, half of which lies in either modality
    expected = vectors[:, ::-1][:, :count] * np.sqrt(2)
    stacked = np.vstack([found.first, found.second])
    np.testing.assert_allclose(stacked, expected * np.sign((stacked * expected).sum(axis=0)), atol=1e-8)


def test_without_ridge_it_equals_sklearn():
    first, second = paired(n=500)
    found = canonical_directions(first, second, ridge=0.0)
    u, v = CCA(2, scale=False, max_iter=5000, tol=1e-12).fit_transform(first, second)
    for number in range(2):
        mine = (first - found.first_mean) @ found.first[:, number]
        assert abs(np.corrcoef(mine, u[:, number])[0, 1]) == pytest.approx(1, abs=1e-6)
        assert found.correlations[number] == pytest.approx(np.corrcoef(u[:, number], v[:, number])[0, 1], abs=1e-6)


def test_coordinates_have_unit_regularised_covariance_and_the_correlations_between_them():
    first, second = paired()
    found = canonical_directions(first, second, ridge=0.5)
    centred = first - found.first_mean
    covariance = centred.T @ centred / len(first)
    covariance += 0.5 * np.trace(covariance) / 6 * np.eye(6)
    np.testing.assert_allclose(found.first.T @ covariance @ found.first, np.eye(4), atol=1e-10)
    u, v = centred @ found.first, (second - found.second_mean) @ found.second
    np.testing.assert_allclose(u.T @ v / len(first), np.diag(found.correlations), atol=1e-10)
    assert (found.first[np.abs(found.first).argmax(axis=0), np.arange(4)] > 0).all()


def test_the_ridge_scales_with_the_data_and_shrinks_correlations():
    first, second = paired()
    weak, strong = (canonical_directions(first, second, ridge).correlations for ridge in (0.1, 10.0))
    assert (strong < weak).all()
    scaled = canonical_directions(first * 100 + 7, second / 50, 0.1)
    np.testing.assert_allclose(scaled.correlations, weak)


def test_with_more_inputs_than_rows_and_no_ridge_directions_without_variance_are_left_out():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(10, 30)), rng.normal(size=(10, 4))
    found = canonical_directions(first, second, ridge=0.0)
    np.testing.assert_allclose(found.correlations, np.ones(4))  # 9 dimensions explain anything in 10 rows
    assert np.isfinite(found.first).all()
    assert np.abs(found.first).max() < 10


def test_rows_that_do_not_pair_and_constant_modalities_are_errors():
    first, second = paired()
    with pytest.raises(PairingError, match="two paired rows; found 200 and 199"):
        canonical_directions(first, second[:-1], 0.1)
    with pytest.raises(PairingError, match="found 1 and 1"):
        canonical_directions(first[:1], second[:1], 0.1)
    with pytest.raises(PairingError, match="a modality is the same in all rows"):
        canonical_directions(first, np.ones_like(second), 0.1)
