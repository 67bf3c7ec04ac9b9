import numpy as np
import pytest

from dssl.baselines.phenotype_space import fit_space
from dssl.errors import TableError


def profiles(t=30, k=5, seed=0):
    rng = np.random.default_rng(seed)
    divisor = np.array([4.0, 2.0, 1.0, 0.5, 0.25])[:k]
    return rng.normal(size=(t, k)) @ rng.normal(size=(k, k)) + 3, divisor


@pytest.mark.parametrize("whitening", [0.0, 0.5, 1.0])
def test_scores_are_those_of_a_direct_svd_divided_by_a_power_of_their_sd(whitening):
    values, divisor = profiles()
    space = fit_space(values, divisor)
    found = (values - space.center) @ space.matrix(whitening)
    raw = values * divisor
    left, singular, _ = np.linalg.svd(raw - raw.mean(axis=0), full_matrices=False)
    truth = left * singular / (singular / np.sqrt(30)) ** whitening
    np.testing.assert_allclose(np.abs(found), np.abs(truth), atol=1e-10)
    np.testing.assert_allclose(found.std(axis=0), (singular / np.sqrt(30)) ** (1 - whitening))


def test_raw_is_a_rotation_of_the_scores_before_whitening():
    values, divisor = profiles()
    space = fit_space(values, divisor)
    found, raw = (values - space.center) @ space.matrix(0.0), (values - values.mean(axis=0)) * divisor
    np.testing.assert_allclose(found @ found.T, raw @ raw.T, atol=1e-10)


def test_directions_in_which_few_compounds_do_not_vary_are_left_out():
    values, divisor = profiles(t=4)
    space = fit_space(values, divisor)
    assert space.matrix(1.0).shape == (5, 3)
    white = (values - space.center) @ space.matrix(1.0)
    np.testing.assert_allclose(white.T @ white / 4, np.eye(3), atol=1e-10)


def test_profiles_that_do_not_vary_are_an_error():
    with pytest.raises(TableError, match="no variation is left"):
        fit_space(np.ones((5, 3)), np.ones(3))
