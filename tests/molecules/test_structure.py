"""Standardised structures against InChIKeys from the literature and RDKit's own scaffolds."""

from dataclasses import replace

import pytest
from rdkit import Chem
from rdkit.Chem.Scaffolds import MurckoScaffold

from dssl.molecules.structure import standardize_smiles
from dssl.settings.preparation import StandardizeMoleculesSettings

SETTINGS = StandardizeMoleculesSettings()
IMATINIB = "CN1CCN(CC1)Cc1ccc(cc1)C(=O)Nc1ccc(C)c(Nc2nccc(n2)-c2cccnc2)c1"


@pytest.mark.parametrize(
    ("smiles", "inchikey"),
    [
        pytest.param("CC(=O)Oc1ccccc1C(=O)O", "BSYNRYMUTXBXSQ-UHFFFAOYSA-N", id="aspirin"),
        pytest.param("OC(=O)c1ccccc1OC(C)=O", "BSYNRYMUTXBXSQ-UHFFFAOYSA-N", id="aspirin, other order"),
        pytest.param("CC(=O)Oc1ccccc1C(=O)[O-].[Na+]", "BSYNRYMUTXBXSQ-UHFFFAOYSA-N", id="aspirin sodium"),
        pytest.param("Cn1c(=O)c2c(ncn2C)n(C)c1=O", "RYYVLZVUVIJVGH-UHFFFAOYSA-N", id="caffeine"),
        pytest.param("[Na+].CC(=O)[O-]", "QTBSBXVTEAMEQO-UHFFFAOYSA-N", id="sodium acetate"),
        pytest.param("[Na]OC(C)=O", "QTBSBXVTEAMEQO-UHFFFAOYSA-N", id="sodium acetate drawn with a bond"),
        pytest.param(f"{IMATINIB}.CS(=O)(=O)O", "KTUFNOKKBVMGRW-UHFFFAOYSA-N", id="imatinib mesylate"),
        pytest.param("C[NH3+].OS(=O)(=O)[O-]", "BAVYZALUXZFZLV-UHFFFAOYSA-N", id="ion smaller than its counter-ion"),
        pytest.param("C[N+](C)(C)CC(=O)[O-]", "KWIUHFFTVRNATP-UHFFFAOYSA-N", id="betaine stays a zwitterion"),
        pytest.param("C[C@H](N)C(=O)O", "QNAYBMKLOCPYGJ-REOHCLBHSA-N", id="L-alanine"),
        pytest.param("C[C@@H](N)C(=O)O", "QNAYBMKLOCPYGJ-UWTATZPHSA-N", id="D-alanine"),
        pytest.param("[2H]C([2H])([2H])O", "OKKJLVBELUTLKV-FIBGUPNXSA-N", id="isotopes are kept"),
        pytest.param("[NH3+][Pt-2]([NH3+])(Cl)Cl", "LXZZYRPGZAFOLE-UHFFFAOYSA-L", id="cisplatin stays whole"),
        pytest.param("CCO.c1ccccc1", "UHOVQNZJYSORNB-UHFFFAOYSA-N", id="mixture, largest part"),
        pytest.param(
            "CC(C)C[C@@H](C(=O)O)NC(=O)[C@H](Cc1ccccc1)NC(=O)CNC(=O)CNC(=O)[C@H](Cc1ccc(O)cc1)N",
            "URLZCHNOLZSCCA-VABKMULXSA-N",
            id="leu-enkephalin",
        ),
    ],
)
def test_known_inchikeys(smiles: str, inchikey: str) -> None:
    structure = standardize_smiles(smiles, SETTINGS)
    assert (structure.reason, structure.inchikey) == ("", inchikey)
    assert structure.skeleton == inchikey[:14]
    assert Chem.MolToInchiKey(Chem.MolFromSmiles(structure.smiles)) == inchikey


def test_standardised_smiles_are_a_fixed_point() -> None:
    for smiles in (IMATINIB, "C[N+](C)(C)CC(=O)[O-]", "N[Pt](N)(Cl)Cl", "[O-][n+]1ccccc1C(=O)[O-].[K+]"):
        once = standardize_smiles(smiles, SETTINGS)
        assert standardize_smiles(once.smiles, SETTINGS) == replace(once, changes="")


def test_scaffold_is_rdkits_and_empty_for_acyclic() -> None:
    assert standardize_smiles("CCCCO", SETTINGS).scaffold == ""
    structure = standardize_smiles(IMATINIB, SETTINGS)
    assert structure.scaffold == MurckoScaffold.MurckoScaffoldSmiles(structure.smiles)


@pytest.mark.parametrize(
    ("smiles", "reason"),
    [
        ("c1ccc", "cannot be parsed"),
        ("not a molecule", "cannot be parsed"),
        ("C(C)(C)(C)(C)C", "chemically invalid: Explicit valence for atom # 0 C, 5"),
        ("c1cccc1", "chemically invalid: Can't kekulize"),
        ("[H][H]", "no heavy atoms"),
        ("", "no heavy atoms"),
        ("*CC", "no InChIKey"),
        ("C" * 151, "151 heavy atoms, more than standardize_molecules.max_heavy_atoms"),
    ],
)
def test_refusals_say_why(smiles: str, reason: str, capfd: pytest.CaptureFixture[str]) -> None:
    structure = standardize_smiles(smiles, SETTINGS)
    assert reason in structure.reason
    assert structure.inchikey == ""
    assert capfd.readouterr().err == ""  # RDKit's own messages do not reach the terminal


def test_a_ring_that_needs_its_charge_keeps_it() -> None:
    structure = standardize_smiles("[Fe+2].c1cc[cH-]c1.c1cc[cH-]c1", SETTINGS)
    assert structure.smiles == "c1cc[cH-]c1"


def test_each_setting_changes_what_it_says() -> None:
    acetate = "[Na+].CC(=O)[O-]"
    assert standardize_smiles(acetate, SETTINGS.model_copy(update={"neutralize": False})).smiles == "CC(=O)[O-]"
    both = standardize_smiles(acetate, SETTINGS.model_copy(update={"largest_fragment": False, "neutralize": False}))
    assert both.smiles == "CC(=O)[O-].[Na+]"
    tautomers = SETTINGS.model_copy(update={"canonical_tautomer": True})
    enol, ketone = (standardize_smiles(smiles, tautomers) for smiles in ("OC1=CCCCC1", "O=C1CCCCC1"))
    assert enol == ketone
    assert standardize_smiles("OC1=CCCCC1", SETTINGS) != standardize_smiles("O=C1CCCCC1", SETTINGS)
