"""The molecule table: every input id ends in exactly one place, whatever the order and the number of processes."""

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dssl.errors import TableError
from dssl.molecules import parallel
from dssl.molecules.standardize import StandardizedMolecules, read_molecule_table, standardize_molecules
from dssl.settings.inputs import MoleculeTableSettings
from dssl.settings.preparation import StandardizeMoleculesSettings

SETTINGS = StandardizeMoleculesSettings()
ROWS = [
    ("A", "CC(=O)Oc1ccccc1C(=O)O", "aspirin", "COX", 1.0),
    ("A", "CC(=O)Oc1ccccc1C(=O)O", "aspirin", "COX", 1.0),
    ("B", "CC(=O)Oc1ccccc1C(=O)[O-].[Na+]", "aspirin sodium", "platelets", 2.0),
    ("C", "Cn1c(=O)c2c(ncn2C)n(C)c1=O", None, "adenosine", None),
    ("D", "", "nothing", None, 3.0),
    ("E", "C1CC", "broken", "x", None),
    ("F", "CCO", "two structures", "y", 1.0),
    ("F", "CCN", "two structures", "y", 1.0),
    ("G", "CCO", "ethanol", None, None),
    ("G", None, "ethanol", "solvent", 7.0),
    (None, "CCCC", "no id", "z", 1.0),
    ("L", "C[C@H](N)C(=O)O", "L-alanine", "w", 1.0),
    ("M", "C[C@@H](N)C(=O)O", "D-alanine", "w", 2.0),
]
FRAME = pd.DataFrame(ROWS, columns=["input_id", "smiles", "name", "mechanism", "potency"])


def column(result: pd.DataFrame, key: str, value: str) -> dict[str, object]:
    return dict(zip(result[key], result[value], strict=True))


def test_every_id_is_accepted_or_rejected_with_a_reason() -> None:
    result = standardize_molecules(FRAME, SETTINGS)
    assert column(result.aliases, "input_id", "compound_id") == {
        "A": "A", "B": "A", "C": "C", "G": "G", "L": "L", "M": "M",
    }  # fmt: skip
    reasons = column(result.rejected, "input_id", "reason")
    assert set(reasons) == {"", "D", "E", "F"}
    assert reasons["D"] == "no SMILES"
    assert reasons[""] == "no identifier"
    assert "cannot be parsed" in str(reasons["E"])
    assert "CCO" in str(reasons["F"])
    assert "CCN" in str(reasons["F"])
    assert result.merged.to_dict("records") == [{"input_id": "B", "compound_id": "A", "reason": "same inchikey"}]


def test_compound_rows_and_combined_metadata() -> None:
    molecules = standardize_molecules(FRAME, SETTINGS).molecules.set_index("compound_id")
    assert list(molecules.columns) == [
        "name", "smiles", "inchikey", "skeleton", "scaffold", "n_inputs", "mechanism", "potency",
    ]  # fmt: skip
    assert molecules["n_inputs"].to_dict() == {"A": 2, "C": 1, "G": 1, "L": 1, "M": 1}
    assert molecules.loc["A", ["name", "mechanism", "potency"]].tolist() == ["aspirin", "COX|platelets", 1.0]
    assert molecules.loc["C", "name"] == "C"
    assert molecules.loc["G", ["mechanism", "potency"]].tolist() == ["solvent", 7.0]
    assert pd.isna(molecules.loc["C", "potency"])


def test_merging_by_skeleton_ignores_stereochemistry() -> None:
    result = standardize_molecules(FRAME, SETTINGS.model_copy(update={"merge_by": "skeleton"}))
    assert column(result.aliases, "input_id", "compound_id")["M"] == "L"
    assert "same skeleton" in set(result.merged["reason"])


@given(st.permutations(range(len(FRAME))))
@settings(max_examples=25, deadline=None)
def test_row_order_changes_only_which_id_names_a_compound(order: list[int]) -> None:
    plain, shuffled = (standardize_molecules(frame, SETTINGS) for frame in (FRAME, FRAME.iloc[order]))
    assert set(plain.rejected["input_id"]) == set(shuffled.rejected["input_id"])
    key = ["inchikey", "skeleton", "scaffold", "n_inputs", "smiles"]
    assert _sorted(plain.molecules, key).equals(_sorted(shuffled.molecules, key))
    ids = [row for row in FRAME.iloc[order]["input_id"] if row in ("A", "B")]
    assert column(shuffled.aliases, "input_id", "compound_id")["B"] == ids[0]


def _sorted(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    return frame[columns].sort_values("inchikey").reset_index(drop=True)


def test_same_result_for_any_number_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "CHUNK", 4)
    one, two = (standardize_molecules(FRAME, SETTINGS, n_jobs=n_jobs) for n_jobs in (1, 2))
    for table in StandardizedMolecules.__dataclass_fields__:
        pd.testing.assert_frame_equal(getattr(one, table), getattr(two, table))


def test_each_distinct_smiles_is_processed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def watch(function: Any, items: list[str], n_jobs: int, label: str) -> Any:
        seen.extend(items)
        return parallel.map_in_chunks(function, items, n_jobs, label)

    monkeypatch.setattr("dssl.molecules.standardize.map_in_chunks", watch)
    standardize_molecules(pd.concat([FRAME] * 5), SETTINGS)
    assert sorted(seen) == sorted(set(FRAME["smiles"].dropna()) - {""})


def test_numeric_ids_become_text() -> None:
    frame = pd.DataFrame({"input_id": [7, 8], "smiles": ["CCO", "OCC"], "name": ["a", "b"]})
    result = standardize_molecules(frame, SETTINGS)
    assert column(result.aliases, "input_id", "compound_id") == {"7": "7", "8": "7"}


def test_wrong_tables_are_refused() -> None:
    with pytest.raises(TableError, match=r"no smiles[\s\S]*molecules\.smiles"):
        standardize_molecules(FRAME.drop(columns="smiles"), SETTINGS)
    with pytest.raises(TableError, match=r"molecules\.keep: inchikey"):
        standardize_molecules(FRAME.assign(inchikey="x"), SETTINGS)
    with pytest.raises(TableError, match=r"no molecule survives of 1 id"):
        standardize_molecules(FRAME[FRAME["input_id"] == "E"], SETTINGS)


def test_the_users_columns_are_renamed_and_kept_ones_follow() -> None:
    frame = pd.DataFrame({"id": ["a"], "structure": ["CCO"], "target": ["t"], "unused": [1]})
    columns = MoleculeTableSettings(compound_id="id", smiles="structure", keep=["target", "structure"])
    table = read_molecule_table(frame, columns, "t.csv")
    assert table.to_dict("records") == [
        {"input_id": "a", "smiles": "CCO", "name": "a", "target": "t", "structure": "CCO"}
    ]


def test_a_kept_column_may_be_the_one_that_is_named_already() -> None:
    frame = pd.DataFrame({"compound_id": ["a"], "smiles": ["CCO"], "name": ["ethanol"]})
    table = read_molecule_table(frame, MoleculeTableSettings(name="name", keep=["name"]), "t.csv")
    assert list(table.columns) == ["input_id", "smiles", "name"]
    with pytest.raises(TableError, match=r"t\.csv: molecules\.keep: name: .*\n.*molecules\.name"):
        read_molecule_table(frame, MoleculeTableSettings(keep=["name"]), "t.csv")


def test_absent_columns_are_named() -> None:
    with pytest.raises(TableError, match=r"t\.csv: no column smiles, moa; it has compound_id"):
        read_molecule_table(pd.DataFrame({"compound_id": ["a"]}), MoleculeTableSettings(keep=["moa"]), "t.csv")
