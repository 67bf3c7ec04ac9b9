import logging

import anndata
import numpy as np
import pandas as pd
import pytest

from dssl.errors import TableError
from dssl.phenotypes.annotation import annotate_features
from dssl.phenotypes.assemble import assemble_profiles
from dssl.phenotypes.sphering import apply_sphering, fit_sphering
from dssl.settings.preparation import AssembleProfilesSettings

BLOCKLISTED = "Nuclei_Correlation_Manders_AGP_DNA"


def random(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def test_wells_of_all_tables_on_the_features_of_all(flagged):
    first = flagged(random(4, 3), plate="P", features=["a", "b", "c"])
    second = flagged(random(5, 4, seed=1), plate="Q", features=["d", "c", "x", "a"])
    third = flagged(random(3, 3, seed=2), plate="R", features=["c", "a", "b"])
    done = assemble_profiles([first, second, third], AssembleProfilesSettings())
    assert done.profiles.var_names.tolist() == ["a", "c"]
    assert done.profiles.obs_names.tolist() == [*first.obs_names, *second.obs_names, *third.obs_names]
    for plate in (first, second, third):
        np.testing.assert_array_equal(done.profiles[plate.obs_names].X, plate[:, ["a", "c"]].X)
    assert done.profiles.X.dtype == np.float32
    dropped = done.dropped_features.set_index("feature")
    assert dropped["reason"].to_dict() == {"b": "absent", "d": "absent", "x": "absent"}
    assert dropped.loc["b", "detail"] == "not on plates Q"
    assert dropped.loc["x", "detail"] == "not on plates P, R"


def test_blocklist_is_applied_when_asked(flagged):
    plate = flagged(random(4, 2), features=["Cells_AreaShape_Area", BLOCKLISTED])
    done = assemble_profiles([plate], AssembleProfilesSettings())
    assert done.profiles.var_names.tolist() == ["Cells_AreaShape_Area"]
    assert done.dropped_features[["feature", "reason"]].to_numpy().tolist() == [[BLOCKLISTED, "blocklist"]]
    assert assemble_profiles([plate], AssembleProfilesSettings(blocklist=False)).profiles.n_vars == 2


def test_missing_share_is_taken_on_every_plate_over_unflagged_wells(flagged):
    values = random(40, 4)
    values[:2, 0] = np.nan  # 10 % of plate P, 5 % of all wells
    values[[0, 25], 1] = np.nan  # exactly 5 % of each
    values[[0, 5], :] = np.where([[False, False, True, True]], np.nan, values[[0, 5], :])
    adata = flagged(values, plate=["P"] * 20 + ["Q"] * 20, features=["a", "b", "c", "d"])
    adata.obs.iloc[5, adata.obs.columns.get_loc("qc_missing")] = True
    # plate P has 19 unflagged wells: a 2/19, b 1/19, c and d 1/19
    done = assemble_profiles([adata], AssembleProfilesSettings(max_missing_fraction=1 / 19))
    assert done.profiles.var_names.tolist() == ["b", "c", "d"]
    assert done.profiles.n_obs == 40
    assert done.dropped_features.to_numpy().tolist() == [["a", "missing", "in 10.5% of the wells of plate P"]]


def test_a_feature_without_scale_on_one_plate_is_dropped(flagged):
    bad = random(6, 2, seed=1)
    bad[:, 1] = np.nan
    plates = [flagged(random(6, 2), plate="P"), flagged(bad, plate="Q")]
    done = assemble_profiles(plates, AssembleProfilesSettings())
    assert done.dropped_features["detail"].tolist() == ["in 100.0% of the wells of plate Q"]
    assert np.isfinite(done.profiles.X).all()


def test_sphering_is_fitted_on_the_passing_controls_of_all_plates(flagged):
    plates = [flagged(random(30, 4, seed), plate=f"P{seed}", n_controls=20) for seed in range(2)]
    for plate in plates:
        plate.X[:20, 3] = 1.0  # constant among controls
        plate.X[0] = 50.0
        plate.obs.iloc[0, plate.obs.columns.get_loc("qc_outlier")] = True
    done = assemble_profiles(plates, AssembleProfilesSettings(sphering=True, sphering_epsilon=0.3))
    assert done.dropped_features[["feature", "reason"]].to_numpy().tolist() == [
        ["Cells_Texture_Gabor_DNA_3", "constant in controls"]
    ]
    stacked = np.vstack([plate.X[:, :3] for plate in plates])
    controls = np.vstack([plate.X[1:20, :3] for plate in plates])
    np.testing.assert_allclose(done.profiles.X, apply_sphering(fit_sphering(controls, 0.3), stacked), rtol=1e-6)


def test_sphering_without_controls_names_the_key(flagged):
    said = r"assemble_profiles.sphering needs 8 .* too few in 1: all \(0\)\n.*switch assemble_profiles.sphering off"
    with pytest.raises(TableError, match=said):
        assemble_profiles([flagged(random(5, 2), n_controls=0)], AssembleProfilesSettings(sphering=True))


def test_nothing_in_common_is_an_error(flagged):
    plates = [flagged(random(3, 1), plate="P", features=["a"]), flagged(random(3, 1), plate="Q", features=["b"])]
    with pytest.raises(TableError, match=r"no feature is left of 2: 2 absent; the first: a \(not on plates Q\)"):
        assemble_profiles(plates, AssembleProfilesSettings())


def test_nothing_left_after_missing_is_an_error(flagged):
    with pytest.raises(TableError, match="2 missing.*\n.*max_missing_fraction"):
        assemble_profiles([flagged(np.full((3, 2), np.nan))], AssembleProfilesSettings())


def test_no_table_is_an_error():
    with pytest.raises(TableError, match=r"no plate table.*plates.tables"):
        assemble_profiles([], AssembleProfilesSettings())


def test_a_well_in_two_tables_is_an_error(flagged):
    with pytest.raises(TableError, match="3 wells occur in more than one plate table: P1:W0, P1:W1, P1:W2"):
        assemble_profiles([flagged(random(3, 2)), flagged(random(3, 2))], AssembleProfilesSettings())


def test_a_plate_in_two_tables_is_logged(flagged, caplog):
    second = flagged(random(3, 2))
    second.obs_names = [f"P1:V{row}" for row in range(3)]
    with caplog.at_level(logging.WARNING):
        assemble_profiles([flagged(random(3, 2)), second], AssembleProfilesSettings())
    assert "plates P1 are spread over several tables" in caplog.text


def test_columns_are_joined_with_one_dtype_each(flagged, caplog):
    first = flagged(random(3, 2), plate="P", only_here=["x", "y", "z"], both=[1.0, np.nan, 3.0], code=[1.0, 2.0, 3.0])
    second = flagged(random(2, 2), plate="Q", both=[4.0, 5.0], code=["7", "B"], cell_count=[10.0, 20.0])
    with caplog.at_level(logging.WARNING):
        obs = assemble_profiles([first, second], AssembleProfilesSettings()).profiles.obs
    assert obs["only_here"].tolist() == ["x", "y", "z", "", ""]
    np.testing.assert_array_equal(obs["both"], [1, np.nan, 3, 4, 5])
    assert obs["code"].tolist() == ["1", "2", "3", "7", "B"]
    np.testing.assert_array_equal(obs["cell_count"], [np.nan] * 3 + [10, 20])
    assert {str(dtype) for dtype in obs.dtypes} == {"object", "float64", "bool"}
    assert obs["is_control"].dtype == bool
    assert "column 'only_here' is missing on 1 of 2 tables: Q" in caplog.text


@pytest.mark.filterwarnings("error")
def test_profiles_are_written_and_read_back_identically(flagged, tmp_path):
    first = flagged(random(3, 3), plate="P", kept=["x", "y", "x"], flag=[True, False, True], code=[1.0, np.nan, 3.0])
    second = flagged(random(2, 3, seed=1), plate="Q", n_controls=1, flag=[True, True])
    first.X[0, 0] = np.nan
    settings = AssembleProfilesSettings(max_missing_fraction=0.5)
    profiles = assemble_profiles([first, second], settings).profiles
    annotate_features(profiles, pd.DataFrame({"note": ["n"], "rank": [1]}, index=[profiles.var_names[1]]), "a.csv")
    profiles.write_h5ad(tmp_path / "a.h5ad", convert_strings_to_categoricals=False)
    back = anndata.read_h5ad(tmp_path / "a.h5ad")
    pd.testing.assert_frame_equal(back.obs, profiles.obs)
    pd.testing.assert_frame_equal(back.var, profiles.var)
    np.testing.assert_array_equal(back.X, profiles.X)
    assert back.X.dtype == np.float32


def test_tables_that_went_through_files_assemble_to_the_same(flagged, tmp_path):
    plates = [
        flagged(random(6, 3, seed), plate=f"P{seed}", n_controls=4, kept=list("aabbcc"), empty=[np.nan] * 6)
        for seed in range(2)
    ]
    direct = assemble_profiles(plates, AssembleProfilesSettings())
    for number, plate in enumerate(plates):
        plate.write_h5ad(tmp_path / f"{number}.h5ad")  # text becomes categorical
    back = [anndata.read_h5ad(tmp_path / f"{number}.h5ad") for number in range(2)]
    assert isinstance(back[0].obs["kept"].dtype, pd.CategoricalDtype)
    again = assemble_profiles(back, AssembleProfilesSettings())
    pd.testing.assert_frame_equal(again.profiles.obs, direct.profiles.obs)
    np.testing.assert_array_equal(again.profiles.X, direct.profiles.X)


def test_the_plates_are_left_as_they_are(flagged):
    plate = flagged(random(6, 3), n_controls=4)
    before = plate.copy()
    assemble_profiles([plate], AssembleProfilesSettings(sphering=True, min_controls=2))
    np.testing.assert_array_equal(plate.X, before.X)
    pd.testing.assert_frame_equal(plate.obs, before.obs)


def test_annotation_joins_var_by_name_as_text(flagged, caplog):
    adata = flagged(random(3, 3), features=["10007", "1001", "55"])
    annotation = pd.DataFrame({"symbol": ["GNPDA1", "TP53", "ZZ"], "channel": ["L1000"] * 3}, index=[10007, 1001, 9])
    with caplog.at_level(logging.WARNING):
        annotate_features(adata, annotation, "genes.tsv")
    assert adata.var["symbol"].tolist() == ["GNPDA1", "TP53", ""]
    assert adata.var["channel"].tolist() == ["L1000", "L1000", ""]
    assert adata.var["compartment"].tolist() == ["", "", ""]
    assert "genes.tsv: 1 of 3 features are not described" in caplog.text


@pytest.mark.parametrize(
    ("index", "column", "said"),
    [
        (["a", "a"], "x", "1 features are described twice: a\n.*plates.features.annotation"),
        (["q", "r"], "x", r"g.tsv: describes q, r, but none of the 2 features \(a, b\)"),
        (["a", "b"], "x/y", "'x/y'"),
    ],
)
def test_wrong_annotations_are_refused(index, column, said, flagged):
    adata = flagged(random(3, 2), features=["a", "b"])
    with pytest.raises(TableError, match=said):
        annotate_features(adata, pd.DataFrame({column: [1, 2]}, index=index), "g.tsv")


def test_on_one_plate_the_same_features_go_as_in_pycytominer(flagged):
    from pycytominer import feature_select

    rng = np.random.default_rng(0)
    names = [f"Cells_Texture_Gabor_DNA_{column}" for column in range(20)] + [BLOCKLISTED]
    values = rng.normal(size=(40, len(names)))
    values[rng.random(values.shape) < np.linspace(0, 0.12, len(names))] = np.nan
    plate = flagged(values, features=names)
    done = assemble_profiles([plate], AssembleProfilesSettings(max_missing_fraction=0.05))
    theirs = feature_select(
        plate.to_df().astype(float), features=names, operation=["drop_na_columns", "blocklist"], na_cutoff=0.05
    )
    assert list(theirs.columns) == done.profiles.var_names.tolist()
    assert {"blocklist", "missing"} == set(done.dropped_features["reason"])
