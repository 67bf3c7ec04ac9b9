"""The same screen in every format gives the same AnnData."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from dssl.phenotypes.read import describe_wells, read_plate_table
from dssl.phenotypes.wells import read_wells, with_counted_cells
from dssl.settings.inputs import PlateTableSettings
from tests.phenotypes.formats.writers import WRITERS, Written, features_of, settings_for


def read(written: Written, name: str) -> AnnData:
    plates = with_counted_cells(PlateTableSettings.model_validate(settings_for(written, name)))
    frame = read_wells(written.path, plates, metadata=written.metadata)
    adata = read_plate_table(frame, plates, str(written.path))
    described = read_wells(written.path, plates, metadata=written.metadata, features=False)
    pd.testing.assert_frame_equal(describe_wells(described, plates, str(written.path)), adata.obs)
    return adata[adata.obs["well"].sort_values(kind="stable").index].copy()


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_wells(name: str, wells: pd.DataFrame, tmp_path: Path) -> None:
    found = read(WRITERS[name](wells, tmp_path), name)
    expected = wells.sort_values("Well", kind="stable")
    assert found.obs["well"].tolist() == expected["Well"].tolist()
    assert found.n_vars == len(features_of(wells))
    # an SQLite file keeps compartments apart; embeddings have names of their own
    order = list(found.var_names) if name == "sqlite" else features_of(wells)
    np.testing.assert_array_equal(found.X, expected[order].to_numpy(np.float32))
    assert found.obs["compound_id"].tolist() == expected["Compound"].fillna("").tolist()
    np.testing.assert_array_equal(found.obs["dose_um"], expected["Dose_uM"])
    assert found.obs["is_control"].tolist() == (expected["Role"] == "control").tolist()
    assert set(found.obs["cell_count"]) == {3.0}
    assert set(found.obs["batch"]) == set(wells["Batch"])
    assert set(found.obs["plate"]) == {"P"}
