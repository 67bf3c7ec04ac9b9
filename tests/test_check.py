import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dssl.errors import ConfigError
from tests.lab import FEATURES, Lab, few_controls, no_rows, no_smiles, other_identifiers, rename, set_cells, set_key


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DSSL_MIRROR", raising=False)
    return Lab(tmp_path)


def test_a_good_screen_has_no_error_and_its_numbers_are_counted(lab: Lab) -> None:
    result = lab.check()
    assert result.errors == []
    assert result.notes == []
    expected = {"plates": 2, "wells": 32, "controls": 20, "treated wells": 12, "compounds": 3}
    assert result.tables["screen"].iloc[0].to_dict() == expected
    assert result.tables["plates"].to_numpy().tolist() == [["P1", 16, 10], ["P2", 16, 10]]
    jobs = result.tables["jobs"].set_index("step")["jobs"]
    assert jobs["all"] == jobs.drop("all").sum()
    assert jobs["normalize_plate"] == 2
    hours = result.tables["jobs"].set_index("step")["CPU hours"]
    assert hours["all"] > 0.1
    assert [remark.split()[0] for remark in result.remarks] == ["hours", "run.device:"]


def test_mlflow_is_asked_for_before_anything_runs(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert lab.check().errors == []
    set_key("log_mlflow.enabled", True)(lab)
    (error,) = lab.check().errors
    assert "log_mlflow.enabled needs MLflow, which is not installed" in error


# what is broken, and what the message has to say: the file, the column or key, what was found, the remedy
BROKEN: dict[str, tuple[Callable[[Lab], None], list[str]]] = {
    "no molecule table": (
        set_key("molecules.table", "mols.csv"),
        ["mols.csv: there is no such file", "correct the path"],
    ),
    "no such glob": (set_key("plates.tables", ["Q*.csv"]), ["plates.tables: 'Q*.csv' matches no file"]),
    "no such plate": (set_key("plates.tables", ["Q1.csv"]), ["Q1.csv: there is no such file"]),
    "wrong SMILES column": (set_key("molecules.smiles", "SMILES"), ["molecules.csv: no column 'SMILES'", "'smiles'"]),
    "kept column": (set_key("molecules.keep", ["moa"]), ["molecules.csv: no column 'moa'"]),
    "no SMILES": (no_smiles, ["molecules.csv: no SMILES of column 'smiles'", "ethanol", "Correct molecules.smiles"]),
    "wrong column": (
        set_key("plates.columns.dose", "Dose"),
        ["P1.csv", "'Dose' (plates.columns.dose, nearest: 'dose')"],
    ),
    "renamed in one": (rename("well", "Well_ID"), ["P2.csv", "'well' (plates.columns.well, nearest: 'Well_ID')"]),
    "no feature": (set_key("plates.features", {"prefixes": ["Nuclei_"]}), ["'Nuclei_'", "Correct plates.features"]),
    "bad pattern": (set_key("plates.features", {"pattern": "("}), ["plates.features.pattern: '('", "correct it"]),
    "feature and well": (set_key("plates.columns.cell_count", FEATURES[0]), [FEATURES[0], "plates.columns.cell_count"]),
    "no control": (
        set_key("plates.control.values", ["DMSO2"]),
        ["no well is a control: column 'role'", "'DMSO2'", "dmso (10 wells)", "Correct plates.control"],
    ),
    "few controls": (
        few_controls,
        ["1 plate(s) have fewer than 8 control wells (normalize_plate.min_controls): P2", "fallback: all_wells"],
    ),
    "text dose": (set_cells("dose", "10 uM"), ["P2.csv", "'dose'", "10 uM", "plates.columns.dose_unit"]),
    "negative dose": (set_cells("dose", -1), ["P2.csv", "'dose' is negative", "-1 in row 13", "plates.columns.dose"]),
    "cell count": (set_cells("cells", "many"), ["P2.csv", "'cells'", "many", "plates.columns.cell_count: null"]),
    "well twice": (
        set_cells("well", "A15"),
        ["P2.csv: 1 wells occur more than once: P2:A15", "plates.columns.plate and .well", "plates.aggregate"],
    ),
    "empty plate": (
        set_cells("plate", None),
        ["P2.csv: column 'plate' (plates.columns.plate) is empty in 2 of 16 rows"],
    ),
    "no rows": (no_rows, ["P2.csv: the table has no rows; remove it from plates.tables"]),
    "no match": (
        other_identifiers,
        ["no compound of the wells (001, 002, 003) is in the molecule table (X1, X2, X3)", "molecules.compound_id"],
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_screen_is_explained(lab: Lab, name: str) -> None:
    change, parts = BROKEN[name]
    change(lab)
    errors = lab.check().errors
    messages = [message for message in errors if parts[0] in message]
    assert messages, f"no message says {parts[0]!r}: {errors}"
    for part in parts:
        assert part in messages[0]
    assert all(len(message.splitlines()) <= 3 for message in errors)


def test_jobs_are_not_counted_where_something_is_wrong(lab: Lab) -> None:
    no_smiles(lab)
    assert "jobs" not in lab.check().tables


def test_several_errors_are_reported_at_once(lab: Lab) -> None:
    no_smiles(lab)
    set_cells("dose", "high")(lab)
    assert len(lab.check().errors) >= 2


def test_plates_of_one_name_are_refused(lab: Lab) -> None:
    (lab.folder / "more").mkdir()
    (lab.folder / "more" / "P1.csv").write_text("x\n1\n")
    lab.config["plates"]["tables"] = ["P1.csv", "more/P1.csv"]
    assert re.search(r"occur more than once: P1\n.*rename the files", lab.check().errors[0])


def test_compounds_without_structure_are_counted_in_a_note(lab: Lab) -> None:
    lab.molecules.loc[0, "smiles"] = "not a molecule"
    lab.molecules = lab.molecules.drop(index=1)
    result = lab.check()
    assert result.errors == []
    assert result.notes == ["2 of 3 compounds have no readable structure and are left out (8 wells): '001', '002'"]
    counted = result.tables["molecules"].iloc[0]
    assert (counted["rows"], counted["missing SMILES"], counted["unreadable SMILES"]) == (2, 0, 1)


def test_few_controls_are_a_note_where_all_wells_stand_in(lab: Lab) -> None:
    few_controls(lab)
    lab.config["normalize_plate"] = {"fallback": "all_wells"}
    result = lab.check()
    assert result.errors == []
    assert "P2; they are normalised against all their wells" in result.notes[0]


def test_many_plates_are_summed_up(lab: Lab) -> None:
    lab.plates = {f"P{number}": Lab.plate(f"P{number}", number) for number in range(15)}
    lab.plates["P7"].loc[9, "role"] = "empty"
    result = lab.check()
    assert result.tables["plates"]["plate"].iloc[0] == "P7"
    assert len(result.tables["plates"]) == 12
    assert "15 plates, of which the 12 with the fewest controls are shown" in result.notes


FETCHED = {"files": {f"P{n}.csv": {"sha256": "0" * 64, "licence": "CC0"} for n in (1, 2)}}


def test_files_still_to_be_fetched_are_noted_and_not_looked_at(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.config["fetch_screen"] = FETCHED
    lab.config["plates"]["tables"] = ["P1.csv", "P2.csv"]
    result = lab.check()
    assert result.errors == []
    assert [note.split(":")[0] for note in result.notes] == [f"results/lab/fetch_screen/P{n}.csv" for n in (1, 2)]
    assert "screen" not in result.tables
    monkeypatch.setenv("DSSL_MIRROR", str(lab.folder))
    assert lab.check().tables["screen"]["wells"].iloc[0] == 32


def test_a_simulated_screen_is_planned_before_its_tables_exist(lab: Lab) -> None:
    lab.config = {"screen": "sim", "simulate_screen": {"n_plate_maps": 1}}
    result = lab.check()
    assert result.errors == []
    assert "simulate_screen will make it" in result.notes[0]
    assert result.tables["jobs"].set_index("step")["jobs"]["simulate_screen"] == 1


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("plates.columns.dosis", "dose", r"plates\.columns\.dosis: unknown key"),
        ("plates.control", None, r"plates\.control is missing; .* normalize_plate\.method: none"),
        (
            "plates.columns.dose_unit",
            "mg",
            r"plates\.columns\.dose_unit: unknown unit; write one of M, mM, uM.*found 'mg'",
        ),
        ("molecules.table", None, r"name the input: molecules\.table"),
        ("pair_and_split.split", "column", r"pair_and_split: fold_column belongs to split: column"),
        ("plates.plate_list", "list.csv", r"plates: give tables or plate_list, not both"),
    ],
)
def test_wrong_settings_are_refused_before_any_table_is_read(lab: Lab, path: str, value: object, expected: str) -> None:
    set_key(path, value)(lab)
    with pytest.raises(ConfigError, match=rf"lab\.yaml: 1 problem\(s\) in the settings\n  .*{expected}"):
        lab.check()
