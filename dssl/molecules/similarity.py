"""Which molecules are similar: nearest ones, and Butina clusters. Arrays in, arrays out."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from dssl import keys
from dssl.errors import ConfigError, first_few
from dssl.molecules.kernels import tanimoto_count_kernel

DESCRIPTORS = "rdkit_descriptors"
_CELLS = 4_000_000  # similarities held at a time


def first_fingerprint(features: sp.csr_matrix, var: pd.DataFrame) -> sp.csr_matrix:
    """Columns of the first fingerprint among the molecular features: what similarity is measured on.

    Raises
    ------
    ConfigError
        If the features are descriptors only.
    """
    featurizers = var[keys.FEATURIZER].astype(str).to_numpy()
    fingerprints = [name for name in dict.fromkeys(featurizers) if name != DESCRIPTORS]
    if not fingerprints:
        raise ConfigError(
            "similarity of molecules needs a fingerprint; featurize_molecules.featurizers has only "
            f"{first_few(dict.fromkeys(featurizers))}\nAdd morgan_count, or choose another pair_and_split.split."
        )
    return sp.csr_matrix(features)[:, np.flatnonzero(featurizers == fingerprints[0])]


def nearest_similarity(queries: sp.csr_matrix, library: sp.csr_matrix) -> npt.NDArray[np.float64]:
    """Tanimoto similarity (n,) of each query (n, d) with the most similar molecule of the library (m, d), m > 0."""
    return np.concatenate([block.max(axis=1) for block in _blocks(queries, library)] or [np.empty(0)])


def butina_clusters(fingerprints: sp.csr_matrix, distance: float) -> npt.NDArray[np.int64]:
    """Clusters of similar molecules (Butina, J. Chem. Inf. Comput. Sci. 1999, 39, 747).

    The molecule with the most neighbours within the cut-off makes a cluster with them; of the others the one that had
    most neighbours to begin with is next, and so on. The same as RDKit's `Butina.ClusterData`, which needs all n^2 / 2
    distances at once, where this keeps neighbours only.

    Parameters
    ----------
    fingerprints : csr_matrix, (n, d)
        Counts or bits.
    distance : float
        Largest Tanimoto distance, 1 - similarity, between a cluster's centre and its members.

    Returns
    -------
    ndarray of int, (n,)
        Number of each molecule's cluster, 0 being the first.
    """
    neighbours: list[npt.NDArray[np.intp]] = []
    for block in _blocks(fingerprints, fingerprints):
        neighbours += [np.flatnonzero(line) for line in 1 - block <= distance]
    cluster = np.full(len(neighbours), -1, dtype=np.int64)
    found = 0
    for centre in sorted(range(len(neighbours)), key=lambda one: (len(neighbours[one]), one), reverse=True):
        if cluster[centre] < 0:
            members = neighbours[centre]
            cluster[members[cluster[members] < 0]] = found
            found += 1
    return cluster


def _blocks(a: sp.csr_matrix, b: sp.csr_matrix) -> Iterator[npt.NDArray[np.float64]]:
    """Similarities of some rows of `a` at a time with all of `b`."""
    step = max(1, _CELLS // max(1, b.shape[0]))
    for start in range(0, a.shape[0], step):
        yield tanimoto_count_kernel(a[start : start + step], b)
