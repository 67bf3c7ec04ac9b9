import hashlib

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from mudata import MuData

from dssl.errors import IntegrityError, TableError
from dssl.pairs.folds import add_folds
from dssl.pairs.pairing import pair
from dssl.pairs.storage import read_pairs, write_pairs
from dssl.settings.preparation import PairAndSplitSettings

SETTINGS = PairAndSplitSettings(n_folds=2)


def awkward(profiles: AnnData) -> AnnData:
    """Kept columns as users have them: missing text, nothing at all, mixed types, flags, categories left over."""
    n = profiles.n_obs
    profiles.obs["moa"] = pd.Series(["a", None] * (n // 2), index=profiles.obs_names, dtype=object)
    profiles.obs["nothing"] = pd.Series([None] * n, index=profiles.obs_names, dtype=object)
    profiles.obs["mixed"] = pd.Series([1, "x"] * (n // 2), index=profiles.obs_names, dtype=object)
    profiles.obs["number"] = pd.Categorical(np.arange(n) % 3)
    profiles.obs["note"] = pd.Categorical(["treated"] * 48 + ["control"] * (n - 48))
    profiles.obs["text"] = pd.Series(["u", "v"] * (n // 2), index=profiles.obs_names, dtype="string")
    return profiles


def test_file_gives_back_the_same_and_the_same_bytes(profiles, features, aliases, tmp_path):
    digests = []
    for name in ("one.h5mu", "two.h5mu"):
        pairs = add_folds(pair(awkward(profiles.copy()), features.copy(), aliases, SETTINGS), SETTINGS)
        expected = {key: pairs.mdata[key].copy() for key in ("phenotype", "molecule")}
        write_pairs(tmp_path / name, pairs.mdata)
        digests.append(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert digests[0] == digests[1]
    back = read_pairs(tmp_path / "one.h5mu")
    for key, modality in expected.items():
        pd.testing.assert_frame_equal(back[key].obs, modality.obs)
        pd.testing.assert_frame_equal(back[key].var, modality.var)
        left, right = (part.X.toarray() if key == "molecule" else part.X for part in (back[key], modality))
        np.testing.assert_array_equal(left, right)
        assert right.dtype == np.float32
    assert back["phenotype"].obs["note"].cat.categories.tolist() == ["treated"]
    assert back["phenotype"].obs["moa"].isna().sum() == 24
    assert list(back.obs.columns) == []


def test_file_without_both_modalities(profiles, tmp_path):
    write_pairs(tmp_path / "half.h5mu", MuData({"phenotype": profiles}))
    with pytest.raises(TableError, match="expected the modalities phenotype and molecule, found phenotype"):
        read_pairs(tmp_path / "half.h5mu")
    with pytest.raises(TableError, match="no such file; pair_and_split writes it"):
        read_pairs(tmp_path / "none.h5mu")
    (tmp_path / "cut.h5mu").write_bytes((tmp_path / "half.h5mu").read_bytes()[:-3000])
    with pytest.raises(IntegrityError, match=r"cut\.h5mu: cannot be read .*\n.*Remove it and start the workflow again"):
        read_pairs(tmp_path / "cut.h5mu")
