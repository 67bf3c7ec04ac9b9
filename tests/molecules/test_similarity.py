import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from rdkit import DataStructs
from rdkit.ML.Cluster import Butina

from dssl.errors import ConfigError
from dssl.molecules import similarity
from dssl.molecules.similarity import butina_clusters, first_fingerprint, nearest_similarity


def bits(seed: int, n: int = 60, width: int = 24) -> np.ndarray:
    """Families of similar fingerprints."""
    random = np.random.default_rng(seed)
    families = random.random((8, width)) < 0.4
    noise = random.random((n, width)) < 0.08
    return (families[random.integers(0, 8, n)] ^ noise).astype(np.int64)


def rdkit_vectors(matrix: np.ndarray) -> list[DataStructs.ExplicitBitVect]:
    vectors = []
    for row in matrix:
        vector = DataStructs.ExplicitBitVect(len(row))
        vector.SetBitsFromList(np.flatnonzero(row).tolist())
        vectors.append(vector)
    return vectors


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("distance", [0.2, 0.45, 0.7])
def test_clusters_are_those_of_rdkit(seed, distance, monkeypatch):
    monkeypatch.setattr(similarity, "_CELLS", 7 * 60)  # several blocks
    matrix = bits(seed)
    vectors = rdkit_vectors(matrix)
    condensed = [
        1 - one
        for row in range(1, len(vectors))
        for one in DataStructs.BulkTanimotoSimilarity(vectors[row], vectors[:row])
    ]
    expected = Butina.ClusterData(condensed, len(vectors), distance, isDistData=True)
    found = butina_clusters(sp.csr_matrix(matrix), distance)
    assert {frozenset(np.flatnonzero(found == number).tolist()) for number in set(found)} == set(
        map(frozenset, expected)
    )


def test_nearest_similarity_is_rdkits():
    queries, library = bits(1, 9), bits(2, 30)
    expected = [max(DataStructs.BulkTanimotoSimilarity(one, rdkit_vectors(library))) for one in rdkit_vectors(queries)]
    np.testing.assert_allclose(nearest_similarity(sp.csr_matrix(queries), sp.csr_matrix(library)), expected)


def test_the_first_fingerprint_is_taken_and_descriptors_are_none():
    features = sp.csr_matrix(np.arange(12.0).reshape(2, 6))
    var = pd.DataFrame({"featurizer": ["rdkit_descriptors", "maccs", "maccs", "morgan_count", "maccs", "morgan_count"]})
    np.testing.assert_array_equal(first_fingerprint(features, var).toarray(), [[1, 2, 4], [7, 8, 10]])
    with pytest.raises(ConfigError, match="needs a fingerprint; .* has only rdkit_descriptors"):
        first_fingerprint(features[:, :1], var[:1])
