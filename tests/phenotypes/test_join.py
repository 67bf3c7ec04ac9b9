import logging

import pandas as pd
import pytest

from dssl.errors import TableError
from dssl.phenotypes.join import join_metadata, joined_columns
from dssl.settings.inputs import MetadataTable

WELLS = pd.DataFrame({"Plate": ["P1", "P1", "P2"], "Site": [1.0, 2.0, 1.0]})


def join(tmp_path, table, by, wanted=("Drug",), wells=WELLS, text=("Drug",)):
    path = tmp_path / "meta.csv"
    table.to_csv(path, index=False)
    return join_metadata(wells, MetadataTable(table="meta.csv", by=by), path, wanted, text)


def test_rows_are_found_by_all_keys_compared_as_text(tmp_path):
    table = pd.DataFrame({"P": ["P2", "P1", "P1"], "Site": [1, 2, 1], "Drug": ["003", "002", "001"]})
    found = join(tmp_path, table, {"Plate": "P", "Site": "Site"})
    assert found["Drug"].tolist() == ["001", "002", "003"]
    assert list(found) == ["Plate", "Site", "Drug"]


def test_wells_without_a_row_stay_and_are_counted(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        found = join(tmp_path, pd.DataFrame({"Plate": ["P2"], "Drug": ["x"]}), ["Plate"])
    assert found["Drug"].isna().tolist() == [True, True, False]
    assert "2 of 3 wells have no row" in caplog.text


def test_equal_rows_are_one_and_different_ones_refused(tmp_path):
    table = pd.DataFrame({"Plate": ["P1", "P1", "P2", "Q"], "Drug": ["x", "x", "y", "z"], "Other": [1, 2, 3, 4]})
    assert join(tmp_path, table, ["Plate"])["Drug"].tolist() == ["x", "x", "y"]
    with pytest.raises(
        TableError, match=r"(?s)1 of the wells' keys have several rows that differ: P1\nAdd the columns"
    ):
        join(tmp_path, table, ["Plate"], wanted=("Drug", "Other"))


def test_no_row_at_all_is_refused(tmp_path):
    with pytest.raises(TableError, match=r"(?s)no well finds a row: the wells have P1, P2 \(Plate\), the table Q"):
        join(tmp_path, pd.DataFrame({"Plate": ["Q"], "Drug": ["x"]}), ["Plate"])


@pytest.mark.parametrize(
    ("by", "said"), [(["Barcode"], "the wells: no column 'Barcode'"), (["Site"], "meta.csv: no column")]
)
def test_keys_have_to_be_there(by, said, tmp_path):
    path = tmp_path / "meta.csv"
    pd.DataFrame({"Plate": ["P1"], "Drug": ["x"]}).to_csv(path, index=False)
    with pytest.raises(TableError, match=said):
        joined_columns(list(WELLS), MetadataTable(table="meta.csv", by=by), path)
    assert joined_columns(list(WELLS), MetadataTable(table="meta.csv", by=["Plate"]), path) == ["Drug"]
