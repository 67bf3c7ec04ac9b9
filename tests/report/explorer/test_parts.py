import re
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem

from dssl import keys
from dssl.report.explorer.columns import column
from dssl.report.explorer.counterfactuals import MISSING, counterfactuals
from dssl.report.explorer.depictions import DOUBLE, DOUBLE_LEFT, DOUBLE_RIGHT, HASH, WEDGE, depict
from dssl.report.explorer.profiles import grouped_profiles
from dssl.report.explorer.substructures import classes, ring_name, ring_systems
from dssl.report.handover.formulas import RISKY
from dssl.training.counterfactuals import STRUCTURE, TRANSFER
from tests.explored import SMILES, explored
from tests.predicted import comparison_rows, group_rows, summary_rows


def test_a_column_of_text_becomes_codes_by_frequency_and_missing_is_zero() -> None:
    found = column(pd.Series(["b", "a", None, "b", "=cmd()"], name="mechanism"))
    assert found["values"] == ["b", "=cmd()", "a"]
    assert list(found["data"]) == [1, 3, 0, 1, 2]
    said = column(pd.Series([True, None, False], dtype="boolean", name=keys.ACTIVE))
    assert [["", *said["values"]][code] for code in said["data"]] == ["yes", "", "no"]


def test_a_column_of_numbers_keeps_missing_ones_and_says_the_unit() -> None:
    found = column(pd.Series([1.5, np.nan], name=keys.CELL_COUNT))
    assert found["kind"] == "number"
    assert "cells" in found["unit"]
    np.testing.assert_array_equal(found["data"], np.array([1.5, np.nan], dtype=np.float32))


def test_structures_have_the_atoms_and_bonds_of_their_molecules_and_equal_bond_lengths() -> None:
    found = depict([*SMILES, None, "no structure"])
    assert np.diff(found["atoms"])[-2:].tolist() == [0, 0]
    for i, smiles in enumerate(SMILES):
        molecule = Chem.MolFromSmiles(smiles)
        first, last = found["atoms"][i], found["atoms"][i + 1]
        bonds = slice(found["bonds"][i], found["bonds"][i + 1])
        assert last - first == molecule.GetNumAtoms()
        assert bonds.stop - bonds.start == molecule.GetNumBonds()
        points = np.column_stack([found[axis][first:last] for axis in "xy"]).astype(float)
        ends = points[found["begin"][bonds]], points[found["end"][bonds]]
        assert np.linalg.norm(ends[0] - ends[1], axis=1) == pytest.approx(1.5 / found["unit"], rel=0.12)


def test_hetero_atoms_are_labelled_with_hydrogens_and_charges_and_stereo_bonds_are_wedged() -> None:
    found = depict(["C[C@H](N)C(=O)[O-]", "c1ccccc1", "C"])
    labels = [
        [found["labels"][code] for code in found["label"][a:b]]
        for a, b in zip(found["atoms"], found["atoms"][1:], strict=False)
    ]
    assert sorted(filter(None, labels[0])) == ["NH2", "O", "O−"]
    assert labels[1] == [""] * 6
    assert labels[2] == ["CH4"]
    kinds = [list(found["kind"][a:b]) for a, b in zip(found["bonds"], found["bonds"][1:], strict=False)]
    assert {WEDGE, HASH} & set(kinds[0])
    assert kinds[0].count(DOUBLE) == 1
    assert sum(kind in (DOUBLE_LEFT, DOUBLE_RIGHT) for kind in kinds[1]) == 3


def test_the_second_line_of_a_ring_bond_lies_inside_the_ring() -> None:
    found = depict(["c1ccccc1"])
    points = np.column_stack([found["x"], found["y"]]).astype(float)
    for begin, end, kind in zip(found["begin"], found["end"], found["kind"], strict=True):
        along, inward = points[end] - points[begin], points.mean(axis=0) - points[begin]
        left = along[0] * inward[1] - along[1] * inward[0] > 0
        assert kind == 1 or kind == (DOUBLE_LEFT if left else DOUBLE_RIGHT)


