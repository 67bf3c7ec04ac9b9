import logging

import numpy as np
import pandas as pd
import pytest
from sklearn.kernel_ridge import KernelRidge

from dssl.baselines.classical import fit_controls
from dssl.baselines.trials import TRIALS
from dssl.baselines.vectors import phenotype_vectors
from dssl.errors import ConfigError, PairingError
from dssl.settings.baselines import TrainBaselineSettings

DEFAULT = TrainBaselineSettings()
TUNED = [method for method in DEFAULT.methods if method != "random"]
REGULARISING = {"ridge": False, "neighbors": False, "components": True, "whitening": True, "tanimoto_weight": True}


@pytest.fixture
def controls(make_data):
    return fit_controls(make_data(), DEFAULT)


def test_every_method_of_the_settings_exists():
    assert set(TRIALS) == set(DEFAULT.methods)


def test_every_tuned_method_has_the_same_number_of_different_trials(controls):
    tuning = controls.tuning
    names = ["neighbors", "ridge", "whitening", "components", "tanimoto_weight"]
    assert tuning["method"].drop_duplicates().tolist() == DEFAULT.methods
    assert (tuning.groupby("method")["chosen"].sum() == 1).all()
    counts = tuning["method"].value_counts()
    assert {counts[method] for method in TUNED} == {9}
    assert counts["random"] == 1
    for method in TUNED:
        tried = tuning.loc[tuning["method"] == method, names].dropna(axis=1, how="all")
        assert tried.shape[1] == 2, method
        assert not tried.isna().any(axis=None)
        assert len(tried.drop_duplicates()) == 9


def test_trials_that_regularise_most_come_first(controls):
    """They win where validation compounds do not tell the difference."""
    for method in TUNED:
        tried = controls.tuning[controls.tuning["method"] == method].dropna(axis=1, how="all")
        for name, rising in REGULARISING.items():
            if name in tried:
                values = tried[name].astype(float)
                assert values.iloc[0] == (values.min() if rising else values.max()), (method, name)


def test_the_number_of_trials_must_be_the_same_for_all():
    shorter = {"ridge": [1.0], "whitening": [0.5], "components": [5], "neighbors": [1], "tanimoto_weight": [0.5]}
    assert TrainBaselineSettings(**shorter).ridge == [1.0]
    with pytest.raises(ValueError, match="need the same number of different values; found 2, 3, 3, 3, 3"):
        TrainBaselineSettings(ridge=[0.1, 1.0])
    with pytest.raises(ValueError, match="found 2, 3, 3, 3, 3"):
        TrainBaselineSettings(ridge=[0.1, 1.0, 1.0])


def test_kernel_ridge_predicts_the_scaled_components_of_sklearn(make_data, controls):
    """Both sides of the chosen trial together: sklearn's predictions, and the training profiles' own scores."""
    data = make_data()
    for method, kernel in (
        ("kernel_ridge", data.kernels["tanimoto"]),
        ("kernel_ridge_descriptors", data.kernels["gaussian"]),
        ("kernel_ridge_both", (data.kernels["tanimoto"] + data.kernels["gaussian"]) / 2),
    ):
        chosen = controls.tuning[(controls.tuning["method"] == method) & controls.tuning["chosen"]].iloc[0]
        raw = (data.profiles_train - data.profiles_train.mean(axis=0)) * data.divisor
        _, singular, axes = np.linalg.svd(raw, full_matrices=False)
        targets = raw @ axes.T / (singular / np.sqrt(len(raw))) ** chosen["whitening"]
        model = KernelRidge(alpha=chosen["ridge"], kernel="precomputed").fit(kernel[data.train], targets)
        truth, found = model.predict(kernel), controls.molecules[method]
        # the sign of an axis is a convention, the same on both sides
        np.testing.assert_allclose(found @ found.T, truth @ truth.T, rtol=1e-3, atol=1e-4)
        profiles = phenotype_vectors(method, data.profiles_train, data.obs_train, controls.uns)
        np.testing.assert_allclose(profiles @ found.T, targets @ truth.T, rtol=1e-3, atol=1e-3)


def test_controls_that_know_molecules_retrieve_better_than_random(controls):
    scores = controls.tuning[controls.tuning["chosen"]].set_index("method")["score"]
    assert (scores[TUNED] > scores["random"] + 0.1).all()


def test_predicted_cell_counts_follow_the_counts(make_data, controls):
    data = make_data(noise=0.0)
    counts = np.log(data.obs_validation["cell_count"])
    angle = np.arccos(controls.molecules["cell_count"][data.validation, 0])
    assert np.corrcoef(angle, counts)[0, 1] > 0.7


