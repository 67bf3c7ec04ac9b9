import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.stats import median_abs_deviation

from dssl.phenotypes.statistics import nan_mad, nan_mean_std, nan_median

numbers = st.one_of(st.floats(-1e6, 1e6), st.just(np.nan), st.sampled_from([0.0, 1.0, 2.0]))
matrices = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=numbers)


@given(matrices)
def test_equal_to_numpy_and_scipy_that_skip_missing_values(values):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's and scipy's about columns without values
        median, mean, std = np.nanmedian(values, axis=0), np.nanmean(values, axis=0), np.nanstd(values, axis=0)
        mad = median_abs_deviation(values, axis=0, nan_policy="omit")
    np.testing.assert_array_equal(nan_median(values), median)
    np.testing.assert_allclose(nan_mad(values, nan_median(values)), mad, rtol=1e-12)
    ours = nan_mean_std(values)
    np.testing.assert_allclose(ours[0], mean, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(ours[1], std, rtol=1e-9, atol=1e-9)


@pytest.mark.filterwarnings("error")
def test_no_rows_give_missing_values_without_a_warning():
    nothing = np.empty((0, 3))
    for statistic in (nan_median(nothing), *nan_mean_std(nothing)):
        assert np.isnan(statistic).tolist() == [True] * 3