def test_classes_say_which_compounds_have_them() -> None:
    smiles = ["CC(=O)O", "c1ccncc1", None, "Cn1ccc2ccccc21", "CCO"] + ["C"] * 6
    found = classes(smiles)
    bits = np.unpackbits(found["bits"].reshape(len(found["names"]), -1), axis=1, bitorder="little")[:, : len(smiles)]
    rows = {name: set(np.flatnonzero(row)) for name, row in zip(found["names"], bits, strict=True)}
    assert next(row for name, row in rows.items() if name.endswith("(fr_COO)")) == {0}
    assert next(row for name, row in rows.items() if "pyridine (" in name) == {1}
    assert next(row for name, row in rows.items() if "indole (" in name) == {3}
    assert found["counts"] == [len(row) for row in rows.values()]


def test_fused_rings_are_one_system_and_linked_rings_are_two() -> None:
    assert len(ring_systems(Chem.MolFromSmiles("c1ccc2ccccc2c1"))) == 1
    assert {ring_name(ring).split(" ")[0] for ring in ring_systems(Chem.MolFromSmiles("c1ccc(-c2ccncc2)cc1"))} == {
        "benzene",
        "pyridine",
    }
    assert ring_systems(Chem.MolFromSmiles("CCO")) == frozenset()


def profile_values(var: pd.DataFrame, values: np.ndarray, compound: list[int], n: int) -> tuple[dict, np.ndarray]:
    found = grouped_profiles(values, var, np.array(compound), n)
    steps = found["values"].reshape(n, -1).astype(float)
    return found, np.where(steps == -32768, np.nan, steps * found["step"])


def test_profiles_are_means_over_wells_and_features_of_compartment_and_channel() -> None:
    var = pd.DataFrame(
        {keys.COMPARTMENT: ["Cells", "Cells", "Nuclei", "Nuclei"], keys.CHANNEL: ["DNA", "DNA", "ER", None]}
    )
    values = np.array([[1.0, 3.0, 5.0, np.nan], [2.0, 4.0, np.nan, np.nan], [9.0, 9.0, 9.0, 9.0]])
    found, means = profile_values(var, values, [1, 1, -1], 2)
    assert (found["rows"], found["columns"]) == (["Cells", "Nuclei"], ["DNA", "ER", "no channel"])
    assert found["sizes"] == [2, 0, 0, 0, 1, 1]
    assert np.isnan(means[0]).all()
    np.testing.assert_allclose(means[1], [2.5, np.nan, np.nan, np.nan, 5.0, np.nan], atol=1e-3)


def test_profiles_without_annotation_show_the_features_that_vary_most() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(30, 60)) * np.linspace(0.1, 3, 60)
    var = pd.DataFrame(index=[f"gene{k}" for k in range(60)])
    found, means = profile_values(var, values, list(range(30)), 30)
    assert found["rows"] == [f"gene{k}" for k in np.sort(np.argsort(-values.std(axis=0, ddof=1))[:40])]
    np.testing.assert_allclose(means[:, 0], values[:, int(found["rows"][0][4:])], atol=2e-4)


def test_genes_are_called_by_their_symbols() -> None:
    names = [str(1000 + k) for k in range(100)]
    var = pd.DataFrame({keys.SYMBOL: [f"GENE{name}" for name in names]}, index=names)
    var.iloc[1, 0], var.iloc[2, 0] = None, names[2]
    values = np.zeros((2, 100))
    values[1, :40] = np.arange(1, 41)
    found, means = profile_values(var, values, [0, 1], 2)
    assert found["rows"][:4] == ["GENE1000 (1000)", "1001", "1002", "GENE1003 (1003)"]
    np.testing.assert_allclose(means[1], np.arange(1, 41), atol=2e-3)


def test_a_screen_of_one_compound_has_no_neighbours_and_everything_else() -> None:
    content = explored(1)
    assert content["n"] == len(content["ids"]) == 1
    assert [code["k"] for code in content["codes"]] == [0] * 4
    assert list(content["wells"]["start"]) == [0, 4]


def test_a_number_that_is_the_same_for_all_compounds_colours_no_map() -> None:
    colors = {each["name"]: each["colors"] for each in explored(20)["columns"]}
    assert not colors[keys.N_WELLS]
    assert colors[keys.CELL_COUNT]


