import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.kernel_ridge import KernelRidge
from sklearn.neighbors import KNeighborsRegressor

from dssl.baselines.classical import (
    ClassicalInputs,
    fit_ridge_on_validation,
    kernel_ridge,
    nearest_neighbor,
    random_vectors,
)
from dssl.errors import PairingError
from dssl.evaluation.retrieval import retrieval_metrics


def problem(seed, n=40, t=25, k=4, noise=0.3):
    """Molecules x, a Gaussian kernel on them, and profiles that depend on x; the first `t` are training compounds."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    profiles = np.tanh(x @ rng.normal(size=(3, k))) + noise * rng.normal(size=(n, k)) + 2
    kernel = np.exp(-((x[:, None] - x[None]) ** 2).sum(-1) / 4)
    return x, kernel, profiles, ClassicalInputs(kernel[:t, :t], kernel[:, :t], profiles[:t])


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.sampled_from([1e-3, 0.1, 0.3, 1.0, 30.0]))
def test_kernel_ridge_equals_sklearn(seed, ridge):
    _, kernel, profiles, inputs = problem(seed)
    mean = profiles[:25].mean(axis=0)
    truth = KernelRidge(alpha=ridge, kernel="precomputed").fit(kernel[:25, :25], profiles[:25] - mean)
    np.testing.assert_allclose(kernel_ridge(inputs, ridge), truth.predict(kernel[:, :25]) + mean, atol=1e-8)


def test_kernel_ridge_does_not_depend_on_the_origin_of_the_profiles():
    _, _, profiles, inputs = problem(1)
    moved = ClassicalInputs(inputs.kernel_train, inputs.kernel_all, profiles[:25] + 50)
    np.testing.assert_allclose(kernel_ridge(moved, 0.3), kernel_ridge(inputs, 0.3) + 50)


def test_nearest_neighbor_equals_sklearn_and_averages_ties():
    x, _, profiles, inputs = problem(2)
    truth = KNeighborsRegressor(1).fit(x[:25], profiles[:25]).predict(x)
    np.testing.assert_allclose(nearest_neighbor(inputs), truth)
    kernel = np.array([[1.0, 1.0, 0.2], [0.0, 0.0, 0.0], [0.1, 0.2, 0.3]])
    tied = ClassicalInputs(np.eye(3), kernel, np.array([[2.0, 0.0], [4.0, 2.0], [0.0, 1.0]]))
    np.testing.assert_allclose(nearest_neighbor(tied), [[3, 1], [2, 1], [0, 1]])


def test_random_vectors_have_the_shape_and_are_reproducible():
    inputs = problem(3)[3]
    a, b = (random_vectors(inputs, np.random.default_rng(0)) for _ in range(2))
    assert a.shape == (40, 4)
    assert (a == b).all()


def test_ridge_is_chosen_by_validation_retrieval_and_test_rows_play_no_part():
    _, _, profiles, inputs = problem(4, n=60, t=30)
    validation = np.arange(30, 45)
    ridges = [1e-8, 0.1, 1.0, 100.0]
    found = fit_ridge_on_validation(inputs, validation, profiles[validation], ridges)
    scores = []
    for ridge in ridges:
        predicted = kernel_ridge(inputs, ridge)[validation]
        unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (profiles[validation], predicted)]
        similarity = unit[0] @ unit[1].T
        scores.append((retrieval_metrics(similarity)["mrr"] + retrieval_metrics(similarity.T)["mrr"]) / 2)
    assert found.tried["ridge"].tolist() == ridges
    assert found.tried["score"].tolist() == pytest.approx(scores)
    assert found.ridge == ridges[int(np.argmax(scores))]
    assert found.tried["chosen"].sum() == 1
    np.testing.assert_allclose(found.vectors, kernel_ridge(inputs, found.ridge))
    changed = ClassicalInputs(
        inputs.kernel_train, np.where(np.arange(60)[:, None] < 45, inputs.kernel_all, 0), profiles[:30]
    )
    assert fit_ridge_on_validation(changed, validation, profiles[validation], ridges).ridge == found.ridge


def test_of_equally_good_ridges_the_largest_is_taken():
    inputs = ClassicalInputs(np.eye(2), np.eye(2), np.array([[1.0, -1.0], [-1.0, 1.0]]))
    assert fit_ridge_on_validation(inputs, np.array([0, 1]), inputs.phenotype_train, [0.1, 3.0, 1.0]).ridge == 3.0


def test_wrong_inputs_are_errors():
    with pytest.raises(PairingError, match=r"t = 3 training profiles; found \(2, 2\) and \(4, 3\)"):
        ClassicalInputs(np.eye(2), np.zeros((4, 3)), np.zeros((3, 5)))
    with pytest.raises(PairingError, match="NaN or infinite values in kernel_all"):
        ClassicalInputs(np.eye(2), np.full((4, 2), np.nan), np.zeros((2, 5)))
    inputs = problem(5)[3]
    with pytest.raises(PairingError, match="found 0 profiles, 0 compounds"):
        fit_ridge_on_validation(inputs, np.array([], dtype=int), np.zeros((0, 4)), [0.1])
