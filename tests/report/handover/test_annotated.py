from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from dssl.report.handover.annotated import plain

MISSING = [np.nan, None, pd.NA]


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("dtype", [object, "string"])
def test_a_column_in_which_all_is_missing_is_written_and_read(tmp_path: Path, missing: object, dtype: str) -> None:
    column = pd.Series([missing, missing], index=["a", "b"], dtype=dtype)
    found = plain(column, is_free_text=False)
    anndata.AnnData(np.zeros((2, 1)), obs=pd.DataFrame({"doses": found})).write_h5ad(tmp_path / "a.h5ad")
    assert anndata.read_h5ad(tmp_path / "a.h5ad").obs["doses"].isna().tolist() == [True, True]


@pytest.mark.parametrize("missing", MISSING)
def test_missing_text_is_a_missing_category_or_empty_free_text(missing: object) -> None:
    column = pd.Series(["x", missing], dtype=object)
    assert plain(column, is_free_text=False).tolist()[0] == "x"
    assert plain(column, is_free_text=False).isna().tolist() == [False, True]
    assert plain(column, is_free_text=True).tolist() == ["x", ""]


def test_yes_no_and_not_known_are_categories() -> None:
    column = pd.Series([True, pd.NA, False], dtype="boolean")
    found = plain(column, is_free_text=False)
    assert isinstance(found.dtype, pd.CategoricalDtype)
    assert len(set(found)) == 3
    assert not found.isna().any()
