from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from dssl.check import check_screen
from dssl.errors import TableError
from dssl.new_screen import describe_screen
from dssl.settings.preparation import SimulateScreenSettings
from dssl.settings.screen import ScreenSettings, load_screen
from dssl.simulate.screen import simulate_screen
from tests.phenotypes.formats.writers import WRITERS


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(*tables: str, name: str = "mine") -> dict[str, Any]:
    content = yaml.safe_load(describe_screen([Path(table) for table in tables], name))
    assert isinstance(content, dict)
    return content


def loaded(*tables: str) -> ScreenSettings:
    Path("mine.yaml").write_text(describe_screen([Path(table) for table in tables], "mine"))
    return load_screen(Path("mine.yaml"))


def save_simulated(rename: dict[str, str] | None = None) -> list[str]:
    screen = simulate_screen(SimulateScreenSettings(n_compounds=40, n_plate_maps=1, n_features=60, doses_um=[10.0]))
    screen.molecules.to_csv("molecules.tsv", sep="\t", index=False)
    for plate, frame in screen.plates.items():
        frame.rename(columns=rename or {}).to_csv(f"{plate}.csv.gz", index=False)
    return [*(f"{plate}.csv.gz" for plate in screen.plates), "molecules.tsv"]


def test_the_yaml_of_a_cellprofiler_table_loads_and_passes_check() -> None:
    screen = loaded(*save_simulated())
    result = check_screen(screen)
    assert result.errors == []
    assert result.tables["screen"]["plates"].iloc[0] == 2
    named = screen.plates.columns
    found = [named.compound_id, named.plate, named.well, named.batch, named.dose, named.cell_count]
    assert found == ["Compound", "Plate", "Well", "Batch", "Dose_uM", "Cell_Count"]
    assert screen.plates.features.prefixes == ["Cells_", "Cytoplasm_", "Nuclei_"]
    assert screen.molecules.table == "molecules.tsv"
    assert screen.plates.control is not None
    assert screen.plates.control.values == ["control"]


def test_columns_of_the_pycytominer_kind_are_recognised() -> None:
    names = {
        "Plate": "Metadata_Plate",
        "Well": "Metadata_Well",
        "Batch": "Metadata_Batch",
        "Compound": "Metadata_broad_sample",
        "Dose_uM": "Metadata_mmoles_per_liter",
        "Role": "Metadata_control_type",
        "Cell_Count": "Metadata_Count_Cells",
    }
    screen = loaded(*save_simulated(names))
    assert check_screen(screen).errors == []
    named = screen.plates.columns
    assert (named.plate, named.well, named.batch) == ("Metadata_Plate", "Metadata_Well", "Metadata_Batch")
    assert (named.compound_id, named.cell_count) == ("Metadata_broad_sample", "Metadata_Count_Cells")


def table_with_structures(path: str, features: list[str]) -> None:
    wells = [f"A{number:02d}" for number in range(1, 13)]
    frame = pd.DataFrame({"Plate": "P1", "Well": wells, "Compound InChIKey": [f"K{n % 3}" for n in range(12)]})
    frame["Compound SMILES"] = ["CCO", "CCN", "CCC"] * 4
    frame["Control Type"] = ["Negative"] * 8 + [None] * 4
    frame["Concentration (nM)"] = 10.5
    values = np.random.default_rng(0).normal(size=(12, len(features)))
    pd.concat([frame, pd.DataFrame(values, columns=features)], axis=1).to_csv(path, index=False)


def test_a_plate_table_may_hold_the_structures_itself() -> None:
    table_with_structures("P1.csv", ["Nuclei_A", "Nuclei_B"])
    screen = loaded("P1.csv")
    assert check_screen(screen).errors == []
    assert screen.molecules.table == "P1.csv"
    assert (screen.molecules.compound_id, screen.molecules.smiles) == ("Compound InChIKey", "Compound SMILES")
    assert screen.plates.columns.dose == "Concentration (nM)"
    assert screen.plates.columns.dose_unit == "nM"
    assert screen.plates.control is not None
    assert screen.plates.control.values == ["Negative"]


