"""Profiles of a second assay: means over its wells, joined by skeleton, everything else listed."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from dssl.errors import PairingError
from dssl.pairs.second_assay import second_profiles

MOLECULES = pd.DataFrame({"compound_id": ["a", "b", "c", "d"], "skeleton": ["AAA", "AAA", "CCC", "DDD"], "smiles": "C"})
MEASURED = pd.DataFrame({"compound_id": ["x", "y", "z"], "skeleton": ["AAA", "CCC", "ZZZ"]})
ALIASES = pd.DataFrame({"input_id": ["x", "x2", "y", "z"], "compound_id": ["x", "x", "y", "z"]})


@pytest.fixture
def wells() -> AnnData:
    """Three wells of AAA (one of them flagged), one of CCC, one control, one unknown id, one compound nobody else has."""
    obs = pd.DataFrame(
        {
            "plate": "P",
            "well": [f"A{row}" for row in range(8)],
            "compound_id": ["x", "x2", "x", "y", "x", "who", "z", ""],
            "is_control": [False] * 4 + [True] + [False] * 3,
            "qc_missing": [False, False, True] + [False] * 5,
            "qc_dead": False,
        },
        index=[f"P:A{row}" for row in range(8)],
    )
    values = np.arange(16, dtype=np.float32).reshape(8, 2)
    values[1, 1] = np.nan
    values[3, 1] = np.nan
    return AnnData(values, obs=obs, var=pd.DataFrame({"channel": ["", ""]}, index=["g1", "g2"]))


def test_means_over_the_wells_of_a_skeleton(wells: AnnData) -> None:
    found = second_profiles(wells, ALIASES, MEASURED, MOLECULES)
    assert found.features.obs_names.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(found.features.X, [[1, 1], [1, 1], [6, np.nan]])
    assert found.features.obs["n_second_wells"].tolist() == [2, 2, 1]
    assert found.features.var["featurizer"].tolist() == ["second_assay"] * 2
    assert found.without.to_dict("records") == [{"compound_id": "d", "reason": "no profile in the second assay"}]


def test_every_well_is_used_or_listed_with_its_reason(wells: AnnData) -> None:
    listed = second_profiles(wells, ALIASES, MEASURED, MOLECULES).excluded_wells
    assert dict(zip(listed["well"], listed["reason"], strict=True)) == {
        "A2": "qc_missing",
        "A4": "control",
        "A5": "its compound has no structure",
        "A6": "its compound is not in the first assay",
        "A7": "its compound has no structure",
    }


def test_assays_without_a_common_compound_are_refused(wells: AnnData) -> None:
    with pytest.raises(PairingError, match=r"(?s)no compound of the first assay has a profile in the second.*ZZZ"):
        second_profiles(wells, ALIASES, MEASURED.assign(skeleton="ZZZ"), MOLECULES)
