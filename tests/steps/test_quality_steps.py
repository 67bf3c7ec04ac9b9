"""Activity and the comparison of preprocessing, from files to files."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from dssl.errors import ConfigError
from dssl.io import read_table
from dssl.pairs.storage import as_mudata, write_pairs
from dssl.settings.inputs import PlateTableSettings
from dssl.settings.preparation import (
    AssembleProfilesSettings,
    FitPreprocessingSettings,
    NormalizePlateSettings,
    PairAndSplitSettings,
)
from dssl.settings.quality import CallActivitySettings, ComparePreprocessingSettings, ListFilesSettings
from dssl.steps.lists import list_plates
from dssl.steps.phenotypes import assemble_profiles, normalize_plate
from dssl.steps.quality import call_activity, compare_preprocessing

COLUMNS = PlateTableSettings.model_validate(
    {
        "tables": ["P0.csv"],
        "columns": {"compound_id": "id", "plate": "plate", "well": "well", "batch": "batch"},
        "control": {"column": "role", "values": ["dmso"]},
        "features": {"prefixes": ["f"]},
    }
)
CHOICES: dict[str, dict[str, Any]] = {
    "mean": {"normalize_plate": {"method": "mean_std"}},
    "combat": {"assemble_profiles": {"combat": True}},
    "position": {"assemble_profiles": {"position": "well"}},
    "harmony": {"phenotype": {"harmony": {}}},
    "reproducible": {"phenotype": {"min_replicate_correlation": 0.1}},
}
N_COMPOUNDS, N_CONTROLS, N_FEATURES = 30, 18, 12


def raw_tables(spoil: bool) -> list[pd.DataFrame]:
    """Four plates in two batches; `spoil` makes every well of the test compounds absurd."""
    rng = np.random.default_rng(0)
    effects = 2 * rng.normal(size=(N_COMPOUNDS, N_FEATURES))
    tables = []
    for number in range(4):
        offset = rng.normal(size=N_FEATURES)
        values = np.vstack([np.zeros((N_CONTROLS, N_FEATURES)), effects]) + rng.normal(size=(48, N_FEATURES)) + offset
        ids = ["x"] * N_CONTROLS + [f"alias {compound}" for compound in range(N_COMPOUNDS)]
        if spoil:
            values[[is_test(name) for name in ids]] = 1e4
        frame = pd.DataFrame(values, columns=[f"f{feature}" for feature in range(N_FEATURES)])
        described = {"id": ids, "plate": f"P{number}", "batch": f"b{number % 2}"}
        described |= {"well": [f"{'ABCD'[well // 12]}{well % 12 + 1:02d}" for well in range(48)]}
        tables.append(frame.assign(**described, role=["dmso"] * N_CONTROLS + ["trt"] * N_COMPOUNDS))
    return tables


def is_test(name: str) -> bool:
    return name.startswith("alias") and int(name.split()[1]) % 5 == 0


def prepared(folder: Path, spoil: bool) -> dict[str, Path]:
    folder.mkdir()
    files: dict[str, list[Path]] = {"tables": [], "profiles": [], "quality": []}
    for frame in raw_tables(spoil):
        name = frame["plate"].iloc[0]
        table, profiles, quality = (folder / f"{name}{ending}" for ending in (".csv", ".h5ad", ".quality.tsv"))
        frame.to_csv(table, index=False)
        normalize_plate(
            settings=NormalizePlateSettings(),
            plates=COLUMNS,
            table=table,
            plate_list=None,
            metadata=None,
            profiles=profiles,
            quality=quality,
        )
        for kind, path in (("tables", table), ("profiles", profiles), ("quality", quality)):
            files[kind].append(path)
    list_plates(settings=ListFilesSettings(), plates=folder / "plates.tsv", **files)
    assemble_profiles(
        settings=AssembleProfilesSettings(),
        plates=[folder / "plates.tsv"],
        annotation=None,
        profiles=folder / "profiles.h5ad",
        dropped_features=folder / "dropped.tsv",
        state=folder / "state.safetensors",
    )
    ids = [f"c{compound}" for compound in range(N_COMPOUNDS)]
    aliases = pd.DataFrame({"input_id": [f"alias {compound}" for compound in range(N_COMPOUNDS)], "compound_id": ids})
    aliases.to_csv(folder / "aliases.tsv", sep="\t", index=False)
    roles = ["test" if is_test(name) else "train" for name in aliases["input_id"]]
    described = {"group": ids, "fold_0": roles, "moa": [f"m{compound % 3}" for compound in range(N_COMPOUNDS)]}
    molecules = AnnData(np.zeros((N_COMPOUNDS, 1), dtype=np.float32), obs=pd.DataFrame(described, index=ids))
    wells = AnnData(np.zeros((1, 1), dtype=np.float32), obs=pd.DataFrame({"compound_id": ["c0"]}, index=["P0:x"]))
    write_pairs(folder / "pairs.h5mu", as_mudata(wells, molecules))
    return {"plates": folder / "plates.tsv"} | {
        name: folder / file
        for name, file in (("profiles", "profiles.h5ad"), ("pairs", "pairs.h5mu"), ("aliases", "aliases.tsv"))
    }


def compared(folder: Path, files: dict[str, Path], **settings: Any) -> pd.DataFrame:
    compare_preprocessing(
        settings=ComparePreprocessingSettings.model_validate(
            {"choices": CHOICES, "mechanism": "moa", "n_bootstrap": 100} | settings
        ),
        normalize=NormalizePlateSettings(),
        assemble=AssembleProfilesSettings(),
        split=PairAndSplitSettings(),
        fit=FitPreprocessingSettings(),
        columns=COLUMNS,
        plate_list=None,
        metadata=None,
        plates=[files["plates"]],
        profiles=files["profiles"],
        pairs=files["pairs"],
        aliases=files["aliases"],
        comparison=folder / "comparison.tsv",
        figure=folder / "comparison.svg",
    )
    return read_table(folder / "comparison.tsv")


def test_test_compounds_change_nothing_that_is_compared(tmp_path: Path) -> None:
    clean = compared(tmp_path / "clean", prepared(tmp_path / "clean", spoil=False))
    spoilt = compared(tmp_path / "spoilt", prepared(tmp_path / "spoilt", spoil=True))
    pd.testing.assert_frame_equal(clean, spoilt)
    assert set(clean["choice"]) == {"as configured", *CHOICES}
    assert clean["value"].notna().all()
    assert (clean["n_compounds"] == 24).all()  # 6 of 30 are test compounds
    assert b"<svg" in (tmp_path / "clean" / "comparison.svg").read_bytes()


def test_an_unknown_mechanism_is_named(tmp_path: Path) -> None:
    files = prepared(tmp_path / "x", spoil=False)
    with pytest.raises(
        ConfigError, match=r"compare_preprocessing.mechanism: .* no column 'MOA'; they have group, fold_0, moa"
    ):
        compared(tmp_path / "x", files, mechanism="MOA")


def test_activity_is_listed_by_the_standardised_compound(tmp_path: Path) -> None:
    files = prepared(tmp_path / "x", spoil=False)
    call_activity(
        settings=CallActivitySettings(null_size=200),
        profiles=files["profiles"],
        aliases=files["aliases"],
        activity=tmp_path / "activity.tsv",
    )
    table = read_table(tmp_path / "activity.tsv")
    assert table["compound_id"].tolist() == [f"c{compound}" for compound in range(N_COMPOUNDS)]
    assert (table["n_wells"] == 4).all()
    assert (table["n_controls"] == N_CONTROLS).all()
    assert table["active"].mean() > 0.8
    assert table["chance"].between(0.1, 0.5).all()
