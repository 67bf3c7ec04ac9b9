"""New molecules and new plates through a trained model's folder."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem

from dssl.errors import IntegrityError, TableError
from dssl.io import read_anndata, read_json
from dssl.settings.inputs import MoleculeTableSettings
from dssl.settings.new_data import EmbedSettings
from dssl.steps import new_features, new_molecules
from dssl.steps.new_data import embed
from tests.steps.new_data.conftest import Trained

CODES = ("X_shared", "X_specific")


def run(trained: Trained, out: Path, molecules: Path | None = None, plates: list[Path] | None = None) -> Path:
    embed(settings=EmbedSettings(), model=trained.model, molecules=molecules, plates=plates, out=out)
    return out


def written(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    return path


def codes(path: Path, rows: list[str] | None = None) -> dict[str, np.ndarray]:
    adata = read_anndata(path)
    return {name: (adata if rows is None else adata[rows]).obsm[name] for name in CODES}


def test_the_screens_own_molecules_have_the_codes_that_the_workflow_gave_them(trained: Trained, tmp_path: Path) -> None:
    out = run(trained, tmp_path, molecules=trained.molecules)
    before = read_anndata(trained.embedded / "molecules.h5ad")
    found = codes(out / "molecules.h5ad", list(before.obs_names))
    for name in CODES:
        np.testing.assert_allclose(found[name], before.obsm[name], atol=1e-5)
    obs = read_anndata(out / "molecules.h5ad").obs.loc[before.obs_names]
    assert (obs["split"].astype(str) == before.obs["split"].astype(str)).all()
    assert (obs["same_as"].astype(str) == obs.index).all()
    trained_on = (before.obs["split"] == "train").to_numpy()
    assert (obs["nearest_tanimoto"][trained_on] == 1).all()
    assert (obs["descriptors_outside"][trained_on] == 0).all()


def test_the_screens_own_plates_have_the_codes_that_the_workflow_gave_them(trained: Trained, tmp_path: Path) -> None:
    out = run(trained, tmp_path, plates=trained.plates)
    for level in ("wells", "treatments", "compounds"):
        before = read_anndata(trained.embedded / f"{level}.h5ad")
        found = codes(out / f"{level}.h5ad", list(before.obs_names))
        for name in CODES:
            np.testing.assert_allclose(found[name], before.obsm[name], atol=1e-5, err_msg=level)
    neighbors = pd.read_csv(out / "neighbors.tsv.gz", sep="\t")
    assert set(neighbors["by"]) == {"shared", "specific"}
    roles = read_anndata(trained.embedded / "compounds.h5ad").obs["split"]
    first = neighbors[(neighbors["rank"] == 1) & neighbors["query"].map(roles).eq("train")]
    assert len(first)
    assert (first["neighbor"] == first["query"]).all()
    assert set(neighbors["neighbor"]) <= set(roles.index[roles == "train"])
    assert neighbors["neighbor_mechanism"].notna().all()


def test_blocks_and_processes_change_nothing(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = codes(run(trained, tmp_path / "whole", molecules=trained.molecules) / "molecules.h5ad")
    monkeypatch.setattr(new_features, "BLOCK", 7)
    out = tmp_path / "blocks"
    embed(settings=EmbedSettings(), model=trained.model, molecules=trained.molecules, plates=None, out=out, threads=2)
    for name in CODES:
        np.testing.assert_allclose(codes(out / "molecules.h5ad")[name], whole[name], atol=1e-5)
    table = pd.read_csv(out / "molecules.csv.gz")
    assert list(table["id"]) == list(read_anndata(out / "molecules.h5ad").obs_names)
    np.testing.assert_allclose(table.filter(regex=r"^shared_\d+$"), whole["X_shared"], atol=1e-5)


def test_invalid_and_repeated_molecules_are_listed(trained: Trained, tmp_path: Path) -> None:
    smiles = ["CCO", "OCC", "nonsense", None, "c1ccccc1C(=O)O"]
    frame = pd.DataFrame({"compound_id": ["a", "b", "c", "d", "e"], "smiles": smiles})
    out = run(trained, tmp_path / "out", molecules=written(frame, tmp_path / "new.csv"))
    assert list(read_anndata(out / "molecules.h5ad").obs_names) == ["a", "e"]
    rejected = pd.read_csv(out / "rejected.tsv", sep="\t")
    assert list(rejected["input_id"]) == ["c", "d"]
    assert rejected["reason"].str.contains("cannot be parsed|no SMILES").all()
    merged = pd.read_csv(out / "merged.tsv", sep="\t")
    assert merged[["input_id", "compound_id"]].to_numpy().tolist() == [["b", "a"]]
    summary = (out / "summary.md").read_text()
    assert "2 rejected molecules" in summary
    assert "1 merged ids" in summary


def test_a_molecule_unlike_the_training_set_is_outside_and_says_why(trained: Trained, tmp_path: Path) -> None:
    frame = pd.DataFrame({"compound_id": ["octadecane"], "smiles": ["C" * 18]})
    obs = read_anndata(run(trained, tmp_path / "o", written(frame, tmp_path / "m.csv")) / "molecules.h5ad").obs
    assert obs["applicability"].iloc[0] == "outside"
    assert "held-out compounds 0.0% are as far, or further" in obs["applicability_reason"].iloc[0]
    assert obs["split"].iloc[0] == "new"


def test_an_empty_table_of_molecules(trained: Trained, tmp_path: Path) -> None:
    frame = pd.DataFrame({"compound_id": [], "smiles": []})
    with pytest.raises(TableError, match=r"none\.csv: expected molecules, the table has no rows"):
        run(trained, tmp_path / "out", molecules=written(frame, tmp_path / "none.csv"))


def test_other_columns_of_molecules_have_to_be_named(trained: Trained, tmp_path: Path) -> None:
    path = written(pd.DataFrame({"ID": ["a"], "SMI": ["CCO"]}), tmp_path / "m.csv")
    with pytest.raises(TableError, match="no column 'compound_id', 'smiles'; it has 'ID', 'SMI'\nSay what they are"):
        run(trained, tmp_path / "out", molecules=path)
    settings = EmbedSettings.model_validate({"molecules": {"compound_id": "ID", "smiles": "SMI"}})
    embed(settings=settings, model=trained.model, molecules=path, plates=None, out=tmp_path / "out")
    assert list(read_anndata(tmp_path / "out/molecules.h5ad").obs_names) == ["a"]


def test_columns_are_called_as_in_the_screen_or_by_their_defaults(tmp_path: Path) -> None:
    as_in = MoleculeTableSettings(compound_id="drug", smiles="structure", name="label", keep=["moa"])
    own = written(pd.DataFrame({"drug": ["a"], "structure": ["CCO"], "label": ["b"]}), tmp_path / "own.csv")
    usual = written(pd.DataFrame({"compound_id": ["a"], "smiles": ["CCO"]}), tmp_path / "usual.csv")
    found = [new_molecules.read_new_molecules(path, None, as_in).iloc[0].to_dict() for path in (own, usual)]
    assert found == [{"input_id": "a", "smiles": "CCO", "name": name} for name in ("b", "a")]


def test_an_sdf_has_its_titles_as_identifiers_or_the_property_that_the_screen_has(tmp_path: Path) -> None:
    ethanol = Chem.MolFromSmiles("CCO")
    ethanol.SetProp("_Name", "E-1")
    ethanol.SetProp("drug", "ethanol")
    path = tmp_path / "library.sdf"
    with Chem.SDWriter(str(path)) as writer:
        writer.write(ethanol)
    for compound_id, identifier in (("drug", "ethanol"), ("compound", "E-1")):
        as_in = MoleculeTableSettings(compound_id=compound_id)
        found = new_molecules.read_new_molecules(path, None, as_in)
        assert found.to_dict("records") == [{"input_id": identifier, "smiles": "CCO", "name": identifier}]


def test_a_missing_feature_is_named(trained: Trained, tmp_path: Path, plate: pd.DataFrame) -> None:
    features = [name for name in plate if name.startswith(("Cells_", "Nuclei_", "Cytoplasm_"))]
    kept = read_json(trained.model / "model.json")
    assert kept["format"] == "dssl-bundle/1"
    path = written(plate.drop(columns=features[3:20]), tmp_path / "P.csv")
    with pytest.raises(
        TableError, match=rf"P\.csv: 1\d of the \d+ features that the model needs are missing: .*{features[4]}"
    ):
        run(trained, tmp_path / "out", plates=[path])
    assert not (tmp_path / "out" / "wells.h5ad").exists()


def test_the_order_of_columns_and_further_features_change_nothing(
    trained: Trained, tmp_path: Path, plate: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    shuffled = plate.sample(frac=1, axis=1, random_state=0).assign(Cells_New_Feature=1e9)
    before = codes(run(trained, tmp_path / "a", plates=[trained.plates[0]]) / "wells.h5ad")
    with caplog.at_level(logging.WARNING, logger="dssl"):
        found = codes(run(trained, tmp_path / "b", plates=[written(shuffled, tmp_path / "P.csv")]) / "wells.h5ad")
    assert "1 features are unknown to the model and not used: Cells_New_Feature" in caplog.text
    for name in CODES:
        np.testing.assert_allclose(found[name], before[name], atol=1e-5)


def test_a_plate_measured_on_another_scale_is_brought_back_by_its_own_controls(
    trained: Trained, tmp_path: Path, plate: pd.DataFrame
) -> None:
    features = [name for name in plate if name.startswith(("Cells_", "Nuclei_", "Cytoplasm_"))]
    moved = plate.assign(**(plate[features] * 3 + 50).to_dict("series"))
    before = codes(run(trained, tmp_path / "a", plates=[trained.plates[0]]) / "compounds.h5ad")
    found = codes(run(trained, tmp_path / "b", plates=[written(moved, tmp_path / "P.csv")]) / "compounds.h5ad")
    for name in CODES:
        np.testing.assert_allclose(found[name], before[name], atol=2e-3)


def test_a_plate_without_controls(trained: Trained, tmp_path: Path, plate: pd.DataFrame) -> None:
    path = written(plate[plate["Role"] != "control"], tmp_path / "P.csv")
    with pytest.raises(TableError, match=r"P\.csv: no well is a control"):
        run(trained, tmp_path / "out", plates=[path])


def test_a_plate_of_controls_only(trained: Trained, tmp_path: Path, plate: pd.DataFrame) -> None:
    path = written(plate[plate["Role"] == "control"], tmp_path / "P.csv")
    with pytest.raises(TableError, match=r"none of the \d+ usable wells is treated with a named compound"):
        run(trained, tmp_path / "out", plates=[path])


def test_a_model_whose_files_changed_is_refused(trained: Trained, tmp_path: Path) -> None:
    shutil.copytree(trained.model, tmp_path / "model")
    (tmp_path / "model" / "calibration.tsv").write_text("level\n")
    (tmp_path / "model" / "aliases.tsv").unlink()
    with pytest.raises(IntegrityError, match=r"2 of \d+ files .*aliases.tsv \(missing\).*calibration.tsv \(changed\)"):
        embed(
            settings=EmbedSettings(),
            model=tmp_path / "model",
            molecules=trained.molecules,
            plates=None,
            out=tmp_path / "out",
        )


def test_a_folder_that_is_no_model_is_refused(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=r"expected a trained model, found no model\.json in it\nName the folder"):
        embed(settings=EmbedSettings(), model=tmp_path, molecules=trained.molecules, plates=None, out=tmp_path / "o")


def test_a_model_that_was_moved_gives_the_same_bytes(trained: Trained, tmp_path: Path) -> None:
    shutil.copytree(trained.model, tmp_path / "elsewhere")
    for number, model in enumerate((trained.model, tmp_path / "elsewhere" / "model.json")):
        embed(
            settings=EmbedSettings(), model=model, molecules=trained.molecules, plates=None, out=tmp_path / f"{number}"
        )
    for name in ("molecules.csv.gz", "neighbors.tsv.gz", "molecules.h5ad"):
        assert (tmp_path / "0" / name).read_bytes() == (tmp_path / "1" / name).read_bytes(), name
