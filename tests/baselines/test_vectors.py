import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dssl.baselines.vectors import (
    LogCounts,
    counts_vary,
    fit_log_counts,
    half_circle,
    phenotype_vectors,
    standardized_log_counts,
)
from dssl.errors import TableError
from dssl.evaluation.ranking import rounded_cosines
from dssl.evaluation.retrieval import unit_rows

COUNTS = [0.0, 2.0, 20.0, 200.0, np.nan]


@given(st.lists(st.integers(-1000, 1000), min_size=3, max_size=30), st.integers(-1000, 1000))
def test_cosines_on_the_half_circle_order_as_distances_do(hundredths, other):
    """Steps of 0.01 standard deviations are told apart; equal distances tie."""
    values, query = np.array(hundredths) / 100, other / 100
    cosine = rounded_cosines(unit_rows(half_circle([query])), unit_rows(half_circle(values)))[0]
    distance = np.abs(values - query).round(2)
    for one in range(len(values)):
        for two in range(len(values)):
            if distance[one] < distance[two]:
                assert cosine[one] > cosine[two] - 2e-7
            if distance[two] - distance[one] >= 0.05:
                assert cosine[one] > cosine[two]


def test_the_half_circle_has_unit_points_and_ends():
    points = half_circle([-1e9, -10, 0, 10, 1e9])
    np.testing.assert_allclose(points, [[1, 0], [1, 0], [0, 1], [-1, 0], [-1, 0]], atol=1e-6)


def test_log_counts_are_standardised_and_dead_wells_get_the_smallest_positive_count():
    scale = fit_log_counts(COUNTS)
    logs = np.log([2, 2, 20, 200])
    assert scale == LogCounts(2.0, pytest.approx(logs.mean()), pytest.approx(logs.std()))
    truth = (logs - logs.mean()) / logs.std()
    np.testing.assert_allclose(standardized_log_counts([*COUNTS, 1.0], scale), [*truth, 0, truth[0]])


@pytest.mark.parametrize(
    ("counts", "vary"),
    [
        (COUNTS, True),
        ([5, 6], True),
        ([5, 5, 5], False),
        ([5, np.nan], False),
        ([0, 0], False),
        ([0, 3], False),
        ([], False),
    ],
)
def test_counts_vary_when_two_of_them_differ_above_the_floor(counts, vary):
    assert counts_vary(counts) is vary


def test_profiles_are_mapped_linearly_or_left_as_they_are():
    rng = np.random.default_rng(0)
    profiles, offset, matrix = rng.normal(size=(6, 4)), rng.normal(size=4), rng.normal(size=(4, 2))
    uns = {"phenotype_maps": {"pls": matrix}, "phenotype_offsets": {"pls": offset}}
    truth = [[sum((row[i] - offset[i]) * matrix[i, j] for i in range(4)) for j in range(2)] for row in profiles]
    np.testing.assert_allclose(phenotype_vectors("pls", profiles, pd.DataFrame(index=range(6)), uns), truth, rtol=1e-5)
    for where in (uns, {}):
        same = phenotype_vectors("random", profiles, pd.DataFrame(index=range(6)), where)
        np.testing.assert_array_equal(same, profiles.astype(np.float32))


def test_cell_count_reads_the_counts_and_nothing_else():
    obs = pd.DataFrame({"cell_count": [2.0, 200.0]})
    uns = {"cell_count": {"floor": 2.0, "mean": np.log(20), "std": np.log(10)}}
    found = [phenotype_vectors("cell_count", profiles, obs, uns) for profiles in (np.zeros((2, 3)), np.ones((2, 3)))]
    np.testing.assert_array_equal(found[0], half_circle([-1, 1]))
    np.testing.assert_array_equal(found[1], found[0])
    with pytest.raises(TableError, match="the profiles have no column cell_count"):
        phenotype_vectors("cell_count", np.zeros((2, 3)), obs[[]], uns)
