import logging

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dssl.errors import TableError
from dssl.phenotypes.normalize import normalize_plates
from dssl.phenotypes.quality import is_flagged
from dssl.settings.preparation import NormalizePlateSettings

PYCYTOMINER = {"median_mad": "mad_robustize", "mean_std": "standardize"}


def settings(**keywords):
    return NormalizePlateSettings(**({"clip": None, "min_controls": 3} | keywords))


def plates_of(make_wells, seed=0, n_plates=3, n=30, d=12, missing=0.0):
    rng = np.random.default_rng(seed)
    values = rng.normal(
        rng.normal(size=(n_plates, 1, d)) * 5, rng.uniform(0.5, 3, size=(n_plates, 1, d)), (n_plates, n, d)
    )
    values[rng.random(values.shape) < missing] = np.nan
    names = [f"P{plate}" for plate in range(n_plates) for _ in range(n)]
    adata = make_wells(values.reshape(-1, d), plate=names)
    adata.obs["is_control"] = rng.random(adata.n_obs) < 0.5
    return adata[rng.permutation(adata.n_obs)].copy()


def by_pycytominer(adata, method):
    """Each plate by pycytominer.normalize, in the order of the wells."""
    from pycytominer import normalize

    features = adata.var_names.tolist()
    frame = adata.to_df().astype(np.float64)
    frame["Metadata_control"] = adata.obs["is_control"]
    done = [
        normalize(
            part,
            features=features,
            meta_features=["Metadata_control"],
            samples="Metadata_control",
            method=PYCYTOMINER[method],
            mad_robustize_epsilon=0.0,
        )
        for _, part in frame.groupby(adata.obs["plate"], observed=True)
    ]
    return pd.concat(done).loc[adata.obs_names, features].to_numpy()


@pytest.mark.parametrize("method", PYCYTOMINER)
@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_equal_to_pycytominer(method, missing, make_wells):
    adata = plates_of(make_wells, missing=missing)
    ours = normalize_plates(adata, settings(method=method, max_missing_fraction=1.0, outlier_z=1e9))
    assert ours.X.dtype == np.float32
    np.testing.assert_allclose(ours.X, by_pycytominer(adata, method), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("method", PYCYTOMINER)
def test_equal_to_pycytominer_on_real_plates(method, cell_injury):
    from dssl.phenotypes.read import read_plate_table
    from dssl.settings.inputs import PlateTableSettings

    plates = PlateTableSettings.model_validate(
        {
            "columns": {
                "compound_id": "Compound InChIKey",
                "plate": "Plate",
                "well": "Well",
                "batch": "Experimental Condition [Experimental Batch]",
                "dose": "Compound Concentration (microMolar)",
                "cell_count": "Relative well cellcount",
            },
            "control": {"column": "Control Type", "values": ["Negative"]},
        }
    )
    adata = read_plate_table(pd.read_csv(cell_injury), plates, cell_injury.name)
    ours = normalize_plates(adata, settings(method=method, outlier_z=1e9))
    assert not is_flagged(ours.obs)[ours.obs["is_control"]].any()
    np.testing.assert_allclose(ours.X, by_pycytominer(adata, method), rtol=1e-6, atol=1e-6)


def test_controls_of_every_plate_are_centred_and_scaled(make_wells):
    done = normalize_plates(plates_of(make_wells), settings())
    for _, rows in done.obs.groupby("plate").indices.items():
        controls = done.X[rows][done.obs["is_control"].to_numpy()[rows]]
        np.testing.assert_allclose(np.median(controls, axis=0), 0, atol=1e-6)
        np.testing.assert_allclose(1.4826 * np.median(np.abs(controls), axis=0), 1, rtol=1e-5)


@hypothesis_settings(max_examples=25)
@given(seed=st.integers(0, 99), scale=st.floats(0.1, 100), shift=st.floats(-10, 10))
def test_units_and_order_do_not_matter(seed, scale, shift):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(20, 3)).astype(np.float32)
    first = normalize_plates(_wells(values), settings()).X
    other = normalize_plates(_wells(values * scale + shift), settings()).X
    np.testing.assert_allclose(other, first, rtol=1e-3, atol=2e-6 * (abs(shift) / scale + 1))
    order = np.concatenate([rng.permutation(10), 10 + rng.permutation(10)])
    np.testing.assert_array_equal(normalize_plates(_wells(values[order]), settings()).X, first[order])


def _wells(values):
    from anndata import AnnData

    index = [f"P:{row}" for row in range(len(values))]
    obs = pd.DataFrame({"plate": "P", "is_control": np.arange(len(values)) < 10}, index=index)
    return AnnData(X=values, obs=obs)


def test_a_plate_does_not_depend_on_the_others(make_wells):
    adata = plates_of(make_wells)
    together = normalize_plates(adata, settings())
    for plate in ("P0", "P1", "P2"):
        alone = normalize_plates(adata[adata.obs["plate"] == plate].copy(), settings())
        np.testing.assert_array_equal(alone.X, together[alone.obs_names].X)
        pd.testing.assert_frame_equal(alone.obs, together.obs.loc[alone.obs_names])


def test_the_input_is_left_as_it_is(make_wells):
    adata = plates_of(make_wells)
    before = adata.copy()
    normalize_plates(adata, settings(clip=1.0))
    np.testing.assert_array_equal(adata.X, before.X)
    pd.testing.assert_frame_equal(adata.obs, before.obs)


