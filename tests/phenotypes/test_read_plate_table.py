import logging

import numpy as np
import pandas as pd
import pytest

from dssl.errors import TableError
from dssl.io import read_table
from dssl.phenotypes.columns import needed_columns, text_columns
from dssl.phenotypes.read import add_listed_columns, describe_wells, read_plate_table

FEATURES = ["Cells_AreaShape_Area", "Cytoplasm_Intensity_MeanIntensity_ER", "Nuclei_Texture_SumAverage_DNA_5_0"]


def test_a_table_becomes_wells(table, make_settings):
    adata = read_plate_table(table, make_settings(), "P1.csv")
    assert adata.X.dtype == np.float32
    np.testing.assert_array_equal(adata.X, table[FEATURES].to_numpy(np.float32))
    assert adata.var_names.tolist() == FEATURES
    assert adata.var["channel"].tolist() == ["", "ER", "DNA"]
    assert adata.obs_names.tolist() == [f"P1:A{row:02d}" for row in range(1, 13)]
    assert list(adata.obs) == [
        "plate",
        "well",
        "batch",
        "compound_id",
        "dose_um",
        "is_control",
        "cell_count",
        "Target",
    ]
    second = adata.obs.iloc[1].to_dict()
    assert second == {
        "plate": "P1",
        "well": "A02",
        "batch": "1",
        "compound_id": "D1",
        "dose_um": 10.0,
        "is_control": False,
        "cell_count": 101.0,
        "Target": "T1",
    }
    assert adata.obs["is_control"].tolist() == [True, False] * 6
    assert adata.obs["compound_id"].tolist()[::2] == [""] * 6
    assert adata.obs["dose_um"].isna().tolist() == [True, False] * 6


def test_the_same_wells_through_a_file(table, make_settings, tmp_path):
    path = tmp_path / "P1.csv.gz"
    table["Drug"] = table["Drug"].str.replace("D", "00")
    table.to_csv(path, index=False)
    settings = make_settings()
    needed = needed_columns(list(table.columns), settings)
    frame = read_table(path, columns=needed, text_columns=text_columns(settings))
    adata = read_plate_table(frame, settings, path.name)
    assert adata.obs["compound_id"].tolist()[1] == "001"
    pd.testing.assert_frame_equal(adata.obs, read_plate_table(table, settings, path.name).obs)


def test_optional_columns_may_be_left_out(table, make_settings):
    settings = make_settings(plate=None, well=None, batch=None, dose=None, cell_count=None, keep=[])
    adata = read_plate_table(table, settings, "folder/BR001.csv.gz")
    assert adata.obs_names.tolist()[:2] == ["BR001:1", "BR001:2"]
    assert adata.obs["batch"].unique().tolist() == ["1"]
    assert adata.obs["dose_um"].isna().all()
    assert "cell_count" not in adata.obs


def test_without_control_settings_no_well_is_a_control(table, make_settings):
    settings = make_settings().model_copy(update={"control": None})
    assert not read_plate_table(table, settings, "t.csv").obs["is_control"].any()


def test_descriptions_alone_need_no_features(table, make_settings):
    settings = make_settings()
    pd.testing.assert_frame_equal(
        describe_wells(table.drop(columns=FEATURES), settings, "t.csv"), read_plate_table(table, settings, "t.csv").obs
    )


@pytest.mark.parametrize(
    ("unit", "value", "dose_um"),
    [("M", 1e-5, 10.0), ("mM", 0.003, 3.0), ("uM", 0.1, 0.1), ("nM", 30.0, 0.03), ("pM", 7.0, 7e-6), ("M", 0.0, 0.0)],
)
def test_doses_are_converted_to_um_exactly(unit, value, dose_um, table, make_settings):
    table["Concentration"] = value
    obs = read_plate_table(table, make_settings(dose_unit=unit), "t.csv").obs
    assert obs["dose_um"].unique().tolist() == [dose_um]


@pytest.mark.parametrize(
    ("cells", "values", "expected"),
    [
        ([1, 0] * 6, [1], [True, False] * 6),
        ([1, 0] * 6, ["1"], [True, False] * 6),
        ([1.0, np.nan] * 6, [1], [True, False] * 6),
        (["1", "0"] * 6, [1.0], [True, False] * 6),
        ([True, False] * 6, [True], [True, False] * 6),
        (["yes", "no", "vehicle"] * 4, ["yes", "vehicle"], [True, False, True] * 4),
        (["treated", None] * 6, [""], [False, True] * 6),
    ],
)
def test_control_values_are_compared_as_text(cells, values, expected, table, make_settings):
    table["Role"] = cells
    adata = read_plate_table(table, make_settings(control={"column": "Role", "values": values}), "t.csv")
    assert adata.obs["is_control"].tolist() == expected


