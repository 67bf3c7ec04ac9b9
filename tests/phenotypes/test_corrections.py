import anndata
import numpy as np
import pandas as pd
import pytest

from dssl.errors import IntegrityError, TableError
from dssl.phenotypes.assemble import assemble_profiles
from dssl.phenotypes.assembled_state import load_assembled, save_assembled
from dssl.phenotypes.combat import fit_combat
from dssl.phenotypes.corrections import apply_corrections, fit_corrections
from dssl.phenotypes.group_scaling import fit_scaling
from dssl.phenotypes.sphering import apply_sphering, fit_sphering
from dssl.settings.preparation import AssembleProfilesSettings

ALL = {"position": "well", "standardize": "batch", "combat": True, "sphering": True, "sphering_scope": "batch"}


def screen(flagged, seed=0, n_batches=2, shift=2.0):
    """Plates of several batches, each with its own location and scale; half of the wells are controls."""
    rng = np.random.default_rng(seed)
    plates = []
    for number in range(2 * n_batches):
        batch = number % n_batches
        values = rng.normal(size=(40, 5)) * (1 + batch) + shift * batch
        plate = flagged(values, plate=f"P{number}", n_controls=20, batch=f"b{batch}")
        plate.obs["well"] = [f"{'ABCD'[row // 10]}{row % 10 + 1:02d}" for row in range(40)]
        plates.append(plate)
    return plates


def joined(plates):
    return np.concatenate([plate.X for plate in plates]), pd.concat([plate.obs for plate in plates])


def test_combat_is_scanpys_on_the_controls_and_a_line_for_all_others():
    import scanpy

    rng = np.random.default_rng(0)
    controls = {
        name: rng.normal(loc, scale, (25, 7)) for name, loc, scale in (("a", 0, 1), ("b", 3, 2), ("c", -1, 0.5))
    }
    fitted = fit_combat(controls)
    stacked = np.concatenate(list(controls.values()))
    wells = anndata.AnnData(stacked.copy(), obs=pd.DataFrame({"batch": pd.Categorical(np.repeat(list("abc"), 25))}))
    wells.obs_names = [str(row) for row in range(75)]
    theirs = scanpy.pp.combat(wells, key="batch", inplace=False)
    numbers = np.repeat([0, 1, 2], 25)
    np.testing.assert_allclose(stacked * fitted.slope[numbers] + fitted.intercept[numbers], theirs, atol=1e-10)


def test_batches_that_combat_has_aligned_agree_in_location_and_scale(flagged):
    plates = screen(flagged)
    done = assemble_profiles(plates, AssembleProfilesSettings(combat=True)).profiles
    controls = done.obs["is_control"].to_numpy()
    first, second = (done.X[controls & (done.obs["batch"] == batch)] for batch in ("b0", "b1"))
    np.testing.assert_allclose(first.mean(axis=0), second.mean(axis=0), atol=0.3)
    np.testing.assert_allclose(first.std(axis=0) / second.std(axis=0), 1, atol=0.25)


def test_standardising_by_batch_is_the_median_and_mad_of_its_controls(flagged):
    plates = screen(flagged)
    done = assemble_profiles(plates, AssembleProfilesSettings(standardize="batch")).profiles
    values, obs = joined(plates)
    for batch in ("b0", "b1"):
        rows = (obs["batch"] == batch).to_numpy()
        controls = values[rows & obs["is_control"].to_numpy()].astype(np.float64)
        centre = np.median(controls, axis=0)
        scale = 1.4826 * np.median(np.abs(controls - centre), axis=0)
        np.testing.assert_allclose(done.X[rows], (values[rows] - centre) / scale, rtol=1e-5, atol=1e-5)


def test_a_feature_without_spread_is_centred_only():
    fitted = fit_scaling({"all": np.array([[3.0, 1], [3, 2], [3, 4]])}, 1e-6)
    np.testing.assert_allclose(fitted.slope[0, 0] * 3 + fitted.intercept[0, 0], 0)
    assert fitted.slope[0, 0] == 1


