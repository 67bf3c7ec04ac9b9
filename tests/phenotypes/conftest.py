import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from dssl.phenotypes.features import parse_feature_names
from dssl.settings.inputs import PlateTableSettings

FEATURES = ["Cells_AreaShape_Area", "Cytoplasm_Intensity_MeanIntensity_ER", "Nuclei_Texture_SumAverage_DNA_5_0"]


@pytest.fixture
def table():
    """A user's table of one plate with a control in every second row."""
    rng = np.random.default_rng(0)
    n = 12
    return pd.DataFrame(
        {
            "Plate": ["P1"] * n,
            "Position": [f"A{column:02d}" for column in range(1, n + 1)],
            "Run": [1] * n,
            "Drug": [np.nan if row % 2 == 0 else f"D{row}" for row in range(n)],
            "Concentration": [np.nan if row % 2 == 0 else 10.0 * row for row in range(n)],
            "Role": ["DMSO" if row % 2 == 0 else "trt" for row in range(n)],
            "Cells": np.arange(100, 100 + n),
            "Target": ["" if row % 2 == 0 else f"T{row % 3}" for row in range(n)],
            **{feature: rng.normal(size=n) for feature in FEATURES},
        }
    )


@pytest.fixture
def make_settings():
    """Settings that fit `table`; keywords replace parts of them."""

    def make(features=None, control=None, **columns):
        named = {
            "compound_id": "Drug",
            "plate": "Plate",
            "well": "Position",
            "batch": "Run",
            "dose": "Concentration",
            "cell_count": "Cells",
            "keep": ["Target"],
        }
        return PlateTableSettings.model_validate(
            {
                "tables": ["plates.csv"],
                "columns": named | columns,
                "control": {"column": "Role", "values": ["DMSO"]} if control is None else control,
                "features": features or {"prefixes": ["Cells_", "Cytoplasm_", "Nuclei_"]},
            }
        )

    return make


@pytest.fixture
def make_wells():
    """Wells of one plate as AnnData, the first `n_controls` of them controls; not yet normalised."""

    def make(values, plate="P1", n_controls=None, features=None, **columns):
        values = np.asarray(values, dtype=np.float32)
        n, d = values.shape
        controls = np.arange(n) < (n if n_controls is None else n_controls)
        wells = [f"W{row}" for row in range(n)]
        obs = pd.DataFrame(
            {
                "plate": plate,
                "well": wells,
                "batch": "1",
                "compound_id": np.where(controls, "", "D1"),
                "dose_um": np.where(controls, np.nan, 1.0),
                "is_control": controls,
                **columns,
            },
            index=pd.Index([f"{plate}:{well}" for well in wells], dtype=object),
        )
        names = [f"Cells_Texture_Gabor_DNA_{column}" for column in range(d)] if features is None else features
        return AnnData(X=values, obs=obs, var=parse_feature_names(names))

    return make


@pytest.fixture
def flagged(make_wells):
    """Wells as `make_wells` gives them, with quality flags (all False)."""

    def make(values, **keywords):
        adata = make_wells(values, **keywords)
        for flag in ("qc_missing", "qc_dead", "qc_outlier"):
            adata.obs[flag] = False
        return adata

    return make


@pytest.fixture(scope="session")
def cell_injury():
    """The nine whole plates of the cell-injury screen."""
    folder = os.environ.get("DSSL_SCREENS")
    if not folder:
        pytest.skip("the variable DSSL_SCREENS names no folder with public screens")
    path = Path(folder) / "cell-injury" / "fs_plate_holdout.csv.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return path
