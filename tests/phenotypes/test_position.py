import numpy as np
import pytest

from dssl.phenotypes.normalize import normalize_plates
from dssl.phenotypes.position import effects_at, fit_position, median_polish, shrunken, well_effects, well_places
from dssl.settings.preparation import NormalizePlateSettings

ROWS, COLUMNS = 8, 12


def plate():
    return np.array([(row, column) for row in range(ROWS) for column in range(COLUMNS)])


def polished_by_hand(table, sweeps=10):
    """Tukey's median polish of one feature's full table, rows first, with plain loops."""
    left = table - np.median(table)
    rows, columns = np.zeros(len(table)), np.zeros(table.shape[1])
    for _ in range(sweeps):
        for row in range(len(table)):
            step = np.median(left[row])
            left[row] -= step
            rows[row] += step
        for column in range(table.shape[1]):
            step = np.median(left[:, column])
            left[:, column] -= step
            columns[column] += step
    return rows - np.median(rows), columns - np.median(columns)


def test_a_full_plate_is_polished_as_tukey_does():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(ROWS * COLUMNS, 3)) ** 3
    fitted = median_polish(values, plate(), 2)
    for feature in range(3):
        rows, columns = polished_by_hand(values[:, feature].reshape(ROWS, COLUMNS).copy())
        np.testing.assert_allclose(fitted.effects[:, feature], [*rows, *columns], atol=1e-12)


def test_planted_row_and_column_effects_are_found_from_scattered_controls():
    rng = np.random.default_rng(1)
    places = plate()
    row, column = rng.normal(size=ROWS), rng.normal(size=COLUMNS)
    row, column = row - np.median(row), column - np.median(column)
    planted = row[places[:, 0]] + column[places[:, 1]]
    controls = rng.permutation(len(places))[:80]
    fitted = median_polish(planted[controls, None] + 7.0, places[controls], 3)
    off = effects_at(fitted, places)[:, 0] - planted
    np.testing.assert_allclose(off, off.mean(), atol=1e-3)  # the constant is what medians of effects leave open


def test_rows_and_columns_with_too_few_controls_are_left_as_they_are():
    places = np.array([(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 5)])
    values = np.array([1.0, 1, 1, -1, -1, -1, 50])[:, None]
    fitted = median_polish(values, places, 3)
    assert fitted.places.tolist() == [[0, -1], [1, -1]]
    shifts = effects_at(fitted, np.array([(0, 9), (1, 0), (2, 5), (7, 7), (-1, -1)]))[:, 0]
    np.testing.assert_allclose(shifts, [1, -1, 0, 0, 0])


def test_missing_values_are_skipped():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(ROWS * COLUMNS, 2))
    values[:, 1] = np.nan
    values[3, 0] = np.nan
    fitted = median_polish(values, plate(), 2)
    assert np.isfinite(fitted.effects).all()
    assert not fitted.effects[:, 1].any()


def test_well_effects_are_medians_of_a_position_over_plates():
    rng = np.random.default_rng(3)
    places = np.tile(plate()[:20], (5, 1))
    values = rng.normal(size=(100, 2))
    fitted = well_effects(values, places, 5)
    expected = np.median(values.reshape(5, 20, 2), axis=0) - np.median(values, axis=0)
    np.testing.assert_allclose(effects_at(fitted, plate()[:20]), expected)
    assert not effects_at(fitted, plate()[20:]).any()
    assert len(well_effects(values, places, 6).places) == 0


@pytest.mark.parametrize(("name", "place"), [("A01", (0, 0)), ("p24", (15, 23)), ("AF48", (31, 47)), ("17", (-1, -1))])
def test_places(name, place):
    assert tuple(well_places([name])[0]) == place


@pytest.mark.parametrize("kind", ["median_polish", "well"])
def test_effects_that_are_error_only_are_mostly_taken_back(kind):
    rng = np.random.default_rng(5)
    places = np.tile(plate(), (3, 1))
    values = rng.normal(size=(len(places), 50))
    raw = (median_polish if kind == "median_polish" else well_effects)(values, places, 3)
    left = fit_position(kind, values, places, 3)
    assert (left.effects**2).mean() < 0.1 * (raw.effects**2).mean()


def test_effects_beyond_their_error_stay():
    rng = np.random.default_rng(6)
    places = np.tile(plate(), (3, 1))
    planted = np.linspace(-4, 4, ROWS)[places[:, 0], None]
    values = planted + rng.normal(size=(len(places), 20))
    found = effects_at(fit_position("median_polish", values, places, 3), plate())
    np.testing.assert_allclose(found - found.mean(), np.tile(planted[: ROWS * COLUMNS], 20), atol=0.9)
    assert np.abs(found - planted[: ROWS * COLUMNS]).mean() < 0.25
    # without any error nothing is taken back
    exact = median_polish(planted.copy(), places, 3)
    np.testing.assert_allclose(shrunken(exact, planted, places).effects, exact.effects)


def plate_of(make_wells, effect):
    """A plate whose every second well is a control, and its rows' effect on all features."""
    rng = np.random.default_rng(4)
    places = plate()
    values = rng.normal(size=(len(places), 6)) + effect * np.linspace(-3, 3, ROWS)[places[:, 0], None]
    adata = make_wells(values)
    adata.obs["well"] = [f"{'ABCDEFGH'[row]}{column + 1:02d}" for row, column in places]
    adata.obs["is_control"] = (places.sum(axis=1) % 2) == 0
    return adata, places


def test_a_polished_plate_has_no_row_effect_left(make_wells):
    adata, places = plate_of(make_wells, effect=1.0)
    settings = {"clip": None, "outlier_z": 1e9}
    left = normalize_plates(adata, NormalizePlateSettings(**settings)).X
    done = normalize_plates(adata, NormalizePlateSettings(**settings, position="median_polish")).X
    treated = ~adata.obs["is_control"].to_numpy()

    def explained(values):
        """Share of the treated wells' variance that their row explains."""
        means = np.stack([values[treated & (places[:, 0] == row)].mean(axis=0) for row in range(ROWS)])
        return float((means.var(axis=0) / values[treated].var(axis=0)).mean())

    assert explained(left) > 0.6
    assert explained(done) < 0.4  # without any effect 7 / 47 are expected


def test_treated_wells_do_not_change_what_is_polished(make_wells):
    adata, _ = plate_of(make_wells, effect=1.0)
    settings = NormalizePlateSettings(position="median_polish", clip=None)
    before = normalize_plates(adata, settings).X
    treated = np.flatnonzero(~adata.obs["is_control"].to_numpy())
    adata.X[treated[0]] = 1e6
    after = normalize_plates(adata, settings).X
    np.testing.assert_array_equal(np.delete(after, treated[0], axis=0), np.delete(before, treated[0], axis=0))
