import numpy as np
import pytest

from dssl.errors import TableError
from dssl.phenotypes.doses import doses_um
from dssl.phenotypes.read import read_plate_table
from dssl.settings.units import molar_unit


@pytest.mark.parametrize(
    ("written", "unit"),
    [
        ("uM", "uM"), ("µM", "uM"), ("μM", "uM"), ("um", "uM"), ("umol/L", "uM"), ("µmol/l", "uM"), ("micromolar", "uM"),
        ("nM", "nM"), ("nanomolar", "nM"), ("M", "M"), ("mol/L", "M"), ("fM", "fM"), ("log10 M", "log10 M"),
        ("log10(M)", "log10 M"), ("-log10 M", "-log10 M"), ("in cell", "in cell"),
    ],
)  # fmt: skip
def test_spellings_of_units(written, unit):
    assert molar_unit(written) == unit


@pytest.mark.parametrize("written", ["mg/mL", "ug/ml", "g L-1", "%"])
def test_masses_are_refused(written):
    with pytest.raises(ValueError, match="is no molar unit: convert masses and percentages"):
        molar_unit(written)


def test_every_row_may_have_its_own_unit(table, make_settings):
    units = ["uM", "µM", "μM", "nM", "mM", "M", "log10 M", "-log10 M", "umol/L", "pM", None, "uM"]
    doses = [1, 2, 3, 4000, 0.005, 6e-6, -5, 6, 9, 1e7, None, 12]
    frame = table.assign(Unit=units, Concentration=doses)
    found = doses_um(frame, make_settings(dose_unit_column="Unit"), "t.csv")
    np.testing.assert_array_equal(found, [1, 2, 3, 4, 5, 6, 10, 1, 9, 10, np.nan, 12])


def test_a_unit_without_a_dose_does_not_matter(table, make_settings):
    frame = table.assign(Unit=["mg/mL"] * 2 + ["uM"] * 10, Concentration=[None] * 2 + [1.0] * 10)
    assert np.isnan(doses_um(frame, make_settings(dose_unit_column="Unit"), "t.csv")).sum() == 2
    frame.loc[1, "Concentration"] = 5
    with pytest.raises(TableError, match=r"(?s)unit of the dose 'mg/mL' in 1 rows \(the first: 2\).*no molar unit"):
        doses_um(frame, make_settings(dose_unit_column="Unit"), "t.csv")


def test_doses_with_their_units_in_one_cell(table, make_settings):
    frame = table.assign(Concentration=["10 uM", "3 µM", "1e3nM", ".5 mM", None, "", "0 uM", *["1 M"] * 5])
    found = doses_um(frame, make_settings(dose_unit="in cell"), "t.csv")
    np.testing.assert_array_equal(found, [10, 3, 1, 500, np.nan, np.nan, 0, *[1e6] * 5])


@pytest.mark.parametrize(("cell", "said"), [("ten uM", "'' in 1 rows"), ("10", "'' in 1 rows"), ("-3 uM", "negative")])
def test_cells_that_are_no_dose_are_refused(cell, said, table, make_settings):
    frame = table.assign(Concentration=[cell, *["1 uM"] * 11])
    with pytest.raises(TableError, match=said):
        doses_um(frame, make_settings(dose_unit="in cell"), "t.csv")


def test_logarithms_may_be_negative_and_infinite_at_zero_dose(table, make_settings):
    frame = table.assign(Concentration=[-np.inf, -6.0, *[-4.5] * 10])
    obs = read_plate_table(frame, make_settings(dose_unit="log10 M"), "t.csv").obs
    np.testing.assert_allclose(obs["dose_um"].to_numpy()[:3], [0, 1, 10**1.5])
