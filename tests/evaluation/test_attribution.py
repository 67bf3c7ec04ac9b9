"""Shares of variance against planted shares, and their sum."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from dssl.errors import PairingError
from dssl.evaluation.attribution import (
    PARTS,
    attribute_features,
    groupings,
    parts,
    summarize_attribution,
)

r2 = st.floats(-0.5, 1)


@given(r2, r2, r2)
def test_parts_are_shares(shared, specific, together):
    found = parts(np.array([shared]), np.array([specific]), np.array([together]))
    assert sum(found.values())[0] == pytest.approx(1)
    assert all(part[0] >= -1e-12 for part in found.values())
    # each code's own R^2 is never overstated, but for the halved excess
    assert found["neither"][0] == pytest.approx(1 - max(shared, specific, together, 0))


def test_parts_of_known_figures():
    def of(*figures):
        return [part[0] for part in parts(*(np.array([figure]) for figure in figures)).values()]

    assert of(0.5, 0.3, 0.6) == pytest.approx([0.3, 0.1, 0.2, 0.4])
    assert of(0.5, -0.1, 0.4) == pytest.approx([0.5, 0.0, 0.0, 0.5])
    assert of(0.1, 0.2, 0.7) == pytest.approx([0.3, 0.4, 0.0, 0.3])


def planted(n=300):
    """Features of known origin: shared, specific, half of each, one factor that both codes carry, noise, constant."""
    rng = np.random.default_rng(0)
    own, other, common = rng.normal(size=(3, n))
    rotation = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    shared = (np.column_stack([own, common, rng.normal(size=(n, 6))]) @ rotation).astype(np.float32)
    specific = (np.column_stack([other, common, rng.normal(size=(n, 6))]) @ rotation.T).astype(np.float32)
    noise = rng.normal(size=(n, 5))
    features = np.column_stack(
        [own, other, (own + other) / np.sqrt(2), common, noise[:, 0], np.ones(n), (own + noise[:, 1]) / np.sqrt(2)]
    )
    return features, shared, specific, np.arange(n).astype(str)


def test_every_feature_is_attributed_to_what_was_planted():
    found = attribute_features(*planted(), np.random.default_rng(1))
    expected = [[1, 0, 0, 0], [0, 1, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0.5, 0, 0, 0.5]]
    varying = [0, 1, 2, 3, 4, 6]
    np.testing.assert_allclose(found.loc[varying, list(PARTS)], expected, atol=0.08)
    assert found.loc[5].isna().all()
    assert found.loc[varying, [name for name in found if name.startswith("chance")]].to_numpy().max() < 0.02


def test_replicates_of_a_compound_are_not_on_both_sides():
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(40), 3)
    # wells of a compound are alike in both; across compounds there is nothing to learn
    features, codes = (rng.normal(size=(40, width))[groups] for width in (3, 30))
    found = attribute_features(features, codes, codes, groups, rng, n_permutations=0)
    assert found["neither"].min() > 0.9


def test_r2_is_that_of_a_ridge_regression_on_the_code():
    features, shared, specific, groups = planted()
    found = attribute_features(features, shared, specific, groups, np.random.default_rng(3), n_permutations=0)
    held = np.arange(300) % 5 == 0
    model = Ridge(alpha=1).fit(shared[~held], features[~held, 6])
    assert found.loc[6, "r2_shared"] == pytest.approx(r2_score(features[held, 6], model.predict(shared[held])), abs=0.1)


def test_too_few_compounds_are_refused():
    with pytest.raises(PairingError, match="5 or more compounds; found 8 rows"):
        attribute_features(np.ones((8, 2)), np.ones((8, 2)), np.ones((8, 2)), np.repeat([0, 1], 4), None)


def test_features_are_grouped_by_every_column_of_names():
    var = pd.DataFrame(
        {
            "compartment": ["Cells", "Cells", "Nuclei", "Nuclei"],
            "channel": ["ER", "", "ER", "DNA"],
            "measurement": ["Texture"] * 4,
            "description": list("abcd"),
            "pathway": ["up", "up", "down", None],
            "entrez": [1, 2, 3, 4],
        }
    )
    found = groupings(var, 3)
    assert list(found) == ["pathway"]
    assert found["pathway"].isna().tolist() == [False, False, False, True]
    joined = groupings(var, 4)["compartment x channel"].tolist()
    assert joined == ["Cells, ER", "Cells, no channel", "Nuclei, ER", "Nuclei, DNA"]


def test_groups_are_averaged_in_each_fold():
    features, shared, specific, groups = planted()
    table = attribute_features(features, shared, specific, groups, np.random.default_rng(4), n_permutations=1)
    table = table.assign(feature=[f"f{k}" for k in range(7)], fold="0", pathway=["a", "b", "a", "b", "b", "b", None])
    found = summarize_attribution(table).set_index(["grouping", "group"])
    assert found.loc[("pathway", "b"), "n_features"] == 3
    assert found.loc[("pathway", "b"), "n_left_out"] == 1
    assert found.loc[("pathway", "b"), "specific"] == pytest.approx(table.loc[[1, 3, 4], "specific"].mean())
    assert found.loc[("all", "all features"), "n_features"] == 6
    np.testing.assert_allclose(found[list(PARTS)].sum(axis=1), 1)
