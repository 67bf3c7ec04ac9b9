"""The simulated library: chemistry that adds up, distinct drug-like molecules, groups that are really there."""

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import Descriptors
from rdkit.Chem.Scaffolds import MurckoScaffold

from dssl.errors import ConfigError
from dssl.simulate import building_blocks, library
from dssl.simulate.library import drug_like_library
from dssl.simulate.substructures import MOLECULE_ONLY, SHARED, substructure_factors

REACTIVE = {
    "ACIDS": "C(=O)[OX2H1]",
    "AMINES": library._AMINE,
    "ANILINES": "[NH2]c",
    "SULFONYL_CHLORIDES": "S(=O)(=O)Cl",
    "BROMO_ACIDS": "C(=O)[OX2H1]",
    "BORONIC_ACIDS": "B(O)O",
    "HETARYL_DIHALIDES": "cBr",
}


def heavy(smiles: str) -> int:
    return int(Chem.MolFromSmiles(smiles).GetNumHeavyAtoms())


@pytest.fixture(scope="module")
def molecules() -> list[Chem.Mol]:
    return [Chem.MolFromSmiles(smiles) for smiles in drug_like_library(300, np.random.default_rng(0))["smiles"]]


@pytest.mark.parametrize("table", REACTIVE)
def test_every_building_block_has_one_reactive_group(table: str) -> None:
    pattern = Chem.MolFromSmarts(REACTIVE[table])
    for name, smiles in getattr(building_blocks, table).items():
        assert len(Chem.MolFromSmiles(smiles).GetSubstructMatches(pattern)) == 1, name


@pytest.mark.parametrize(
    ("reaction", "first", "second", "lost_atoms"),
    [
        ("_AMIDE", "ACIDS", "AMINES", 1),
        ("_SULFONAMIDE", "SULFONYL_CHLORIDES", "AMINES", 1),
        ("_SULFONAMIDE", "SULFONYL_CHLORIDES", "ANILINES", 1),
        ("_UREA", "ANILINES", "AMINES", -2),
        ("_SUZUKI", "BROMO_ACIDS", "BORONIC_ACIDS", 4),
        ("_AMINATION_CL", "HETARYL_DIHALIDES", "AMINES", 1),
        ("_AMINATION_BR", "HETARYL_DIHALIDES", "ANILINES", 1),
    ],
)
def test_reactions_keep_every_atom_but_the_leaving_group(
    reaction: str, first: str, second: str, lost_atoms: int
) -> None:
    blocks = [list(getattr(building_blocks, table).values()) for table in (first, second)]
    pairs = [(one, blocks[1][0]) for one in blocks[0]] + [(blocks[0][0], other) for other in blocks[1]]
    for one, other in pairs:
        product = library._react(getattr(library, reaction), Chem.MolFromSmiles(one), Chem.MolFromSmiles(other))
        assert "." not in Chem.MolToSmiles(product)
        assert product.GetNumHeavyAtoms() == heavy(one) + heavy(other) - lost_atoms, (one, other)


def test_known_products() -> None:
    react = library._react
    acid, amine = Chem.MolFromSmiles("OC(=O)c1cccnc1"), Chem.MolFromSmiles("C1COCCN1")
    assert Chem.MolToSmiles(react(library._AMIDE, acid, amine)) == Chem.CanonSmiles("O=C(c1cccnc1)N1CCOCC1")
    aniline = Chem.MolFromSmiles("Nc1ccccc1")
    assert Chem.MolToSmiles(react(library._UREA, aniline, amine)) == Chem.CanonSmiles("O=C(Nc1ccccc1)N1CCOCC1")


def test_molecules_are_distinct_and_drug_like(molecules: list[Chem.Mol]) -> None:
    assert len({Chem.MolToInchiKey(molecule) for molecule in molecules}) == 300
    weights = np.array([Descriptors.MolWt(molecule) for molecule in molecules])
    assert weights.min() > 199
    assert weights.max() < 601
    scaffolds = {MurckoScaffold.MurckoScaffoldSmiles(mol=molecule) for molecule in molecules}
    assert len(scaffolds) > 100


def test_table_is_named_numbered_and_reproducible() -> None:
    first, again, other = (drug_like_library(30, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first["compound_id"].tolist()[:2] == ["DSSL-0001", "DSSL-0002"]
    assert first["name"].is_unique
    assert first.equals(again)
    assert not first["smiles"].equals(other["smiles"])


def test_more_molecules_than_the_blocks_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "MIN_WEIGHT", 595.0)
    with pytest.raises(ConfigError, match=r"simulate_screen\.n_compounds: 50 distinct molecules"):
        drug_like_library(50, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("smiles", "present"),
    [
        ("Nc1ccc(cc1)S(=O)(=O)Nc1nccs1", {"sulfonamide", "azole"}),
        ("CN1CCN(CC1)Cc1ccc(cc1)C(=O)O", {"basic_amine", "carboxylic_acid", "benzyl"}),
        ("NCCc1c[nH]c2ccc(OC)cc12", {"indole", "methoxy"}),
        ("O=C(Nc1ccc(F)cc1)N1CCOCC1", {"aryl_urea", "aryl_fluoride", "morpholine"}),
        ("Clc1ccc(Nc2nccc(n2)NCC(F)(F)F)nc1", {"aryl_chloride", "diaminopyrimidine", "pyridine", "trifluoromethyl"}),
        ("N#Cc1ccsc1", {"nitrile", "thiophene"}),
        ("CCCCCC", set()),
        ("CC(=O)N(C)C", set()),
    ],
)
def test_groups_are_found_where_they_are(smiles: str, present: set[str]) -> None:
    row = substructure_factors([smiles]).iloc[0]
    assert set(row.index[row == 1.0]) == present
    assert set(row.index) == set(SHARED) | set(MOLECULE_ONLY)


def test_groups_are_neither_rare_nor_tied_together(molecules: list[Chem.Mol]) -> None:
    groups = substructure_factors(Chem.MolToSmiles(molecule) for molecule in molecules)
    assert groups.mean().between(0.03, 0.35).all()
    correlation = groups.corr().to_numpy() - np.eye(groups.shape[1])
    assert np.abs(correlation).max() < 0.45