def test_the_page_and_the_tables_know_the_same_beginnings_of_formulas() -> None:
    script = files("dssl.report.explorer").joinpath("export.js").read_text(encoding="utf-8")
    listed = re.search(r"const RISKY = \[(.*)\];", script)
    assert listed
    written = {plain or quote for plain, quote in re.findall(r"""'([^']+)'|"(')\"""", listed[1])}
    escapes = {"\\t": "\t", "\\r": "\r", "\\n": "\n"}
    assert {escapes.get(text, text) for text in written} == set(RISKY)


def test_predicted_profiles_stand_with_their_compound_and_with_the_errors_of_their_fold() -> None:
    rows = group_rows(["A", "B", "elsewhere"], ["x", "y"], [TRANSFER])
    rows.loc[rows["fold"] == "1", ["sd", "held_out_rmse"]] *= 2
    tests = comparison_rows([TRANSFER], -0.05, 0.001)
    found = counterfactuals(rows, summary_rows([TRANSFER]), tests, pd.Index(["B", "Z", "A"]), 1, keys.MOLECULE)
    assert found["starts"].tolist() == [0, 1, 1, 2]
    # of two contexts the one that was asked, which was not measured
    assert found["contexts"] == ["<P2>", "<P2>"]
    assert (found["measured"] == MISSING).all()
    of_b = rows[(rows[keys.COMPOUND_ID] == "B") & rows["asked"]]
    assert found["predicted"][:2] * found["step"] == pytest.approx(of_b["predicted"], abs=0.005)
    model = found["model"][0]
    assert found["folds"][model] == "1"
    assert found["sd"].reshape(-1, 2)[model] == pytest.approx([1.0, 1.2])
    assert found["rmse"].reshape(-1, 2)[model] == pytest.approx([1.5, 1.8])


def test_of_more_predicted_profiles_than_are_shown_there_is_one_of_every_question() -> None:
    tasks = [TRANSFER, STRUCTURE]
    rows = group_rows(["A", "B"], ["x"], tasks)
    tables = summary_rows(tasks), comparison_rows(tasks, -0.05, 0.001)
    found = counterfactuals(rows.assign(asked=False), *tables, pd.Index(["A", "B"]), 2, keys.MOLECULE)
    assert found["starts"].tolist() == [0, 2, 4]
    assert found["question"].tolist() == [0, 1, 0, 1]
    asked = counterfactuals(rows, *tables, pd.Index(["A", "B"]), 3, keys.MOLECULE)
    assert asked["contexts"] == ["<P2>", "<P2>", "P1"] * 2


@pytest.mark.parametrize(
    ("difference", "p_value", "r2", "why"),
    [
        (0.05, 0.001, 0.41, "a simple control, ridge regression on the profile, is better (R² 0.300)"),
        (-0.05, 0.9, -0.01, "predictions are no better than the mean training profile"),
        (0.05, 0.2, 0.41, ""),
    ],
)
def test_a_question_that_a_control_answers_better_has_words_and_no_profiles(
    difference: float, p_value: float, r2: float, why: str
) -> None:
    summary = summary_rows([TRANSFER])
    summary.loc[(summary["method"] == "dssl") & (summary["metric"] == "r2"), "value"] = r2
    tests = comparison_rows([TRANSFER], difference, p_value)
    rows = group_rows(["A"], ["x"], [TRANSFER])
    found = counterfactuals(rows, summary, tests, pd.Index(["A"]), 2, keys.MOLECULE)
    assert found["questions"][0]["why"] == why
    assert len(found["predicted"]) == (0 if why else 2)


def test_a_screen_without_evaluated_predictions_has_none() -> None:
    tasks: list[str] = []
    tables = group_rows([], ["x"], [STRUCTURE]), summary_rows(tasks), comparison_rows(tasks, 0, 1)
    found = counterfactuals(*tables, pd.Index(["A"]), 2, keys.MOLECULE)
    assert (found["questions"], found["starts"].tolist(), len(found["predicted"])) == ([], [0, 0], 0)
