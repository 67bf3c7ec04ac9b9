"""Molecules of several fragments: salts and solvates, of which the drug is kept, and mixtures, which are no compound."""

from typing import Any

from rdkit import Chem
from rdkit.Chem.MolStandardize import rdMolStandardize

LARGEST_SOLVENT = 7  # heavy atoms: toluene
_ACID = Chem.MolFromSmarts("[$([CX3](=O)[OX2H1,OX1-]),$([SX4](=O)(=O)[OX2H1,OX1-]),$([PX4](=O)[OX2H1,OX1-])]")
_BASE = Chem.MolFromSmarts("[$([NX3;!$(N[C,S]=[O,S,N]);!$(N-a)]),$([NX4+]),$([nX2]),$([NX2]=[CX3][NX3])]")
# metals of coordination compounds (oxaliplatin, gadolinium chelates), which drawings often part from their ligands
_COORDINATION_METAL = Chem.MolFromSmarts(
    "[#22,#23,#42,#43,#44,#45,#46,#57,#58,#59,#60,#61,#62,#63,#64,#65,#66,#67,#68,#69,#70,#71,#74,#75,#76,#77,#78,#79]"
)


def choose_fragment(molecule: Chem.Mol, parameters: rdMolStandardize.CleanupParameters) -> tuple[Chem.Mol, list[str]]:
    """The largest fragment, organic ones first, and the SMILES of those that are removed (each once, in order).

    A coordination compound stays whole, however it is drawn: its largest ligand would be another substance.
    """
    if len(Chem.GetMolFrags(molecule)) == 1 or molecule.HasSubstructMatch(_COORDINATION_METAL):
        return molecule, []
    chosen = rdMolStandardize.LargestFragmentChooser(parameters).choose(molecule)
    kept = Chem.MolToSmiles(chosen)
    found = [Chem.MolToSmiles(each) for each in Chem.GetMolFrags(molecule, asMols=True)]
    return chosen, list(dict.fromkeys(smiles for smiles in found if smiles != kept))


def mixed_with(molecule: Chem.Mol, chosen: Chem.Mol) -> list[str]:
    """Fragments that make a molecule a mixture: organic, and neither a counter-ion nor a solvent nor a stereoisomer.

    A counter-ion is charged, is an acid (carboxylic, sulfonic, phosphoric, sulfuric), or is a base beside an acid. A
    solvent has up to 7 heavy atoms.

    Returns
    -------
    list of str
        Their SMILES, each once; empty for a salt or a solvate.
    """
    if chosen.GetNumAtoms() == molecule.GetNumAtoms():
        return []
    skeleton = Chem.MolToSmiles(chosen, isomericSmiles=False)
    acid = chosen.HasSubstructMatch(_ACID)
    found: list[str] = []
    for fragment in Chem.GetMolFrags(molecule, asMols=True):
        flat = Chem.MolToSmiles(fragment, isomericSmiles=False)
        if flat == skeleton or fragment.GetNumHeavyAtoms() <= LARGEST_SOLVENT or not _is_organic(fragment):
            continue
        charged = Chem.GetFormalCharge(fragment) != 0
        if not (charged or fragment.HasSubstructMatch(_ACID) or (acid and fragment.HasSubstructMatch(_BASE))):
            found.append(Chem.MolToSmiles(fragment))
    return list(dict.fromkeys(found))


def _is_organic(fragment: Any) -> bool:
    return any(atom.GetAtomicNum() == 6 for atom in fragment.GetAtoms())
