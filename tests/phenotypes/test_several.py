import logging

import pytest

from dssl.errors import TableError
from dssl.phenotypes.read import read_plate_table


@pytest.fixture
def mixed(table):
    """D1 together with X in one well, with two doses."""
    frame = table.astype({"Drug": object, "Concentration": object})
    frame.loc[1, ["Drug", "Concentration"]] = ["D1 | X", "10|5"]
    return frame


def test_several_compounds_are_refused(mixed, make_settings):
    with pytest.raises(TableError, match=r"(?s)1 wells hold several compounds: 'D1 \| X' in row 2.*several_compounds"):
        read_plate_table(mixed, make_settings(compound_separator="|"), "t.csv")


def test_the_first_one_counts_where_that_is_the_rule(mixed, make_settings, caplog):
    with caplog.at_level(logging.WARNING):
        settings = make_settings(compound_separator="|", several_compounds="first")
        obs = read_plate_table(mixed, settings, "t.csv").obs
    assert (obs["compound_id"].iloc[1], obs["dose_um"].iloc[1]) == ("D1", 10.0)
    assert obs["compound_id"].iloc[3] == "D3"
    assert "1 wells hold several compounds (first)" in caplog.text


def test_excluded_wells_keep_an_identifier_that_no_molecule_has(mixed, make_settings):
    mixed.loc[1, "Concentration"] = 10
    obs = read_plate_table(mixed, make_settings(compound_separator="|", several_compounds="exclude"), "t.csv").obs
    assert obs["compound_id"].iloc[1] == "D1 | X"
    assert len(obs) == len(mixed)


def test_without_a_separator_an_identifier_may_hold_any_sign(mixed, make_settings):
    mixed.loc[1, "Concentration"] = 10
    assert read_plate_table(mixed, make_settings(), "t.csv").obs["compound_id"].iloc[1] == "D1 | X"