def test_sphering_by_batch_whitens_with_the_own_batch(flagged):
    plates = screen(flagged)
    done = assemble_profiles(plates, AssembleProfilesSettings(sphering=True, sphering_scope="batch")).profiles
    values, obs = joined(plates)
    rows = (obs["batch"] == "b1").to_numpy()
    own = fit_sphering(values[rows & obs["is_control"].to_numpy()], 0.1)
    np.testing.assert_allclose(done.X[rows], apply_sphering(own, values[rows]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["treated", "flagged control"])
def test_an_outlier_among_other_wells_than_passing_controls_changes_nothing_that_is_fitted(flagged, kind):
    plates = screen(flagged)
    settings = AssembleProfilesSettings(**ALL, max_control_correlation=0.99)
    row = 35 if kind == "treated" else 3
    if kind == "flagged control":
        plates[0].obs.iloc[row, plates[0].obs.columns.get_loc("qc_outlier")] = True
    before = assemble_profiles(plates, settings)
    plates[0].X[row] = 1e5
    after = assemble_profiles(plates, settings)
    np.testing.assert_array_equal(np.delete(after.profiles.X, row, axis=0), np.delete(before.profiles.X, row, axis=0))
    for name in ("standardize", "combat"):
        one, other = getattr(before.state.corrections, name), getattr(after.state.corrections, name)
        np.testing.assert_array_equal(one.slope, other.slope)
        np.testing.assert_array_equal(one.intercept, other.intercept)
    np.testing.assert_array_equal(before.state.corrections.position.effects, after.state.corrections.position.effects)
    for batch, state in before.state.corrections.sphering.items():
        np.testing.assert_array_equal(state.components, after.state.corrections.sphering[batch].components)


def test_what_is_kept_corrects_new_plates_as_it_did_the_old_ones(flagged, tmp_path):
    plates = screen(flagged)
    done = assemble_profiles(plates, AssembleProfilesSettings(**ALL))
    for name in ("a.safetensors", "b.safetensors"):
        save_assembled(tmp_path / name, done.state, {"step": "assemble_profiles"})
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    loaded = load_assembled(tmp_path / "a.safetensors")
    assert loaded.kept == tuple(done.profiles.var_names)
    assert loaded.read == loaded.kept
    values, obs = joined(plates[2:])
    apply_corrections(loaded.corrections, values, obs)
    np.testing.assert_array_equal(values, done.profiles[obs.index].X)


def test_nothing_fitted_is_kept_and_changes_nothing(flagged, tmp_path):
    plates = screen(flagged)
    done = assemble_profiles(plates, AssembleProfilesSettings())
    save_assembled(tmp_path / "a.safetensors", done.state, {})
    values, obs = joined(plates)
    before = values.copy()
    loaded = load_assembled(tmp_path / "a.safetensors").corrections
    assert loaded.is_empty
    apply_corrections(loaded, values, obs)
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize(
    "key", [{"standardize": "batch"}, {"combat": True}, {"sphering": True, "sphering_scope": "batch"}]
)
def test_a_new_batch_is_refused(flagged, key):
    values, obs = joined(screen(flagged))
    fitted = fit_corrections(values, obs, AssembleProfilesSettings(**key))
    name = next(iter(key))
    said = rf"assemble_profiles.{name} was fitted on the batches b0, b1; 1 new one\(s\): b9\n.*switch assemble_profiles"
    with pytest.raises(TableError, match=said):
        apply_corrections(fitted, values[:2].copy(), obs[:2].assign(batch=["b0", "b9"]))


@pytest.mark.parametrize(
    ("key", "change", "said"),
    [
        (
            {"combat": True},
            {"batch": "one"},
            r"combat aligns batches, but there is one only: one\n.*plates.columns.batch",
        ),
        ({"position": "well"}, {"well": "x"}, r"position needs controls at positions like A01; found the wells x"),
        ({"combat": True}, {"is_control": False}, r"combat needs 8 .* every batch; too few in 2: b0 \(0\), b1 \(0\)"),
        ({"standardize": "all"}, {"is_control": False}, r"standardize needs 8 .* the screen; too few in 1: all \(0\)"),
    ],
)
def test_what_a_correction_lacks_is_said(flagged, key, change, said):
    plates = screen(flagged)
    for plate in plates:
        plate.obs = plate.obs.assign(**change)
    with pytest.raises(TableError, match=said):
        assemble_profiles(plates, AssembleProfilesSettings(**key))


def test_a_batch_of_treated_wells_only_is_refused_where_batches_count(flagged):
    plates = screen(flagged)
    plates[3].obs["batch"] = "b2"
    plates[3].obs["is_control"] = False
    with pytest.raises(TableError, match=r"too few in 1: b2 \(0\)"):
        assemble_profiles(plates, AssembleProfilesSettings(standardize="batch"))


def test_another_file_is_refused(tmp_path):
    from safetensors.numpy import save_file

    save_file({"x": np.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(IntegrityError, match="expected dssl_assembled/1, found another file"):
        load_assembled(tmp_path / "x.safetensors")
    with pytest.raises(IntegrityError, match="cannot be read"):
        load_assembled(tmp_path / "absent.safetensors")


def test_only_one_plate_at_a_time_is_in_memory(flagged):
    import weakref

    plates = screen(flagged)
    alive = []

    def read(number):
        assert sum(reference() is not None for reference in alive) <= 1
        plate = plates[number].copy()
        alive.append(weakref.ref(plate))
        return plate

    done = assemble_profiles(range(4), AssembleProfilesSettings(max_control_correlation=0.9), read)
    assert len(alive) == 3 * 4
    np.testing.assert_array_equal(done.profiles.X, joined(plates)[0])


def test_features_that_repeat_one_another_among_the_controls_are_dropped(flagged):
    plates = screen(flagged)
    for plate in plates:
        plate.X[:20, 4] = plate.X[:20, 0] * 2 + 1  # among the controls only
    done = assemble_profiles(plates, AssembleProfilesSettings(max_control_correlation=0.95))
    assert done.dropped_features["reason"].tolist() == ["repeated in controls"]
    assert done.profiles.n_vars == 4