def test_features_without_cellprofiler_names_are_ten_or_more_columns_of_numbers() -> None:
    table_with_structures("P1.csv", [f"f {number}" for number in range(10)])
    assert loaded("P1.csv").plates.features.names == [f"f {number}" for number in range(10)]


def test_gene_identifiers_become_a_pattern() -> None:
    table_with_structures("P1.csv", [str(number) for number in range(100, 112)])
    assert loaded("P1.csv").plates.features.pattern == "[0-9]+"


def test_every_guess_is_marked_and_check_is_named() -> None:
    save_simulated()
    lines = describe_screen([Path("map01_rep1.csv.gz"), Path("molecules.tsv")], "mine").splitlines()
    for key in ("plate:", "well:", "batch:", "dose:", "cell_count:", "prefixes:", "smiles:"):
        assert [line for line in lines if line.strip().startswith(key) and "# guess" in line], key
    assert "dssl check" in lines[1]


def test_what_cannot_be_guessed_has_to_be_filled_in_before_check_passes() -> None:
    table_with_structures("P1.csv", ["Nuclei_A"])
    frame = pd.read_csv("P1.csv").drop(columns=["Control Type", "Compound SMILES"])
    frame.to_csv("P1.csv", index=False)
    content = written("P1.csv")
    assert content["molecules"] == {"table": "TABLE", "compound_id": "COLUMN", "smiles": "COLUMN"}
    assert content["plates"]["control"] == {"column": "COLUMN", "values": ["VALUE"]}
    errors = check_screen(loaded("P1.csv")).errors
    assert [error for error in errors if "'COLUMN' (plates.control.column" in error]
    assert [error for error in errors if error.startswith("TABLE: ")]


@pytest.mark.parametrize("awkward", ['Plate "A", first', "Plate: one # two", "Plate\\x", "{Plate}", "Plate'"])
def test_awkward_column_names_survive_yaml(awkward: str) -> None:
    table_with_structures("P1.csv", ["Nuclei_A"])
    frame = pd.read_csv("P1.csv").rename(columns={"Concentration (nM)": f"dose {awkward}"})
    frame.to_csv("P1.csv", index=False)
    assert loaded("P1.csv").plates.columns.dose == f"dose {awkward}"


def test_values_and_names_that_yaml_would_take_for_something_else_stay_text() -> None:
    table_with_structures("007.csv", ["Nuclei_A"])
    content = written("007.csv", name="1e5")
    assert content["screen"] == "1e5"
    assert content["plates"]["tables"] == ["007.csv"]


def test_tables_without_features() -> None:
    Path("a.csv").write_text("Plate,Well\nP1,A01\n")
    with pytest.raises(TableError, match=r"none of a\.csv has feature columns .*\nName the tables of wells"):
        describe_screen([Path("a.csv")], "mine")


def test_a_table_that_is_not_there() -> None:
    with pytest.raises(TableError, match=r"a\.csv: there is no such file"):
        describe_screen([Path("a.csv")], "mine")


@pytest.mark.parametrize("format_name", ["gct", "gctx", "h5ad", "cells_parquet", "deep_profiler"])
def test_other_formats_are_looked_at_too(format_name: str, folder: Path) -> None:
    plate = simulate_screen(SimulateScreenSettings(n_compounds=20, n_plate_maps=1, n_features=60)).plates["map01_rep1"]
    features = [name for name in plate if name.startswith(("Cells_", "Cytoplasm_", "Nuclei_"))]
    WRITERS[format_name](plate.fillna(dict.fromkeys(features, 0.0)).assign(Cell_Count=3), folder)
    path = next(each for each in folder.iterdir())
    content = written(str(path))
    assert content["plates"]["columns"]["well"].endswith("Well")
    assert content["plates"]["features"]["prefixes"] in (["DP_"], ["Cells_", "Cytoplasm_", "Nuclei_"])
    assert ("aggregate" in content["plates"]) == (format_name in ("cells_parquet", "deep_profiler"))
    assert content["plates"]["control"]["values"] == ["control"]
