import numpy as np
import pandas as pd
import pytest
from scipy.stats import f_oneway

from dssl.errors import TableError
from dssl.preprocessing.phenotype import fit_phenotype
from dssl.preprocessing.reproducibility import intraclass_correlation, replicate_groups, replicate_std
from dssl.settings.preparation import PhenotypePreprocessingSettings


def replicates(correlations, n_treatments=400, n_wells=3, seed=0):
    """Features whose replicates correlate as planted."""
    rng = np.random.default_rng(seed)
    share = np.sqrt(correlations)
    effects = rng.normal(size=(n_treatments, 1, len(share)))
    values = share * effects + np.sqrt(1 - share**2) * rng.normal(size=(n_treatments, n_wells, len(share)))
    treatments = np.repeat([f"t{number}" for number in range(n_treatments)], n_wells)
    return values.reshape(-1, len(share)), treatments


def test_planted_correlations_are_found():
    planted = np.array([0.0, 0.3, 0.6, 0.9])
    values, treatments = replicates(planted)
    found = intraclass_correlation(values * [1, 10, 0.1, 5] + 3, replicate_groups(treatments))
    np.testing.assert_allclose(found, planted, atol=0.06)


def test_it_is_the_analysis_of_variance_of_unequal_groups():
    rng = np.random.default_rng(1)
    sizes = [2, 5, 3, 4]
    groups = [rng.normal(number, 1, size=size) for number, size in enumerate(sizes)]
    values = np.concatenate(groups)[:, None]
    treatments = np.repeat(list("abcd"), sizes)
    order = rng.permutation(len(values))
    f = f_oneway(*groups).statistic
    typical = (sum(sizes) - sum(size**2 for size in sizes) / sum(sizes)) / 3
    expected = (f - 1) / (f + typical - 1)
    found = intraclass_correlation(values[order], replicate_groups(treatments[order]))
    np.testing.assert_allclose(found, expected)


def test_spread_between_replicates_is_pycytominers():
    from pycytominer.operations import noise_removal

    rng = np.random.default_rng(2)
    values = rng.normal(size=(30, 6)) * [0.2, 0.5, 0.8, 1, 1.5, 2]
    treatments = np.repeat(list("abcdefghij"), 3)
    ours = replicate_std(values, replicate_groups(treatments))
    names = [f"Cells_f{column}" for column in range(6)]
    theirs = noise_removal(
        pd.DataFrame(values, columns=names).assign(Metadata_t=treatments),
        noise_removal_perturb_groups="Metadata_t",
        features=names,
        noise_removal_stdev_cutoff=0.7,
    )
    assert [name for name, std in zip(names, ours, strict=True) if std > 0.7] == theirs
    assert 0 < len(theirs) < 6


def test_wells_without_a_replicate_are_left_out():
    groups = replicate_groups(["a", "b", "a", "c", "c"])
    assert groups.tolist() == [0, -1, 0, 1, 1]
    values = np.array([[1.0], [99], [1], [5], [5]])
    np.testing.assert_allclose(intraclass_correlation(values, groups), 1)
    np.testing.assert_allclose(replicate_std(values, groups), 0)
    with pytest.raises(TableError, match="none of 3 treatments .* has two training wells"):
        replicate_groups(["a", "b", "c"])


def test_features_that_replicates_do_not_agree_in_are_dropped_with_the_reason():
    values, treatments = replicates(np.array([0.02, 0.5, 0.9]), n_treatments=100)
    obs = pd.DataFrame({"treatment": treatments})
    settings = PhenotypePreprocessingSettings(min_replicate_correlation=0.3, max_correlation=None)
    state = fit_phenotype(values, ["low", "middle", "high"], settings, obs)
    assert state.names == ("middle", "high")
    assert state.dropped["feature"].tolist() == ["low"]
    assert state.dropped["reason"].str.fullmatch(r"correlation -?0\.\d{3} between replicates").all()
    with pytest.raises(TableError, match="replicate wells agree in none of the 3 features"):
        fit_phenotype(values, ["low", "middle", "high"], PhenotypePreprocessingSettings(max_replicate_std=1e-3), obs)
    with pytest.raises(TableError, match="needs the treatment of every profile"):
        fit_phenotype(values, ["low", "middle", "high"], settings)
