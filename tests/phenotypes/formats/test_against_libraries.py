"""Readers against the programs whose formats they read: cmapPy and pycytominer."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dssl.phenotypes.formats.gct import open_gct, open_gctx
from dssl.phenotypes.formats.npz import open_npz
from dssl.phenotypes.formats.sqlite import open_sqlite
from dssl.settings.inputs import PlateTableSettings
from tests.phenotypes.formats import writers


@pytest.mark.parametrize(("write", "opened"), [(writers.gct, open_gct), (writers.gctx, open_gctx)])
def test_gct_and_gctx_as_cmappy_reads_them(write, opened, wells: pd.DataFrame, tmp_path: Path) -> None:
    parse = pytest.importorskip("cmapPy.pandasGEXpress.parse").parse
    path = write(wells, tmp_path).path
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        oracle = parse(str(path))
    source, features = opened(path), writers.features_of(wells)
    some = features[5:9][::-1]
    found = source.read(["cid", "Well", "Dose_uM"], some)
    np.testing.assert_array_equal(found[some].to_numpy(), oracle.data_df.loc[some].T.to_numpy())
    assert found["cid"].tolist() == oracle.col_metadata_df.index.tolist()
    assert found["Well"].tolist() == oracle.col_metadata_df["Well"].tolist()
    np.testing.assert_array_equal(found["Dose_uM"].astype(float), oracle.col_metadata_df["Dose_uM"])


def test_npz_as_pycytominer_reads_them(wells: pd.DataFrame, tmp_path: Path) -> None:
    load = pytest.importorskip("pycytominer.cyto_utils.load").load_npz_features
    folder = writers.deep_profiler(wells.head(3), tmp_path).path
    source = open_npz(folder)
    files = sorted(folder.rglob("*.npz"))
    oracle = pd.concat([load(str(file)) for file in files], ignore_index=True)
    features = [name for name in oracle.columns if name.startswith("DP_")]
    assert [name for name in source.columns if name.startswith("DP_")] == features
    found = source.read(["Metadata_Compound", "Metadata_Well", "Metadata_Site"], features)
    np.testing.assert_array_equal(found[features], oracle[features])
    assert found["Metadata_Compound"].astype(str).tolist() == oracle["Metadata_Compound"].astype(str).tolist()
    assert found["Metadata_Site"].tolist() == ["1", "1", "2"] * 3
    assert found["Metadata_Well"].tolist() == [file.parent.name for file in files for _ in range(len(load(str(file))))]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("statistic", ["median", "mean"])
def test_sqlite_as_pycytominer_aggregates_it(statistic: str, wells: pd.DataFrame, tmp_path: Path) -> None:
    cells = pytest.importorskip("pycytominer.cyto_utils.cells")
    written = writers.sqlite(wells.head(20), tmp_path)
    plates = PlateTableSettings.model_validate(
        writers.settings_for(written, "sqlite") | {"aggregate": {"statistic": statistic}}
    )
    strata = ["Metadata_Plate", "Metadata_Well"]
    oracle = cells.SingleCells(
        f"sqlite:///{written.path}",
        strata=strata,
        aggregation_operation=statistic,
    ).aggregate_profiles()
    oracle = oracle.set_index("Metadata_Well")
    features = writers.features_of(wells)
    found = open_sqlite(written.path, plates).read([*strata, "Metadata_Object_Count"], features)
    found = found.set_index("Metadata_Well").loc[oracle.index]
    np.testing.assert_allclose(found[features], oracle[features].astype(float), rtol=1e-6)
    assert (found["Metadata_Object_Count"] == oracle["Metadata_Object_Count"]).all()
