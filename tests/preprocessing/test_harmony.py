import numpy as np
import pandas as pd
import pytest

from dssl.errors import TableError
from dssl.preprocessing.harmony import apply_harmony, batch_offsets, fit_harmony
from dssl.preprocessing.phenotype import apply_phenotype, fit_phenotype
from dssl.settings.preparation import HarmonySettings, PhenotypePreprocessingSettings

SETTINGS = HarmonySettings(n_clusters=6)


def batches_apart(n=400, k=8, seed=0):
    """Five kinds of wells in three batches, each with an offset of its own in every kind."""
    rng = np.random.default_rng(seed)
    kinds, batches = rng.integers(0, 5, n), rng.integers(0, 3, n)
    offsets = 1.5 * rng.normal(size=(3, 1, k)) + 0.4 * rng.normal(size=(3, 5, k))
    values = 3 * rng.normal(size=(5, k))[kinds] + offsets[batches, kinds] + 0.6 * rng.normal(size=(n, k))
    return values, np.array([f"b{batch}" for batch in batches], dtype=object), kinds


def explained_by(labels, values):
    """Share of the variance that the labels explain."""
    means = pd.DataFrame(values).groupby(labels).transform("mean").to_numpy()
    return float(means.var(axis=0).sum() / values.var(axis=0).sum())


def test_offsets_are_those_of_harmonypys_last_correction():
    import harmonypy

    values, batches, _ = batches_apart()
    fitted = harmonypy.run_harmony(
        values, pd.DataFrame({"batch": batches}), "batch", lamb=1.0, nclust=6, verbose=False, ncores=1
    )
    numbers = np.unique(batches, return_inverse=True)[1]
    offsets = batch_offsets(values, numbers, fitted.R, 1.0)
    np.testing.assert_allclose(
        values - np.einsum("nc,cnk->nk", fitted.R, offsets[:, numbers]), fitted.Z_corr, atol=1e-5
    )
    # and the projection that new wells get gives the fitted wells what Harmony gave them
    ours = apply_harmony(fit_harmony(values, batches, SETTINGS), values, batches)
    assert np.abs(ours - fitted.Z_corr).mean() < 0.02 * np.abs(values - fitted.Z_corr).mean()


def test_new_wells_lose_their_batch_and_keep_their_kind():
    values, batches, kinds = batches_apart()
    state = fit_harmony(values[:300], batches[:300], SETTINGS)
    new = apply_harmony(state, values[300:], batches[300:])
    assert explained_by(batches[300:], new) < 0.3 * explained_by(batches[300:], values[300:])
    assert explained_by(kinds[300:], new) > explained_by(kinds[300:], values[300:])


def test_a_well_does_not_depend_on_the_others():
    values, batches, _ = batches_apart()
    state = fit_harmony(values, batches, SETTINGS)
    np.testing.assert_allclose(
        apply_harmony(state, values[:3], batches[:3]), apply_harmony(state, values, batches)[:3], atol=1e-8
    )


def test_one_batch_and_new_batches_are_refused():
    values, batches, _ = batches_apart()
    with pytest.raises(TableError, match="aligns batches, but the training wells have one only: b0\n.*harmony: null"):
        fit_harmony(values, np.full(len(values), "b0", dtype=object), SETTINGS)
    state = fit_harmony(values, batches, SETTINGS)
    with pytest.raises(TableError, match=r"fitted on the batches b0, b1, b2; 1 new one\(s\): b7"):
        apply_harmony(state, values[:1], np.array(["b7"], dtype=object))


def test_the_phenotype_is_aligned_with_what_training_wells_taught():
    values, batches, _ = batches_apart(k=12)
    names = [f"f{number}" for number in range(12)]
    obs = pd.DataFrame({"batch": batches})
    settings = PhenotypePreprocessingSettings(harmony=SETTINGS, max_correlation=None)
    state = fit_phenotype(values[:300], names, settings, obs[:300])
    plain = fit_phenotype(values[:300], names, settings.model_copy(update={"harmony": None}))
    aligned = apply_phenotype(state, values, names, obs)
    assert explained_by(batches[300:], aligned[300:]) < 0.5 * explained_by(
        batches[300:], apply_phenotype(plain, values, names)[300:]
    )
    with pytest.raises(TableError, match="needs the batch of every profile"):
        apply_phenotype(state, values, names)


def test_an_outlier_among_the_test_wells_changes_nothing_that_is_fitted():
    values, batches, kinds = batches_apart(k=12)
    names = [f"f{number}" for number in range(12)]
    obs = pd.DataFrame({"batch": batches, "treatment": [f"t{kind}" for kind in kinds]})
    settings = PhenotypePreprocessingSettings(harmony=SETTINGS, min_replicate_correlation=0.1, max_replicate_std=50.0)
    train = np.arange(300)
    before = fit_phenotype(values[train], names, settings, obs.iloc[train])
    others = apply_phenotype(before, values, names, obs)
    values[350] = 1e6
    after = fit_phenotype(values[train], names, settings, obs.iloc[train])
    for name in ("centroids", "offsets"):
        np.testing.assert_array_equal(getattr(before.harmony, name), getattr(after.harmony, name))
    assert before.names == after.names
    changed = apply_phenotype(after, values, names, obs)
    np.testing.assert_allclose(np.delete(changed, 350, axis=0), np.delete(others, 350, axis=0), atol=1e-6)
