from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse


def _molecules(n: int) -> pd.DataFrame:
    """Compounds c00, c01, ...: each skeleton twice (c00, c01), each scaffold four times, the last four acyclic."""
    ids = [f"c{number:02d}" for number in range(n)]
    return pd.DataFrame(
        {
            "name": ids,
            "skeleton": [f"SKELETON{number // 2}" for number in range(n)],
            "scaffold": ["" if number >= n - 4 else f"ring{number // 4}" for number in range(n)],
        },
        index=pd.Index(ids, name="compound_id"),
    )


def _features(molecules: pd.DataFrame) -> AnnData:
    random = np.random.default_rng(1)
    counts = sparse.csr_matrix(random.integers(0, 3, (len(molecules), 6)).astype(np.float32))
    names = [f"morgan_count:{bit}" for bit in range(6)]
    return AnnData(counts, obs=molecules, var=pd.DataFrame({"featurizer": "morgan_count"}, index=names))


def _profiles(ids: list[str | None]) -> AnnData:
    """One well per id, on two plates; None is a control."""
    n = len(ids)
    plates = [f"P{position % 2}" for position in range(n)]
    wells = [f"A{position:02d}" for position in range(n)]
    obs = pd.DataFrame(
        {
            "plate": plates,
            "well": wells,
            "batch": "b1",
            "compound_id": ["" if one is None else one for one in ids],
            "dose_um": [np.nan if one is None else 10.0 for one in ids],
            "is_control": [one is None for one in ids],
            "qc_missing": False,
            "qc_dead": False,
            "qc_outlier": False,
        },
        index=[f"{plate}:{well}" for plate, well in zip(plates, wells, strict=True)],
    )
    values = np.random.default_rng(0).normal(size=(n, 3)).astype(np.float32)
    return AnnData(values, obs=obs, var=pd.DataFrame({"channel": ["DNA", "DNA", ""]}, index=["f1", "f2", "f3"]))


@pytest.fixture
def make_molecules() -> Callable[[int], pd.DataFrame]:
    return _molecules


@pytest.fixture
def make_features() -> Callable[[pd.DataFrame], AnnData]:
    return _features


@pytest.fixture
def make_profiles() -> Callable[[list[str | None]], AnnData]:
    return _profiles


@pytest.fixture
def molecules() -> pd.DataFrame:
    return _molecules(24)


@pytest.fixture
def features(molecules) -> AnnData:
    return _features(molecules)


@pytest.fixture
def profiles(molecules) -> AnnData:
    """Two wells per compound and four controls."""
    return _profiles([*molecules.index, *molecules.index, None, None, None, None])


@pytest.fixture
def aliases(molecules) -> pd.DataFrame:
    return pd.DataFrame({"input_id": molecules.index, "compound_id": molecules.index}).reset_index(drop=True)
