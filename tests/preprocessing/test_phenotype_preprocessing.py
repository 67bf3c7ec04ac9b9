import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from dssl.errors import TableError
from dssl.preprocessing.phenotype import PhenotypeState, apply_phenotype, fit_phenotype, scale_phenotype
from dssl.settings.preparation import PhenotypePreprocessingSettings

PLAIN = PhenotypePreprocessingSettings(max_correlation=None, scale="none", clip=None, whiten="none")


def profiles_of(n: int = 80, p: int = 12, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    random = np.random.default_rng(seed)
    mixed = random.normal(size=(n, p)) @ random.normal(size=(p, p)) * np.linspace(0.5, 3, p) + 2
    return mixed.astype(np.float32), [f"f{position:02d}" for position in range(p)]


def assert_same_state(one: PhenotypeState, other: PhenotypeState) -> None:
    for field in dataclasses.fields(one):
        left, right = getattr(one, field.name), getattr(other, field.name)
        if isinstance(left, np.ndarray):
            assert left.dtype == right.dtype
            assert left.tobytes() == right.tobytes(), field.name
        elif isinstance(left, pd.DataFrame):
            pd.testing.assert_frame_equal(left, right)
        else:
            assert left == right


@pytest.mark.parametrize(("whiten", "power"), [("none", 0), ("half", 0.5), ("full", 1)])
def test_scores_are_those_of_sklearn_divided_by_a_power_of_their_sd(whiten, power):
    values, names = profiles_of()
    settings = PLAIN.model_copy(update={"whiten": whiten, "n_components": 7})
    inputs = apply_phenotype(fit_phenotype(values, names, settings), values, names)
    truth = PCA(7, svd_solver="full").fit_transform(values.astype(np.float64))
    truth /= truth.std(axis=0) ** power
    truth *= np.sign((truth * inputs).sum(axis=0))
    np.testing.assert_allclose(inputs, truth, rtol=1e-4, atol=1e-4)
    assert inputs.dtype == np.float32


def test_half_whitened_sd_is_the_root_of_the_sd():
    values, names = profiles_of()
    none, half, full = (
        apply_phenotype(fit_phenotype(values, names, PLAIN.model_copy(update={"whiten": whiten})), values, names)
        for whiten in ("none", "half", "full")
    )
    np.testing.assert_allclose(half.std(axis=0), np.sqrt(none.std(axis=0)), rtol=1e-4)
    np.testing.assert_allclose(full.std(axis=0), 1, rtol=1e-4)


def test_largest_loading_is_positive_and_shares_sum_to_one():
    values, names = profiles_of()
    state = fit_phenotype(values, names, PLAIN)
    largest = np.abs(state.components).argmax(axis=0)
    assert (state.components[largest, np.arange(12)] > 0).all()
    assert state.explained.sum() == pytest.approx(1)
    np.testing.assert_allclose(state.components.T @ state.components, np.eye(12), atol=1e-10)
    flipped = fit_phenotype(values[::-1], names, PLAIN)
    np.testing.assert_allclose(flipped.components, state.components, atol=1e-6)


@pytest.mark.parametrize(("n", "p", "asked", "expected"), [(5, 12, 75, 4), (80, 12, 75, 12), (80, 12, 3, 3)])
def test_number_of_components(n, p, asked, expected):
    values, names = profiles_of(n, p)
    settings = PhenotypePreprocessingSettings(n_components=asked, max_correlation=None)
    assert apply_phenotype(fit_phenotype(values, names, settings), values, names).shape == (n, expected)


def test_repeated_rows_give_no_component_of_rounding_errors():
    values, names = profiles_of(4, 12)
    values = np.repeat(values, 5, axis=0)
    settings = PLAIN.model_copy(update={"whiten": "full"})
    inputs = apply_phenotype(fit_phenotype(values, names, settings), values, names)
    assert inputs.shape == (20, 3)
    np.testing.assert_allclose(inputs.std(axis=0), 1, rtol=1e-4)


@pytest.mark.parametrize("scale", ["robust", "standard", "none"])
def test_scaling(scale):
    values, names = profiles_of()
    values[:50, 3] = 7.0  # more than half of the wells agree: no MAD
    settings = PhenotypePreprocessingSettings(scale=scale, max_correlation=None, clip=2.0)
    scaled = scale_phenotype(fit_phenotype(values, names, settings), values, names)
    for column in range(12):
        one = values[:, column].astype(np.float64)
        median = np.median(one)
        mad = 1.4826 * np.median(np.abs(one - median))
        assert (mad == 0) == (column == 3)
        truth = {"robust": (one - median) / (mad or one.std()), "standard": (one - one.mean()) / one.std(), "none": one}
        np.testing.assert_allclose(scaled[:, column], np.clip(truth[scale], -2, 2), atol=1e-5)
    assert scaled.dtype == np.float32


def test_missing_values_become_the_training_median():
    values, names = profiles_of()
    holes = values.copy()
    holes[::7, 2], holes[3, 5], holes[4, 5] = np.nan, np.inf, -np.inf
    state = fit_phenotype(holes, names, PLAIN)
    finite = np.where(np.isfinite(holes), holes, np.nan)
    medians = [pd.Series(finite[:, column]).median() for column in range(12)]
    np.testing.assert_allclose(state.median, medians, rtol=1e-6)
    all_missing = np.full((2, 12), np.nan, dtype=np.float32)
    np.testing.assert_allclose(scale_phenotype(state, all_missing, names), [medians] * 2, rtol=1e-6)
    filled = np.where(np.isnan(finite), medians, finite)
    np.testing.assert_allclose(state.mean, filled.mean(axis=0), rtol=1e-6)


def test_what_is_dropped_is_listed():
    values, names = profiles_of()
    values[:, 1] = 5.0
    values[:, 4] = np.nan
    values[:, 6] = -3 * values[:, 2]
    state = fit_phenotype(values, names, PhenotypePreprocessingSettings(max_correlation=0.99))
    dropped = state.dropped.set_index("feature")["reason"]
    assert dropped["f01"] == "standard deviation below min_std"
    assert dropped["f04"] == "missing in every training row"
    # a tie: both are equally correlated with everything else, the first by name stays
    assert dropped["f06"] == "correlation 1.000 with f02"
    assert sorted([*dropped.index, *state.names]) == names


@hypothesis_settings(max_examples=25, deadline=None)
@given(st.permutations(range(12)), st.integers(0, 3))
def test_columns_are_found_by_name(order, n_extra):
    values, names = profiles_of()
    state = fit_phenotype(values, names, PhenotypePreprocessingSettings())
    wider = np.hstack([values[:, order], np.full((80, n_extra), np.nan, dtype=np.float32)])
    new_names = [names[position] for position in order] + [f"extra{number}" for number in range(n_extra)]
    np.testing.assert_array_equal(apply_phenotype(state, wider, new_names), apply_phenotype(state, values, names))


def test_selection_does_not_depend_on_the_order_of_columns():
    random = np.random.default_rng(4)
    base = random.normal(size=(60, 5))
    values = np.hstack([base, base + 0.1 * random.normal(size=(60, 5)), base]).astype(np.float32)
    names = [f"f{position:02d}" for position in range(15)]
    settings = PhenotypePreprocessingSettings(max_correlation=0.9)
    expected = set(fit_phenotype(values, names, settings).names)
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(15)
        state = fit_phenotype(values[:, order], [names[position] for position in order], settings)
        assert set(state.names) == expected


def test_missing_features_are_named():
    values, names = profiles_of()
    state = fit_phenotype(values, names, PLAIN)
    with pytest.raises(TableError, match=r"2 of 12 are missing: f00, f01"):
        apply_phenotype(state, values[:, 2:], names[2:])
    with pytest.raises(TableError, match=r"must be unique; repeated: f01"):
        apply_phenotype(state, values, ["f01", *names[1:]])
    with pytest.raises(TableError, match=r"matrix has 12 columns, but 11 names"):
        apply_phenotype(state, values, names[1:])


def test_a_feature_that_was_dropped_is_not_needed():
    values, names = profiles_of()
    values[:, 1] = 5.0
    state = fit_phenotype(values, names, PLAIN)
    kept = [position for position in range(12) if position != 1]
    np.testing.assert_array_equal(
        apply_phenotype(state, values[:, kept], [names[position] for position in kept]),
        apply_phenotype(state, values, names),
    )


def test_nothing_varies():
    values, names = profiles_of()
    with pytest.raises(TableError, match="none of the 12 phenotype features varies"):
        fit_phenotype(np.ones_like(values), names, PLAIN)
    with pytest.raises(TableError, match="needs at least 2 training profiles, found 1"):
        fit_phenotype(values[:1], names, PLAIN)
    with pytest.raises(TableError, match="clipping made every row the same"):
        fit_phenotype(np.abs(values) + 100, names, PLAIN.model_copy(update={"clip": 1.0}))


def test_fitting_again_gives_the_same_bytes_and_leaves_the_input():
    values, names = profiles_of()
    values[0, 0] = np.nan
    before = values.copy()
    settings = PhenotypePreprocessingSettings()
    assert_same_state(fit_phenotype(values, names, settings), fit_phenotype(values, names, settings))
    np.testing.assert_array_equal(values, before)
