"""SDF files: the same molecules as their SMILES, and every record accounted for."""

import gzip
from pathlib import Path

import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from dssl.errors import TableError
from dssl.molecules.sdf import read_sdf
from dssl.molecules.standardize import open_molecules, read_molecule_table, standardize_molecules
from dssl.settings.inputs import MoleculeTableSettings
from dssl.settings.preparation import StandardizeMoleculesSettings

SMILES = {"aspirin": "CC(=O)Oc1ccccc1C(=O)O", "alanine": "C[C@H](N)C(=O)O", "butene": r"C/C=C\C"}
COLUMNS = MoleculeTableSettings(table="x.sdf", compound_id="ID", name="_Name", keep=["target"])


def record(name: str, smiles: str, **properties: str) -> str:
    molecule = Chem.MolFromSmiles(smiles, sanitize=False)
    molecule.SetProp("_Name", name)
    AllChem.Compute2DCoords(molecule)
    if "@" in smiles or "/" in smiles:
        Chem.SanitizeMol(molecule)
        Chem.WedgeMolBonds(molecule, molecule.GetConformer())
    block = Chem.MolToMolBlock(molecule, kekulize=False)
    return block + "".join(f">  <{key}>\n{value}\n\n" for key, value in properties.items()) + "$$$$\n"


@pytest.fixture
def text() -> str:
    good = [
        record(name, smiles, ID=f"00{row}", target="COX-1\nCOX-2") for row, (name, smiles) in enumerate(SMILES.items())
    ]
    pentavalent = record("broken", "C(C)(C)(C)(C)C", ID="bad1")
    return "".join([*good, pentavalent, "garbage\n\n\nnot a mol block\nM  END\n>  <ID>\nbad2\n\n$$$$\n"])


@pytest.mark.parametrize("name", ["x.sdf", "x.sdf.gz"])
def test_every_record_becomes_a_molecule_or_a_reason(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    frame = open_molecules(tmp_path / name, COLUMNS)
    result = standardize_molecules(read_molecule_table(frame, COLUMNS, name), StandardizeMoleculesSettings())
    found = result.molecules.set_index("compound_id")
    assert found["name"].to_dict() == {f"00{row}": name for row, name in enumerate(SMILES)}
    assert found["inchikey"].tolist() == [Chem.MolToInchiKey(Chem.MolFromSmiles(each)) for each in SMILES.values()]
    assert set(found["target"]) == {"COX-1\nCOX-2"}
    reasons = dict(zip(result.rejected["input_id"], result.rejected["reason"], strict=True))
    assert "chemically invalid: Explicit valence" in reasons["bad1"]
    assert "record 5 holds no readable mol block" in result.rejected.set_index("input_id").loc["bad2", "smiles"]


def test_properties_agree_with_rdkit(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.sdf"
    path.write_text(text)
    supplier = Chem.SDMolSupplier(str(path))
    frame = read_sdf(path)
    for row in range(len(SMILES)):
        assert frame.loc[row, ["ID", "target"]].to_dict() == supplier[row].GetPropsAsDict(autoConvertStrings=False)


def test_what_is_no_sdf_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.sdf"
    with pytest.raises(TableError, match="there is no such file"):
        read_sdf(path)
    path.write_text("ID,smiles\n1,CCO\n")
    with pytest.raises(TableError, match="holds no SDF record"):
        read_sdf(path)
    path.write_text(record("x", "CCO", ID="CCO").replace("<ID>", "<smiles>"))
    with pytest.raises(TableError, match="(?s)has a property 'smiles'.*Rename the property"):
        read_sdf(path)
