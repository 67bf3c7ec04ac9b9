import numpy as np
from rdkit import DataStructs

from dssl.molecules.neighbors import nearest_by_structure, structural_fingerprints

SMILES = ["CCO", "CCCO", "c1ccccc1", "Cc1ccccc1", "CC(=O)Oc1ccccc1C(=O)O", "CCO"]


def test_neighbours_are_those_of_a_full_sort_of_tanimoto_similarities() -> None:
    items = structural_fingerprints(SMILES)
    places, similarities = nearest_by_structure(items, items, 4)
    for row, query in enumerate(items):
        scores = [DataStructs.TanimotoSimilarity(query, item) for item in items]
        order = sorted(range(len(items)), key=lambda place: (-scores[place], place))[:4]
        assert places[row].tolist() == order
        np.testing.assert_allclose(similarities[row], [scores[place] for place in order])
    assert places[5].tolist()[:2] == [0, 5]


def test_no_more_neighbours_than_items() -> None:
    items = structural_fingerprints(SMILES[:2])
    assert nearest_by_structure(items, items, 5)[0].shape == (2, 2)