def test_no_control_shows_the_values_that_occur(table, make_settings):
    table.loc[1, "Role"] = None
    settings = make_settings(control={"column": "Role", "values": ["negcon", 3]})
    with pytest.raises(
        TableError, match=r"(?s)'negcon', 3; it holds DMSO \(6 wells\), trt \(5 .*\(empty\) .*plates.cont"
    ):
        read_plate_table(table, settings, "t.csv")


@pytest.mark.parametrize("value", ["broken", "1,5"])
def test_a_feature_of_text_is_refused(value, table, make_settings):
    table[FEATURES[1]] = table[FEATURES[1]].astype(object)
    table.loc[4, FEATURES[1]] = value
    with pytest.raises(TableError, match=f"(?s)feature column '{FEATURES[1]}'.*'{value}' in row 5\n.*plates.features"):
        read_plate_table(table, make_settings(), "t.csv")


def test_features_of_other_numeric_kinds_are_read(table, make_settings):
    table[FEATURES[0]] = pd.array([1, None] * 6, dtype="Int64")
    table[FEATURES[1]] = [True, False] * 6
    table[FEATURES[2]] = pd.Series([None] * 12, dtype=object)
    values = read_plate_table(table, make_settings(), "t.csv").X
    np.testing.assert_array_equal(values, [[1, 1, np.nan], [np.nan, 0, np.nan]] * 6)


def test_infinite_values_are_missing_and_counted(table, make_settings, caplog):
    table.loc[0, FEATURES[0]] = np.inf
    table.loc[3, FEATURES[2]] = -1e300  # more than float32 can hold
    with caplog.at_level(logging.WARNING):
        adata = read_plate_table(table, make_settings(), "t.csv")
    assert "2 infinite feature values" in caplog.text
    assert np.isnan(adata.X[[0, 3], [0, 2]]).all()
    assert np.isnan(adata.X).sum() == 2


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("Concentration", "10 uM", r"dose 'Concentration'.*'10 uM' in row 2\n.*dose_unit"),
        ("Concentration", -1.0, r"dose 'Concentration' is negative or infinite in 1 of 12 rows: -1 in row 2"),
        ("Concentration", np.inf, "inf in row 2"),
        ("Cells", "many", r"cell count 'Cells'.*'many' in row 2\n.*plates.columns.cell_count"),
        ("Cells", -4, "cell count 'Cells' is negative"),
    ],
)
def test_wrong_doses_and_counts_are_refused(column, value, said, table, make_settings):
    table[column] = table[column].astype(object)
    table.loc[1, column] = value
    with pytest.raises(TableError, match=f"(?s){said}"):
        read_plate_table(table, make_settings(), "t.csv")


def test_a_well_that_occurs_twice_is_refused(table, make_settings):
    table.loc[3, "Position"] = "A01"
    with pytest.raises(TableError, match="1 wells occur more than once: P1:A01"):
        read_plate_table(table, make_settings(), "t.csv")


@pytest.mark.parametrize(("column", "key"), [("Plate", "plate"), ("Position", "well"), ("Run", "batch")])
def test_gaps_in_what_names_a_well_are_refused(column, key, table, make_settings):
    table[column] = table[column].astype(object)
    table.loc[[2, 5], column] = [None, "  "]
    with pytest.raises(TableError, match=rf"'{column}' \(plates.columns.{key}\) is empty in 2 of 12 rows: 3, 6"):
        read_plate_table(table, make_settings(), "t.csv")


def test_treated_wells_without_compound_stay_and_are_counted(table, make_settings, caplog):
    table.loc[1, "Drug"] = None
    with caplog.at_level(logging.WARNING):
        adata = read_plate_table(table, make_settings(), "t.csv")
    assert adata.n_obs == len(table)
    assert adata.obs["compound_id"].iloc[1] == ""
    assert "1 treated wells have no 'Drug'" in caplog.text


def test_an_empty_table_is_refused(table, make_settings):
    with pytest.raises(TableError, match="has no rows"):
        read_plate_table(table.iloc[:0], make_settings(), "t.csv")


def test_columns_of_the_plate_list_are_given_to_every_well(table, make_settings):
    bare = table.drop(columns=["Plate", "Run"])
    full = add_listed_columns(bare, {"Plate": "P1", "Run": 1}, "t.csv")
    settings = make_settings()
    pd.testing.assert_frame_equal(
        read_plate_table(full, settings, "t.csv").obs, read_plate_table(table, settings, "t.csv").obs
    )
    with pytest.raises(TableError, match="'Run' stand both in this table and in plates.plate_list"):
        add_listed_columns(table, {"Run": 2}, "t.csv")


def test_the_table_itself_is_left_as_it_is(table, make_settings):
    before = table.copy(deep=True)
    read_plate_table(table, make_settings(), "t.csv")
    pd.testing.assert_frame_equal(table, before)