def test_outlying_controls_are_flagged_and_not_used(make_wells):
    rng = np.random.default_rng(1)
    values = rng.normal(size=(24, 8))
    values[:3] += 60.0  # three bad controls of twelve
    values[20:] += 60.0  # strong treatments
    done = normalize_plates(make_wells(values, n_controls=12), settings())
    assert np.flatnonzero(done.obs["qc_outlier"]).tolist() == [0, 1, 2]
    without = normalize_plates(make_wells(values[3:], n_controls=9), settings())
    np.testing.assert_array_equal(done.X[3:], without.X)
    assert not np.allclose(normalize_plates(make_wells(values, n_controls=12), settings(outlier_z=1e9)).X, done.X)


def test_missing_and_dead_controls_are_not_used(make_wells):
    rng = np.random.default_rng(2)
    values = rng.normal(size=(20, 10))
    values[0, :3] = np.nan
    values[1] += 3.0
    counts = np.full(20, 100.0)
    counts[1] = 1
    done = normalize_plates(make_wells(values, n_controls=12, cell_count=counts), settings())
    assert np.flatnonzero(done.obs["qc_missing"]).tolist() == [0]
    assert np.flatnonzero(done.obs["qc_dead"]).tolist() == [1]
    without = normalize_plates(make_wells(values[2:], n_controls=10, cell_count=counts[2:]), settings())
    np.testing.assert_array_equal(done.X[2:], without.X)


def test_mad_of_zero_falls_back_to_std_and_std_of_zero_to_missing(make_wells, caplog):
    rng = np.random.default_rng(3)
    values = rng.normal(size=(14, 4))
    values[:10, 0] = [0.0] * 8 + [1.0, 3.0]  # MAD 0
    values[:10, 1] = 5.0  # constant among the controls
    values[:, 2] = np.nan
    with caplog.at_level(logging.WARNING):
        done = normalize_plates(make_wells(values, n_controls=10), settings(max_missing_fraction=1.0, outlier_z=1e9))
    np.testing.assert_allclose(done.X[:, 0], (values[:, 0] - 0.0) / np.std(values[:10, 0]), rtol=1e-6)
    assert np.isnan(done.X[:, [1, 2]]).all()
    assert np.isfinite(done.X[:, 3]).all()
    assert "plate P1: 1 of 4 features do not vary" in caplog.text


def test_rounding_of_large_constants_is_no_scale(make_wells):
    values = np.random.default_rng(4).normal(size=(12, 2)).astype(np.float32)
    large = np.float32(1e8)
    values[:, 0] = np.where(np.arange(12) % 2, large, np.nextafter(large, np.float32(np.inf)))
    assert np.isnan(normalize_plates(make_wells(values), settings()).X[:, 0]).all()


def test_values_are_clipped(make_wells):
    adata = plates_of(make_wells, missing=0.02)
    free = normalize_plates(adata, settings()).X
    np.testing.assert_array_equal(normalize_plates(adata, settings(clip=1.5)).X, np.clip(free, -1.5, 1.5))
    assert np.nanmax(np.abs(free)) > 1.5


def test_method_none_leaves_values_and_flags_wells(make_wells):
    values = np.random.default_rng(5).normal(size=(6, 5)) * 1e4
    values[2] = np.nan
    done = normalize_plates(make_wells(values, n_controls=0), settings(method="none", clip=1.0, min_controls=100))
    np.testing.assert_array_equal(done.X, values.astype(np.float32))
    assert done.obs["qc_missing"].tolist() == [False, False, True, False, False, False]
    assert not done.obs["qc_outlier"].any()


def test_too_few_controls_name_plate_count_and_key(make_wells):
    values = np.random.default_rng(6).normal(size=(40, 4))
    values[0] = np.nan
    values[1] += 1e4
    adata = make_wells(values, plate=["P"] * 20 + ["Q"] * 20)
    adata.obs["is_control"] = (np.arange(40) < 8) | (np.arange(40) >= 34)
    with pytest.raises(TableError) as error:
        normalize_plates(adata, settings(min_controls=7))
    message = str(error.value)
    assert "fewer passing controls than normalize_plate.min_controls (7) on 2 plate(s)" in message
    assert "plate P has 6 of 8 (1 qc_missing, 1 qc_outlier); plate Q has 6 of 6" in message
    assert "fallback: all_wells" in message
    assert message.count("\n") <= 2
    normalize_plates(adata, settings(min_controls=6))


def test_fallback_normalises_with_all_passing_wells(make_wells, caplog):
    values = np.random.default_rng(7).normal(size=(20, 4))
    values[19] = np.nan
    few = make_wells(values, n_controls=2)
    with caplog.at_level(logging.WARNING):
        done = normalize_plates(few, settings(fallback="all_wells"))
    assert "plate P1: 2 passing controls" in caplog.text
    assert "all its 19 passing wells" in caplog.text
    every = normalize_plates(make_wells(values, n_controls=20), settings())
    np.testing.assert_array_equal(done.X, every.X)


def test_fallback_with_too_few_wells_is_an_error(make_wells):
    values = np.random.default_rng(8).normal(size=(5, 4))
    values[:3] = np.nan
    with pytest.raises(TableError, match=r"fewer passing wells than .*\(3\) .*plate P1 has 2 of 5 \(3 qc_missing\)"):
        normalize_plates(make_wells(values, n_controls=1), settings(fallback="all_wells"))
