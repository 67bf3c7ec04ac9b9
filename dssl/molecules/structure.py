"""One SMILES -> one standardised structure with its identifiers, or the reason why there is none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rdkit import Chem, rdBase
from rdkit.Chem.MolStandardize import rdMolStandardize
from rdkit.Chem.rdinchi import MolToInchiKey

from dssl.errors import first_few
from dssl.molecules.fragments import choose_fragment, mixed_with
from dssl.settings.preparation import StandardizeMoleculesSettings

INCHI = "InChI="
# every element that is a metal, but for those of groups 1 and 2, whose bonds are ionic whatever the drawing says
_BONDED_METAL = Chem.MolFromSmarts(
    "[#13,#21,#22,#23,#24,#25,#26,#27,#28,#29,#30,#31,#39,#40,#41,#42,#43,#44,#45,#46,#47,#48,#49,#50,#57,#58,#59,#60,"
    "#61,#62,#63,#64,#65,#66,#67,#68,#69,#70,#71,#72,#73,#74,#75,#76,#77,#78,#79,#80,#81,#82,#83,#92]~*"
)


@dataclass(frozen=True)
class Structure:
    """A standardised molecule; `reason` is empty unless the SMILES was refused."""

    smiles: str = ""
    inchikey: str = ""
    scaffold: str = ""
    reason: str = ""
    changes: str = ""  # what was taken away or altered: fragments, charges

    @property
    def skeleton(self) -> str:
        """First block of the InChIKey: formula, connections and hydrogens, no stereochemistry, isotopes or charge."""
        return self.inchikey.partition("-")[0]


def standardize_chunk(smiles: Sequence[str], settings: StandardizeMoleculesSettings) -> list[Structure]:
    """Standardise each SMILES; see `standardize_smiles`."""
    return [standardize_smiles(text, settings) for text in smiles]


def standardize_smiles(smiles: str, settings: StandardizeMoleculesSettings) -> Structure:
    """Clean, strip, neutralise and identify one molecule (a SMILES or an InChI) with RDKit's MolStandardize.

    A metal drawn with covalent bonds (cisplatin) stays in its complex: cutting it out, as `Cleanup` alone would,
    leaves the largest ligand, another substance. Bonds to metals of groups 1 and 2 are cut.

    Returns
    -------
    Structure
        With canonical SMILES, InChIKey and Bemis-Murcko scaffold ("" for acyclic molecules), or only a `reason`.
    """
    with rdBase.BlockLogs():
        parsed: Any = read_structure(smiles)
        if parsed is None:
            return Structure(reason=_why_unreadable(smiles))
        if parsed.GetNumHeavyAtoms() == 0:
            return Structure(reason="no heavy atoms")
        try:
            return _standardize(parsed, settings)
        except (ValueError, RuntimeError) as error:  # sanitisation and MolStandardize failures
            return Structure(reason=f"cannot be standardised: {_first_line(error)}")


def read_structure(text: str) -> Chem.Mol | None:
    """Molecule of a SMILES, or of an InChI (it begins with InChI=); None where it cannot be read."""
    read: Any = Chem.MolFromInchi if text.startswith(INCHI) else Chem.MolFromSmiles
    molecule: Chem.Mol | None = read(text)
    return molecule


def _standardize(parsed: Chem.Mol, settings: StandardizeMoleculesSettings) -> Structure:
    parameters: Any = rdMolStandardize.CleanupParameters()
    parameters.preferOrganic = True  # the counter-ion may be the larger part (methylamine sulfate)
    molecule: Any = _clean(parsed, parameters)
    whole = molecule
    removed: list[str] = []
    if settings.largest_fragment:
        molecule, removed = choose_fragment(whole, parameters)
        others = mixed_with(whole, molecule) if settings.mixtures == "refuse" else []
        if others:
            return Structure(
                reason=f"a mixture: {first_few([Chem.MolToSmiles(molecule), *others], 3)} (standardize_molecules.mixtures)"
            )
    if molecule.GetNumHeavyAtoms() > settings.max_heavy_atoms:
        return Structure(
            reason=f"{molecule.GetNumHeavyAtoms()} heavy atoms, more than standardize_molecules.max_heavy_atoms "
            f"({settings.max_heavy_atoms})"
        )
    charges = _charges(molecule)
    if settings.neutralize:
        # a charge may be what makes a ring aromatic (cyclopentadienide): then the charged form is kept
        molecule = _reread(rdMolStandardize.Uncharger().uncharge(molecule)) or molecule
    altered = [f"removed {smiles}" for smiles in removed]
    if charges != _charges(molecule):
        altered.append("neutralised")
    if settings.canonical_tautomer:
        molecule = rdMolStandardize.TautomerEnumerator(parameters).Canonicalize(molecule)
    molecule = _reread(molecule)
    if molecule is None:
        return Structure(reason="cannot be standardised: the cleaned structure is not a valid SMILES")
    inchikey = MolToInchiKey(molecule)
    if not inchikey:
        return Structure(reason="no InChIKey can be made (dummy atoms or dative bonds)")
    return Structure(
        smiles=Chem.MolToSmiles(molecule),
        inchikey=inchikey,
        scaffold=Chem.MolToSmiles(Chem.MurckoDecompose(molecule)),
        changes=", ".join(altered),
    )


def _charges(molecule: Any) -> list[int]:
    return sorted(atom.GetFormalCharge() for atom in molecule.GetAtoms())


def _clean(parsed: Chem.Mol, parameters: rdMolStandardize.CleanupParameters) -> Chem.Mol:
    if not parsed.HasSubstructMatch(_BONDED_METAL):
        return rdMolStandardize.Cleanup(parsed, parameters)
    return rdMolStandardize.Reionizer().reionize(rdMolStandardize.Normalizer().normalize(Chem.RemoveHs(parsed)))


def _reread(molecule: Chem.Mol) -> Chem.Mol | None:
    """Through SMILES and back, so that the identifiers are those of the SMILES that is written."""
    return Chem.MolFromSmiles(Chem.MolToSmiles(molecule))


def _why_unreadable(smiles: str) -> str:
    if smiles.startswith(INCHI):
        return "InChI cannot be parsed"
    unchecked: Any = Chem.MolFromSmiles(smiles, sanitize=False)
    if unchecked is None:
        return "SMILES cannot be parsed (syntax)"
    problems = [problem.Message() for problem in Chem.DetectChemistryProblems(unchecked)]
    return f"SMILES is chemically invalid: {problems[0] if problems else 'sanitisation fails'}"


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
