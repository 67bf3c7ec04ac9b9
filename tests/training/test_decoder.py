"""Decoders against scikit-learn's ridge regressions."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge

from dssl.training.decoder import KERNEL, LINEAR, RIDGES, WIDTHS, Strength, fit_decoders, refit


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(40, 6)) * np.array([1, 1, 1, 2, 2, 0.1])
    return codes, np.tanh(codes @ rng.normal(size=(6, 5))) + 3


def test_linear_decoders_are_ridge_regressions(rows: tuple[np.ndarray, np.ndarray]) -> None:
    codes, profiles = rows
    new = np.random.default_rng(1).normal(size=(7, 6))
    unit = np.linalg.eigvalsh(np.cov(codes.T, bias=True) * len(codes)).mean()
    found = list(fit_decoders(codes, profiles, 0, np.random.default_rng(0)))
    assert [strength.ridge for strength, _ in found] == list(RIDGES)
    for strength, decoder in found:
        oracle = Ridge(alpha=strength.ridge * unit).fit(codes, profiles)
        np.testing.assert_allclose(decoder(new), oracle.predict(new), rtol=1e-6)


def test_kernel_decoders_with_all_rows_are_kernel_ridge_regressions(rows: tuple[np.ndarray, np.ndarray]) -> None:
    codes, profiles = rows
    new = np.random.default_rng(1).normal(size=(7, 6))
    decoders = dict(fit_decoders(codes, profiles, 99, np.random.default_rng(0)))
    assert {(each.kind, each.width) for each in decoders} == {(LINEAR, 0.0), *((KERNEL, width) for width in WIDTHS)}
    decoder = decoders[Strength(KERNEL, 1.0, 0.1)]
    gamma = 1 / (2 * np.median(pdist(codes)) ** 2)
    kernel = np.exp(-gamma * ((codes[:, None] - codes[None]) ** 2).sum(axis=2))
    center = np.eye(40) - 1 / 40
    eigenvalues = np.linalg.eigvalsh(center @ kernel @ center)
    unit = eigenvalues[eigenvalues > 1e-10 * eigenvalues[-1]].mean()
    oracle = KernelRidge(alpha=0.1 * unit, kernel="precomputed")
    oracle.fit(center @ kernel @ center, profiles - profiles.mean(axis=0))
    across = np.exp(-gamma * ((new[:, None] - codes[None]) ** 2).sum(axis=2))
    expected = oracle.predict((across - kernel.mean(axis=0)) @ center) + profiles.mean(axis=0)
    np.testing.assert_allclose(decoder(new), expected, atol=1e-5)


def test_one_strength_is_fitted_as_among_all(rows: tuple[np.ndarray, np.ndarray]) -> None:
    for strength, decoder in fit_decoders(*rows, 10, np.random.default_rng(3)):
        again = refit(strength, *rows, 10, np.random.default_rng(3))
        np.testing.assert_array_equal(again(rows[0]), decoder(rows[0]))


def test_equal_codes_give_the_mean_profile() -> None:
    profiles = np.random.default_rng(0).normal(size=(5, 3))
    for _, decoder in fit_decoders(np.ones((5, 2)), profiles, 5, np.random.default_rng(0)):
        np.testing.assert_allclose(decoder(np.ones((2, 2))), np.tile(profiles.mean(axis=0), (2, 1)), atol=1e-9)
