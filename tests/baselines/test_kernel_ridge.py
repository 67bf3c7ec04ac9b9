import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.kernel_ridge import KernelRidge

from dssl.baselines.kernel_ridge import kernel_ridge

T = 25


def problem(seed, n=40, k=4):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    kernel = np.exp(-((x[:, None] - x[None]) ** 2).sum(-1) / 4)
    return kernel, rng.normal(size=(T, k)) + 2


def exact(kernel, targets, ridges):
    """Where all training compounds, the first ones, are landmarks."""
    rows = np.arange(T)
    return kernel_ridge(kernel[:, :T], rows, rows, targets, ridges)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.lists(st.sampled_from([1e-3, 0.1, 0.3, 1.0, 30.0]), min_size=1, unique=True))
def test_every_ridge_equals_sklearn(seed, ridges):
    kernel, targets = problem(seed)
    found = exact(kernel, targets, ridges)
    assert list(found) == ridges
    mean = targets.mean(axis=0)
    for ridge in ridges:
        model = KernelRidge(alpha=ridge, kernel="precomputed").fit(kernel[:T, :T], targets - mean)
        np.testing.assert_allclose(found[ridge], model.predict(kernel[:, :T]) + mean, atol=1e-8)


def test_it_does_not_depend_on_the_origin_of_the_targets():
    kernel, targets = problem(1)
    np.testing.assert_allclose(exact(kernel, targets + 50, [0.3])[0.3], exact(kernel, targets, [0.3])[0.3] + 50)


def test_a_linear_map_of_the_targets_maps_the_predictions():
    """Why one fit serves every whitening."""
    kernel, targets = problem(2)
    mapped = np.random.default_rng(0).normal(size=(4, 3))
    found = exact(kernel, targets @ mapped, [0.1])[0.1]
    np.testing.assert_allclose(found, exact(kernel, targets, [0.1])[0.1] @ mapped)


def test_with_few_landmarks_the_penalised_squares_are_least(monkeypatch):
    """min |Y - m - K_tl a|^2 + ridge a^T K_ll a, by its normal equations."""
    monkeypatch.setattr("dssl.baselines.kernel_ridge.ROWS_AT_ONCE", 7)
    kernel, targets = problem(3)
    landmarks, train = np.array([2, 3, 10, 17]), np.arange(T)
    found = kernel_ridge(kernel[:, landmarks], landmarks, train, targets, [0.1, 3.0])
    among, across, mean = kernel[np.ix_(landmarks, landmarks)], kernel[:T, landmarks], targets.mean(axis=0)
    for ridge, predicted in found.items():
        weights = np.linalg.solve(across.T @ across + ridge * among, across.T @ (targets - mean))
        np.testing.assert_allclose(predicted, kernel[:, landmarks] @ weights + mean, atol=1e-8)


def test_where_landmarks_stand_for_all_training_compounds_the_regression_is_exact():
    """The last training compound is the first one again: leaving it out of the landmarks loses nothing."""
    kernel, targets = problem(4)
    kernel[-1], kernel[:, -1] = kernel[0], kernel[:, 0]
    kernel[-1, -1] = 1
    landmarks, train = np.arange(T - 1), np.append(np.arange(T - 1), 39)
    mean = targets.mean(axis=0)
    for ridge, found in kernel_ridge(kernel[:, landmarks], landmarks, train, targets, [0.1, 3.0]).items():
        model = KernelRidge(alpha=ridge, kernel="precomputed").fit(kernel[np.ix_(train, train)], targets - mean)
        np.testing.assert_allclose(found, model.predict(kernel[:, train]) + mean, atol=1e-8)


def test_landmarks_without_a_target_are_left_out_where_the_others_are_enough():
    kernel, targets = problem(4)
    more, train = np.arange(30), np.arange(T)
    found = kernel_ridge(kernel[:, more], more, train, targets, [0.3])[0.3]
    np.testing.assert_allclose(found, exact(kernel, targets, [0.3])[0.3])


def test_landmarks_that_are_alike_do_no_harm():
    kernel, targets = problem(5)
    twice = np.concatenate([kernel, kernel[:3]])
    twice = np.hstack([twice, twice[:, :3]])  # rows 40, 41, 42 are 0, 1, 2 again
    few, more = np.array([0, 1, 2, 8]), np.array([0, 1, 2, 8, 40, 41, 42])
    train = np.arange(T)
    found = kernel_ridge(twice[:, more], more, train, targets, [0.3])[0.3]
    np.testing.assert_allclose(found, kernel_ridge(twice[:, few], few, train, targets, [0.3])[0.3], atol=1e-6)
