import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression

from dssl.baselines.latent import canonical_maps, partial_least_squares
from dssl.model.canonical import canonical_directions


def paired(seed=0, n=50, p=8, q=5):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)) * np.linspace(3, 0.3, p) + 1
    return x, x @ rng.normal(size=(p, q)) + rng.normal(size=(n, q)) - 2


def test_one_fit_gives_the_predictions_of_every_smaller_sklearn_model():
    x, y = paired()
    found = partial_least_squares(x[:30], x, y[:30], [1, 3, 8])
    for n, predictions in found.items():
        truth = PLSRegression(n, scale=False, max_iter=2000).fit(x[:30], y[:30]).predict(x)
        np.testing.assert_allclose(predictions, truth, atol=1e-8)


def test_all_components_are_least_squares_and_more_mean_all():
    x, y = paired()
    found = partial_least_squares(x[:30], x, y[:30], [8, 100])
    design = np.column_stack([np.ones(50), x])
    truth = design @ np.linalg.lstsq(design[:30], y[:30], rcond=None)[0]
    np.testing.assert_allclose(found[8], truth, atol=1e-6)
    assert (found[100] == found[8]).all()


def test_with_fewer_compounds_than_inputs_there_are_at_most_t_minus_one_components():
    x, y = paired(n=20, p=30)
    found = partial_least_squares(x[:6], x, y[:6], [2, 40])
    np.testing.assert_allclose(found[40][:6], y[:6], atol=1e-6)
    assert not np.allclose(found[2][:6], y[:6], atol=1e-2)


def test_canonical_coordinates_are_weighted_by_their_correlations():
    x, y = paired()
    directions = canonical_directions(x, y, ridge=0.1)
    first, second = canonical_maps(directions, 3)
    np.testing.assert_allclose(first / directions.first[:, :3], np.tile(directions.correlations[:3], (8, 1)))
    np.testing.assert_allclose(second / directions.second[:, :3], np.tile(directions.correlations[:3], (5, 1)))
    assert [each.shape for each in canonical_maps(directions, 100)] == [(8, 5), (5, 5)]


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_first_coordinates_predict_each_other_best(n):
    """The regression of the second modality's coordinates on the first's has the correlations as its coefficients."""
    x, y = paired(n=400)
    directions = canonical_directions(x, y, ridge=0.0)
    u = (x - directions.first_mean) @ directions.first[:, :n]
    v = (y - directions.second_mean) @ directions.second[:, :n]
    coefficients = np.linalg.lstsq(u, v, rcond=None)[0]
    np.testing.assert_allclose(coefficients, np.diag(directions.correlations[:n]), atol=1e-8)
