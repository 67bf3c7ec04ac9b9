import numpy as np
import pytest

from dssl.phenotypes.quality import (
    flag_dead,
    flag_missing,
    flag_outliers,
    is_flagged,
    median_correlation,
    plate_quality,
    plate_rows,
)


def test_rows_of_every_plate_in_first_order(make_wells):
    obs = make_wells(np.zeros((6, 1)), plate=["b", "a", "b", "c", "a", "b"]).obs
    assert {plate: rows.tolist() for plate, rows in plate_rows(obs).items()} == {"b": [0, 2, 5], "a": [1, 4], "c": [3]}
    assert list(plate_rows(obs)) == ["b", "a", "c"]


def test_missing_counts_more_than_the_share():
    values = np.zeros((3, 10))
    values[1, :2] = np.nan
    values[2, :3] = np.nan
    assert flag_missing(values, 0.2).tolist() == [False, False, True]


def test_dead_is_below_a_share_of_the_control_median_of_its_own_plate(make_wells):
    obs = make_wells(
        np.zeros((8, 1)),
        plate=["P"] * 4 + ["Q"] * 4,
        cell_count=[100, 300, 9.9, 10, 1000, 10, np.nan, 100],
    ).obs
    obs["is_control"] = [True, True, False, False, True, True, False, False]
    # medians of the controls: P 200, Q 505
    assert flag_dead(obs, 0.05).tolist() == [False, False, True, False, False, True, False, False]


def test_dead_without_controls_uses_all_wells_and_without_counts_flags_nothing(make_wells):
    obs = make_wells(np.zeros((5, 1)), n_controls=0, cell_count=[100, 100, 100, 1, np.nan]).obs
    assert flag_dead(obs, 0.05).tolist() == [False, False, False, True, False]
    assert not flag_dead(obs.drop(columns="cell_count"), 0.05).any()
    obs["is_control"] = [False, False, False, False, True]  # a control, but not counted
    assert flag_dead(obs, 0.05).tolist() == [False, False, False, True, False]


def test_only_controls_are_outliers():
    z = np.array([[9.0, -9, 0], [9, 0, 0], [9, 9, 9], [7, np.nan, np.nan]])
    assert flag_outliers(z, np.array([True, True, False, True]), 6.0).tolist() == [True, False, False, True]


def test_median_correlation_of_pairs():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5, 40)) + rng.normal(size=40)
    pairs = [np.corrcoef(values[i], values[j])[0, 1] for i in range(5) for j in range(i)]
    assert median_correlation(values) == pytest.approx(np.median(pairs))
    gaps = np.hstack([values, np.full((5, 1), np.nan)])
    assert median_correlation(gaps) == pytest.approx(np.median(pairs))
    constant = np.vstack([values, np.zeros((1, 40))])
    assert median_correlation(constant) == pytest.approx(np.median(pairs))


@pytest.mark.parametrize("shape", [(0, 5), (1, 5), (3, 1), (3, 0)])
def test_no_pair_has_no_correlation(shape):
    assert np.isnan(median_correlation(np.ones(shape)))


def test_quality_of_two_plates(flagged):
    values = np.ones((10, 4))
    values[:6, 0] = np.nan  # not measured on plate P
    values[:, 1] = np.arange(10)
    adata = flagged(values, plate=["P"] * 6 + ["Q"] * 4, cell_count=np.arange(10.0))
    adata.obs["is_control"] = [True] * 4 + [False] * 2 + [True] * 2 + [False] * 2
    adata.obs.loc[adata.obs_names[[0, 4]], "qc_dead"] = True
    adata.obs.loc[adata.obs_names[0], "qc_outlier"] = True
    assert is_flagged(adata.obs).tolist() == [True, False, False, False, True] + [False] * 5
    quality = plate_quality(adata).set_index("plate")
    assert quality.index.tolist() == ["P", "Q"]
    first = quality.loc["P"]
    assert first[["n_wells", "n_controls", "n_treated"]].tolist() == [6, 4, 2]
    assert first[["qc_missing", "qc_dead", "qc_outlier", "n_flagged"]].tolist() == [0, 2, 1, 2]
    assert first["n_passing_controls"] == 3
    assert first["missing_fraction"] == pytest.approx(0.25)
    assert first["n_empty_features"] == 1
    assert first["control_cell_count"] == 2.0  # of wells 1, 2, 3
    assert first["treated_cell_count"] == 5.0
    assert first["control_magnitude"] == 1.0
    assert quality.loc["Q", "n_empty_features"] == 0


def test_quality_without_cell_counts(flagged):
    quality = plate_quality(flagged(np.ones((4, 2)), n_controls=4))
    assert quality["control_cell_count"].isna().all()
    assert quality["treated_magnitude"].isna().all()
