import numpy as np
import pandas as pd
import pytest
from pycytominer.operations.transform import Spherize
from scipy.linalg import inv, sqrtm

from dssl.errors import TableError
from dssl.phenotypes import sphering
from dssl.phenotypes.sphering import apply_sphering, fit_sphering, varies


def correlated(n, d, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) * rng.uniform(0.1, 9, size=d) + rng.normal(size=d) * 5


def by_definition(controls, values, epsilon):
    """(R + epsilon I)^(-1/2), formed and applied."""
    matrix = inv(sqrtm(np.corrcoef(controls.T) + epsilon * np.eye(controls.shape[1])))
    return (values - controls.mean(axis=0)) / controls.std(axis=0, ddof=1) @ matrix


@pytest.mark.parametrize("shape", [(50, 6), (6, 20)])
@pytest.mark.parametrize("epsilon", [1e-2, 0.1, 10.0])
def test_equal_to_its_definition(shape, epsilon):
    controls, wells = correlated(*shape), correlated(9, shape[1], seed=1)
    ours = apply_sphering(fit_sphering(controls, epsilon), wells)
    assert ours.dtype == np.float32
    expected = by_definition(controls, wells, epsilon)
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_equal_to_pycytominer_as_epsilon_vanishes():
    controls, wells = correlated(80, 10), correlated(7, 10, seed=1)
    theirs = Spherize(epsilon=1e-12, method="ZCA-cor", return_numpy=True).fit(pd.DataFrame(controls))
    ours = apply_sphering(fit_sphering(controls, 1e-12), wells)
    np.testing.assert_allclose(ours, theirs.transform(pd.DataFrame(wells)), rtol=1e-4, atol=1e-5)


def test_controls_become_white():
    controls = correlated(400, 8)
    white = apply_sphering(fit_sphering(controls, 1e-9), controls).astype(np.float64)
    np.testing.assert_allclose(np.cov(white.T), np.eye(8), atol=1e-5)
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-6)


def test_units_of_features_do_not_matter():
    controls, wells = correlated(40, 5), correlated(4, 5, seed=1)
    units = np.array([1e-3, 1, 10, 1e4, 7.0])
    first = apply_sphering(fit_sphering(controls, 0.1), wells)
    np.testing.assert_allclose(apply_sphering(fit_sphering(controls * units, 0.1), wells * units), first, rtol=1e-5)


def test_missing_values_count_as_the_mean_and_stay_missing():
    controls, wells = correlated(40, 5), correlated(4, 5, seed=1)
    state = fit_sphering(controls, 0.1)
    filled, gaps = wells.copy(), wells.copy()
    filled[2, 1], gaps[2, 1] = controls[:, 1].mean(), np.nan
    expected = apply_sphering(state, filled)
    expected[2, 1] = np.nan
    np.testing.assert_allclose(apply_sphering(state, gaps), expected, rtol=1e-5, atol=1e-6)
    controls[3, 2] = np.nan
    assert np.isfinite(apply_sphering(fit_sphering(controls, 0.1), wells)).all()


def test_rows_do_not_depend_on_each_other(monkeypatch):
    state, wells = fit_sphering(correlated(40, 5), 0.1), correlated(11, 5, seed=1)
    whole = apply_sphering(state, wells)
    monkeypatch.setattr(sphering, "_ROWS_AT_ONCE", 3)
    np.testing.assert_allclose(apply_sphering(state, wells), whole, rtol=1e-6)


def test_too_few_wells():
    with pytest.raises(TableError, match="at least 2 passing control wells, found 1\n.*assemble_profiles.sphering"):
        fit_sphering(np.ones((1, 3)), 0.1)


def test_constant_features_are_refused():
    controls = correlated(10, 4)
    controls[:, 2] = 0.1
    controls[:, 3] = np.nan
    assert varies(controls).tolist() == [True, True, False, False]
    with pytest.raises(TableError, match="2 of 4 do not"):
        fit_sphering(controls, 0.1)
