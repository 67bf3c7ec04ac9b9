from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import sparse


def _features(n: int, seed: int = 0) -> tuple[sparse.csr_matrix, pd.DataFrame]:
    """Two sparse count fingerprints (30 and 20 columns) and five descriptors, their columns interleaved."""
    random = np.random.default_rng(seed)
    counts = random.poisson(0.4, (n, 50))
    counts[:, :2] = 1 + random.poisson(1, (n, 2))  # no molecule is empty
    descriptors = random.normal(size=(n, 5)) * [1, 10, 100, 0.1, 1] + [0, 5, 300, 0, -2]
    names = [f"morgan_count:{bit}" for bit in range(30)] + [f"atom_pair_count:{bit}" for bit in range(20)]
    names += [f"rdkit_descriptors:d{number}" for number in range(5)]
    order = np.random.default_rng(9).permutation(55)
    values = np.hstack([counts, descriptors]).astype(np.float32)[:, order]
    index = pd.Index([names[position] for position in order])
    var = pd.DataFrame({"featurizer": [name.split(":")[0] for name in index]}, index=index)
    return sparse.csr_matrix(values), var


@pytest.fixture
def make_features() -> Callable[..., tuple[sparse.csr_matrix, pd.DataFrame]]:
    return _features