def test_molecules_of_test_compounds_change_no_other_molecule(make_data):
    """Poisoned inputs and kernels of the test rows leave the choice and all other vectors as they are."""
    clean = make_data()
    test = np.arange(55, 70)
    poisoned = {name: kernel.copy() for name, kernel in clean.kernels.items()}
    for kernel in poisoned.values():
        kernel[test] = 1e6
    inputs = clean.inputs.copy()
    inputs[test] = -1e6
    one, other = fit_controls(clean, DEFAULT), fit_controls(make_data(kernels=poisoned, inputs=inputs), DEFAULT)
    pd.testing.assert_frame_equal(one.tuning, other.tuning)
    for method, vectors in one.molecules.items():
        np.testing.assert_array_equal(vectors[:55], other.molecules[method][:55])
        if method != "random":
            assert not np.allclose(vectors[test], other.molecules[method][test], rtol=1e-3), method


def test_validation_compounds_choose_but_are_not_fitted(make_data):
    """Other validation profiles change the choice; a trial's vectors stay what they were."""
    single = {"ridge": [1.0], "whitening": [0.5], "components": [5], "neighbors": [3], "tanimoto_weight": [0.5]}
    settings = TrainBaselineSettings(**single)
    data = make_data()
    shuffled = make_data(
        profiles_validation=data.profiles_validation[::-1], obs_validation=data.obs_validation.iloc[::-1]
    )
    one, other = fit_controls(data, settings), fit_controls(shuffled, settings)
    assert (one.tuning["score"] != other.tuning["score"]).any()
    for method, vectors in one.molecules.items():
        np.testing.assert_array_equal(vectors, other.molecules[method])


@pytest.mark.parametrize(
    ("changed", "left_out", "reason"),
    [
        ({"obs_train": pd.DataFrame(index=range(40))}, {"cell_count"}, "no cell counts"),
        ({"obs_train": pd.DataFrame({"cell_count": np.full(40, np.nan)})}, {"cell_count"}, "no cell counts"),
        (
            {"kernels": {}},
            {"cell_count", "nearest_neighbor", "kernel_ridge", "kernel_ridge_descriptors", "kernel_ridge_both"},
            "have no fingerprints",
        ),
    ],
)
def test_controls_that_a_screen_does_not_allow_are_left_out_with_a_reason(make_data, caplog, changed, left_out, reason):
    with caplog.at_level(logging.WARNING):
        found = fit_controls(make_data(**changed), DEFAULT)
    assert set(found.uns["skipped"]) == left_out
    assert set(found.molecules) == set(DEFAULT.methods) - left_out
    assert reason in found.uns["skipped"]["cell_count"]
    assert {record.args[0] for record in caplog.records} == left_out


def test_descriptors_alone_allow_their_own_control(make_data):
    kernels = {"gaussian": make_data().kernels["gaussian"]}
    found = fit_controls(make_data(kernels=kernels), DEFAULT)
    assert set(found.molecules) == {"random", "pls", "cca", "kernel_ridge_descriptors"}


def test_a_screen_that_allows_none_of_the_controls_is_an_error(make_data):
    settings = TrainBaselineSettings(methods=["kernel_ridge"])
    with pytest.raises(ConfigError, match="none of its methods can be used .*kernel_ridge: .* no fingerprints"):
        fit_controls(make_data(kernels={}), settings)


def test_training_compounds_without_a_cell_count_are_left_out_of_its_fit(make_data):
    settings = TrainBaselineSettings(methods=["cell_count"])
    obs = make_data().obs_train.copy()
    obs.iloc[[3, 7]] = np.nan
    found = fit_controls(make_data(obs_train=obs), settings)
    kept = np.setdiff1d(np.arange(40), [3, 7])
    data = make_data()
    fewer = make_data(
        kernels={name: kernel[:, kept] for name, kernel in data.kernels.items()},
        train=kept,
        profiles_train=data.profiles_train[kept],
        obs_train=data.obs_train.iloc[kept],
    )
    np.testing.assert_array_equal(found.molecules["cell_count"], fit_controls(fewer, settings).molecules["cell_count"])


def test_shapes_that_do_not_fit_and_missing_values_are_errors(make_data):
    kernels = make_data().kernels
    with pytest.raises(PairingError, match=r"40 training and 15 validation .* tanimoto \(70, 39\), not \(70, 40\)"):
        make_data(kernels={"tanimoto": kernels["tanimoto"][:, 1:]})
    with pytest.raises(PairingError, match=r"profiles_validation \(14, 5\), not \(15, 5\)"):
        make_data(profiles_validation=np.zeros((14, 5)))
    with pytest.raises(PairingError, match="NaN or infinite values in gaussian"):
        make_data(kernels={"gaussian": np.full((70, 40), np.nan)})
