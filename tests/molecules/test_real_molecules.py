"""What becomes of the molecules that real libraries hold: one example of each kind, with its stated outcome."""

import pytest
from rdkit import Chem

from dssl.molecules.structure import standardize_smiles
from dssl.settings.preparation import StandardizeMoleculesSettings

SETTINGS = StandardizeMoleculesSettings()
TRIMETHOPRIM = "COc1cc(Cc2cnc(N)nc2N)cc(OC)c1OC"
SULFAMETHOXAZOLE = "Cc1cc(NS(=O)(=O)c2ccc(N)cc2)no1"
HYDROXYZINE = "OCCOCCN1CCN(CC1)C(c1ccccc1)c1ccc(Cl)cc1"
PAMOIC_ACID = "O=C(O)c1cc2ccccc2c(Cc2c(O)c(C(=O)O)cc3ccccc23)c1O"
NICOTINE = "CN1CCC[C@H]1c1cccnc1"
PICROTOXININ = "CC(=C)[C@@H]1[C@H]2OC(=O)[C@@H]1[C@]3(O)C[C@H]4O[C@]45C(=O)O[C@H]2[C@@]53C"
PICROTIN = "CC(C)(O)[C@@H]1[C@H]2OC(=O)[C@@H]1[C@]3(O)C[C@H]4O[C@]45C(=O)O[C@H]2[C@@]53C"
OXALIPLATIN = "C1CC[C@H]([C@@H](C1)[NH-])[NH-].C(=O)(C(=O)[O-])[O-].[Pt+4]"
OXYTOCIN = (
    "CC[C@H](C)[C@H]1C(=O)N[C@@H](CCC(N)=O)C(=O)N[C@@H](CC(N)=O)C(=O)N[C@H](C(=O)N2CCC[C@H]2C(=O)N[C@@H](CC(C)C)"
    "C(=O)NCC(N)=O)CSSC[C@H](N)C(=O)N[C@@H](Cc2ccc(O)cc2)C(=O)N1"
)


def key(smiles: str) -> str:
    return Chem.MolToInchiKey(Chem.MolFromSmiles(smiles))


@pytest.mark.parametrize(
    ("written", "is_read_as", "changes"),
    [
        pytest.param(f"{HYDROXYZINE}.Cl.Cl", HYDROXYZINE, "removed Cl", id="a hydrochloride is the base"),
        pytest.param(f"{NICOTINE}.OC(=O)/C=C\\C(=O)O", NICOTINE, "removed O=C(O)/C=C\\C(=O)O", id="a maleate too"),
        pytest.param("CNC1CCCCC1.Cc1ccc(S(=O)(=O)O)cc1", "CNC1CCCCC1", "removed", id="a tosylate larger than its base"),
        pytest.param("CC(=O)Oc1ccccc1C(=O)[O-].[Ca+2]", "CC(=O)Oc1ccccc1C(=O)O", "removed [Ca+2], neutralised", id="metal"),
        pytest.param(f"{TRIMETHOPRIM}.O", TRIMETHOPRIM, "removed O", id="a hydrate is the compound"),
        pytest.param(f"{TRIMETHOPRIM}.CCOC(C)=O", TRIMETHOPRIM, "removed CCOC(C)=O", id="a solvate too"),
        pytest.param("C[NH2+]CC(O)c1ccccc1", "CNCC(O)c1ccccc1", "neutralised", id="a protonated base is the base"),
        pytest.param("C[N+](C)(C)CCO", "C[N+](C)(C)CCO", "", id="a quaternary ammonium keeps its charge"),
        pytest.param("[O-][N+](=O)c1ccccc1", "O=[N+]([O-])c1ccccc1", "", id="a nitro group is not charged"),
        pytest.param("[2H]C([2H])([2H])Oc1ccccc1", "[2H]C([2H])([2H])Oc1ccccc1", "", id="deuterium is kept"),
        pytest.param("C[C@H](N)C(=O)O.C[C@@H](N)C(=O)O", None, "removed", id="two enantiomers in one are no mixture"),
        pytest.param("Cl[Pt]1(Cl)NCCN1", "Cl[Pt]1(Cl)NCCN1", "", id="a metal complex stays whole"),
        pytest.param(OXALIPLATIN, OXALIPLATIN, "", id="a complex drawn as ions keeps its metal"),
        pytest.param(OXYTOCIN, OXYTOCIN, "", id="a peptide is a molecule"),
        pytest.param("InChI=1S/C9H8O4/c1-6(10)13-8-5-3-2-4-7(8)9(11)12/h2-5H,1H3,(H,11,12)", "CC(=O)Oc1ccccc1C(=O)O", "", id="InChI"),
    ],
)  # fmt: skip
def test_kinds_that_are_accepted(written: str, is_read_as: str | None, changes: str) -> None:
    structure = standardize_smiles(written, SETTINGS)
    assert structure.reason == ""
    assert changes in structure.changes
    assert bool(structure.changes) == bool(changes)
    if is_read_as is not None:
        assert structure.inchikey == key(is_read_as)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        pytest.param(f"{TRIMETHOPRIM}.{SULFAMETHOXAZOLE}", "a mixture: ", id="co-trimoxazole"),
        pytest.param(f"{PICROTOXININ}.{PICROTIN}", "a mixture: ", id="picrotoxin"),
        pytest.param("", "no heavy atoms", id="empty"),
        pytest.param("NCC(=O)" * 40 + "O", "more than standardize_molecules.max_heavy_atoms (150)", id="protein"),
        pytest.param("InChI=1S/C9H8O4/c1-6", "InChI cannot be parsed", id="InChI that was cut off"),
        pytest.param("[R1]c1ccccc1", "cannot be parsed", id="Markush"),
        pytest.param("aspirin", "cannot be parsed", id="a name"),
    ],
)
def test_kinds_that_are_refused(written: str, reason: str) -> None:
    assert reason in standardize_smiles(written, SETTINGS).reason


def test_a_mixture_may_stand_for_its_largest_fragment() -> None:
    largest = SETTINGS.model_copy(update={"mixtures": "largest"})
    structure = standardize_smiles(f"{SULFAMETHOXAZOLE}.{TRIMETHOPRIM}", largest)
    assert structure.inchikey == key(TRIMETHOPRIM)
    assert structure.changes == f"removed {Chem.CanonSmiles(SULFAMETHOXAZOLE)}"


def test_a_salt_of_two_drugs_is_a_salt() -> None:
    structure = standardize_smiles(f"{HYDROXYZINE}.{PAMOIC_ACID}", SETTINGS)
    assert structure.reason == ""
    assert structure.changes.startswith("removed ")


def test_isotopes_and_stereoisomers_share_a_skeleton_and_nothing_more() -> None:
    pairs = [
        ("[2H]C([2H])([2H])Oc1ccccc1", "COc1ccccc1"),
        ("C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"),
        (r"C/C=C/C", r"C/C=C\C"),
    ]
    for smiles in pairs:
        one, other = (standardize_smiles(each, SETTINGS) for each in smiles)
        assert one.skeleton == other.skeleton
        assert one.inchikey != other.inchikey


@pytest.mark.parametrize(
    "smiles", [OXALIPLATIN, "[NH2-].[NH2-].Cl[Pt+2]Cl", "C1CC(C1)(C(=O)O)C(=O)O.[NH2-].[NH2-].[Pt+2]"]
)
def test_platinum_stays_in_its_drug(smiles: str) -> None:
    assert "Pt" in standardize_smiles(smiles, SETTINGS).smiles
