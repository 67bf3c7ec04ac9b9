"""Nearest molecules by structure: Tanimoto similarity of Morgan fingerprints (radius 2, 2,048 bits; ECFP4)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, DataStructs, rdBase
from rdkit.Chem import rdFingerprintGenerator

RADIUS, N_BITS = 2, 2048


def structural_fingerprints(smiles: Sequence[str]) -> list[Any]:
    """Morgan bit fingerprints of standardised SMILES: always these, whatever features the model takes."""
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=N_BITS)
    with rdBase.BlockLogs():
        return [generator.GetFingerprint(Chem.MolFromSmiles(text)) for text in smiles]


def nearest_by_structure(
    queries: Sequence[Any], items: list[Any], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The k items with the highest Tanimoto similarity to each query; ties in the order of the items.

    Parameters
    ----------
    queries, items : fingerprints (`structural_fingerprints`)
    k : int
        Neighbours; fewer where there are fewer items.

    Returns
    -------
    ndarray, ndarray, shape (queries, k)
        Places among the items, and similarities, best first.
    """
    k = min(k, len(items))
    places = np.empty((len(queries), k), dtype=np.int64)
    similarities = np.empty((len(queries), k))
    for row, query in enumerate(queries):
        found = np.asarray(DataStructs.BulkTanimotoSimilarity(query, items))
        places[row] = np.argsort(-found, kind="stable")[:k]
        similarities[row] = found[places[row]]
    return places, similarities
