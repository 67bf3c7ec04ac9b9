import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.kernel_ridge import KernelRidge

from dssl.baselines.kernel_ridge import kernel_ridge


def problem(seed, n=40, t=25, k=4):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    kernel = np.exp(-((x[:, None] - x[None]) ** 2).sum(-1) / 4)
    return kernel[:t, :t], kernel[:, :t], rng.normal(size=(t, k)) + 2


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.lists(st.sampled_from([1e-3, 0.1, 0.3, 1.0, 30.0]), min_size=1, unique=True))
def test_every_ridge_equals_sklearn(seed, ridges):
    train, every, targets = problem(seed)
    found = kernel_ridge(train, every, targets, ridges)
    assert list(found) == ridges
    mean = targets.mean(axis=0)
    for ridge in ridges:
        truth = KernelRidge(alpha=ridge, kernel="precomputed").fit(train, targets - mean).predict(every) + mean
        np.testing.assert_allclose(found[ridge], truth, atol=1e-8)


def test_it_does_not_depend_on_the_origin_of_the_targets():
    train, every, targets = problem(1)
    moved = kernel_ridge(train, every, targets + 50, [0.3])[0.3]
    np.testing.assert_allclose(moved, kernel_ridge(train, every, targets, [0.3])[0.3] + 50)


def test_a_linear_map_of_the_targets_maps_the_predictions():
    """Why one fit serves every whitening."""
    train, every, targets = problem(2)
    mapped = np.random.default_rng(0).normal(size=(4, 3))
    found = kernel_ridge(train, every, targets @ mapped, [0.1])[0.1]
    np.testing.assert_allclose(found, kernel_ridge(train, every, targets, [0.1])[0.1] @ mapped)
