import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from dssl.errors import ConfigError
from dssl.pairs.replicates import modz_weights, pool_replicates


def wells(treatments, **columns):
    n = len(treatments)
    obs = {"compound_id": [name[0] for name in treatments], "treatment": treatments, "plate": "P", "batch": "1"}
    return pd.DataFrame(obs | columns, index=[f"P:{row}" for row in range(n)])


def replicates(n=12, p=30, seed=0):
    rng = np.random.default_rng(seed)
    treatments = [f"{'abc'[row % 3]}@1uM" for row in range(n)]
    means = rng.normal(size=(3, p))
    values = np.stack([means[row % 3] + rng.normal(size=p) * rng.uniform(0.3, 3) for row in range(n)])
    return values.astype(np.float32), wells(treatments)


def test_modz_is_pycytominers_up_to_its_rounding():
    from pycytominer import consensus

    values, obs = replicates()
    features = [f"Cells_f{column}" for column in range(values.shape[1])]
    frame = pd.DataFrame(values, columns=features).assign(Metadata_t=obs["treatment"].to_numpy())
    theirs = consensus(frame, ["Metadata_t"], operation="modz", features=features).set_index("Metadata_t")
    pooled, ours = pool_replicates(values, obs, "modz", [])
    assert ours.index.tolist() == ["pooled:a@1uM", "pooled:b@1uM", "pooled:c@1uM"]
    assert ours["n_wells"].tolist() == [4, 4, 4]
    np.testing.assert_allclose(pooled, theirs.loc[ours["treatment"], features], atol=1e-3)
    assert not np.allclose(pooled, pool_replicates(values, obs, "mean", [])[0], atol=1e-2)


def test_a_replicate_that_disagrees_counts_least():
    rng = np.random.default_rng(1)
    common = rng.normal(size=50)
    profiles = np.stack([common + rng.normal(size=50) / 4, common + rng.normal(size=50) / 4, -common])
    weights = modz_weights(profiles)
    agreement = spearmanr(profiles[0], profiles[1]).statistic / 2  # with the third: negative, so 0
    np.testing.assert_allclose(weights, np.array([agreement, agreement, 0.01]) / (2 * agreement + 0.01))
    np.testing.assert_array_equal(modz_weights(profiles[:1]), [1.0])
    np.testing.assert_allclose(modz_weights(profiles[:2]), [0.5, 0.5])


def test_means_are_over_the_values_that_are_there():
    values = np.array([[1, np.nan], [3, np.nan], [np.nan, 4]], dtype=np.float32)
    pooled, _ = pool_replicates(values, wells(["a", "a", "b"]), "mean", [])
    np.testing.assert_array_equal(pooled, [[2, np.nan], [np.nan, 4]])


def test_wells_that_differ_in_a_named_column_stay_apart():
    values, obs = (
        np.arange(8, dtype=np.float32).reshape(4, 2),
        wells(["a", "a", "a", "b"], time=["24", "48", "24", "24"]),
    )
    pooled, described = pool_replicates(values, obs, "mean", ["time"])
    assert described.index.tolist() == ["pooled:a|24", "pooled:a|48", "pooled:b|24"]
    np.testing.assert_array_equal(pooled, [[2, 3], [2, 3], [6, 7]])
    with pytest.raises(ConfigError, match="pair_and_split.pool_by: the wells have no column hour"):
        pool_replicates(values, obs, "mean", ["hour"])


def test_without_pooling_nothing_changes():
    values, obs = replicates()
    same, described = pool_replicates(values, obs, "none", [])
    assert same is values
    assert described is obs
