import numpy as np
import pytest
from sklearn.neighbors import KNeighborsRegressor

from dssl.baselines.controls import nearest_neighbors, random_vectors


@pytest.mark.parametrize("neighbors", [1, 3, 20])
def test_nearest_neighbors_equal_sklearn(neighbors):
    rng = np.random.default_rng(0)
    x, targets = rng.normal(size=(35, 3)), rng.normal(size=(20, 4))
    kernel = np.exp(-((x[:, None] - x[None, :20]) ** 2).sum(-1))
    truth = KNeighborsRegressor(neighbors).fit(x[:20], targets).predict(x)
    np.testing.assert_allclose(nearest_neighbors([kernel], targets, [neighbors])[neighbors], truth)


def test_nearest_neighbors_of_blocks_are_those_of_the_whole():
    rng = np.random.default_rng(0)
    kernel, targets = rng.integers(0, 5, (35, 20)) / 5, rng.normal(size=(20, 4))
    whole = nearest_neighbors([kernel], targets, [1, 3])
    pieces = nearest_neighbors(iter([kernel[:1], kernel[1:20], kernel[20:]]), targets, [1, 3])
    for number, means in whole.items():
        np.testing.assert_allclose(pieces[number], means)


def test_those_that_tie_with_the_last_neighbor_count_too():
    kernel = np.array([[1.0, 1.0, 0.2], [0.0, 0.0, 0.0], [0.1, 0.2, 0.3], [0.5, 0.1, 0.1]])
    targets = np.array([[2.0, 0.0], [4.0, 2.0], [0.0, 1.0]])
    found = nearest_neighbors([kernel], targets, [1, 2, 9])
    np.testing.assert_allclose(found[1], [[3, 1], [2, 1], [0, 1], [2, 0]])
    np.testing.assert_allclose(found[2], [[3, 1], [2, 1], [2, 1.5], [2, 1]])
    np.testing.assert_allclose(found[9], np.tile(targets.mean(axis=0), (4, 1)))


def test_random_vectors_have_the_shape_and_are_reproducible():
    first, again, other = (random_vectors(400, 5, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert first.shape == (400, 5)
    assert (first == again).all()
    assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.1
