import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from dssl.errors import ConfigError, TableError
from dssl.keys import SECOND_ASSAY
from dssl.molecules.kernels import tanimoto_count_kernel
from dssl.steps.neighbors import annotation_columns
from dssl.steps.strata import activity_of, original_ids, replicate_correlation, structure_counts


def test_correlation_of_replicates_is_the_mean_over_pairs() -> None:
    rng = np.random.default_rng(0)
    profiles, group = rng.normal(size=(9, 20)).astype(np.float32), np.array([0, 1, 0, 2, 0, 1, 4, 0, 4])
    profiles[8] = 3.0  # constant: correlates with nothing
    found = replicate_correlation(profiles, group, 5)
    for number in (0, 1):
        rows = np.flatnonzero(group == number)
        pairs = [np.corrcoef(profiles[a], profiles[b])[0, 1] for a in rows for b in rows if a < b]
        assert found[number] == pytest.approx(np.mean(pairs), abs=1e-6)
    assert np.isnan(found[[2, 3]]).all()
    assert found[4] == pytest.approx(0, abs=1e-9)


def test_activity_is_read_and_nothing_is_guessed() -> None:
    table = pd.DataFrame({"compound_id": ["a", "b", "c", "d", "e"], "active": ["True", "false", "1", None, "0"]})
    assert activity_of(table).to_dict() == {"a": True, "b": False, "c": True, "e": False}
    typed = activity_of(table.assign(active=[True, False, True, None, False]))
    assert typed.tolist() == [True, False, True, False]
    with pytest.raises(TableError, match=r"no column 'active'; it has compound_id, call"):
        activity_of(table.rename(columns={"active": "call"}))
    with pytest.raises(TableError, match=r"active must be true or false; 1 values are not, first 'maybe': b"):
        activity_of(table.assign(active=["1", "maybe", "0", "0", "1"]))


def test_names_of_a_fold_lead_back_to_the_compounds() -> None:
    obs = pd.DataFrame({"original_id": ["a", "b", "a"]}, index=["a", "b", "a (test)"])
    assert original_ids(obs, pd.Index(["a (test)", "b"])) == ["a", "b"]
    assert original_ids(obs[[]], pd.Index(["b", "a"])) == ["b", "a"]


def test_text_columns_are_asked_about_unless_they_are_named() -> None:
    obs = pd.DataFrame(
        {"compound_id": ["x"], "smiles": ["C"], "moa": ["m"], "phase": pd.Categorical(["1"]), "weight": [1.0]}
    )
    assert annotation_columns(obs, None) == ["moa", "phase"]
    assert annotation_columns(obs, ["phase"]) == ["phase"]
    assert annotation_columns(obs, []) == []
    with pytest.raises(ConfigError, match=r"neighbor_columns: the molecules have no column 'targets'; they have"):
        annotation_columns(obs, ["moa", "targets"])


def test_similarity_of_structures_is_that_of_smiles_where_the_features_are_of_a_second_assay() -> None:
    smiles = ["CCO", "CCN", "c1ccccc1O"]
    obs = pd.DataFrame({"smiles": smiles}, index=["a", "b", "c"])
    values = np.array([[-1.0, 2.0], [0.5, -3.0], [1.0, 1.0]], np.float32)
    var = pd.DataFrame({"featurizer": SECOND_ASSAY}, index=["x", "y"])
    counts = structure_counts(AnnData(values, var=var), obs)
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    expected = [generator.GetCountFingerprint(Chem.MolFromSmiles(one)) for one in smiles]
    similarity = tanimoto_count_kernel(counts, counts)
    for row, one in enumerate(expected):
        np.testing.assert_allclose(similarity[row], DataStructs.BulkTanimotoSimilarity(one, expected))
    own = AnnData(
        np.array([[1.0, 0.0]], np.float32), var=pd.DataFrame({"featurizer": ["morgan_count", "other"]}, ["x", "y"])
    )
    assert structure_counts(own, obs.iloc[:1]).toarray().tolist() == [[1.0]]
