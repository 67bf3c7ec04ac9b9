"""Two-dimensional structures as a few bytes for each atom and bond, which the page draws."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import rdDepictor
from rdkit.Chem.Draw import rdMolDraw2D

from dssl.report.explorer.container import smallest_unsigned

UNIT = 0.02  # Angstrom; a bond of 1.5 Angstrom is 75 units long
# how the page draws a bond; the second line of a double bond lies to the left or right of begin -> end, in rings inside
SINGLE, DOUBLE, TRIPLE, DOUBLE_LEFT, DOUBLE_RIGHT, WEDGE, HASH = range(1, 8)
WEDGES = {Chem.BondDir.BEGINWEDGE: WEDGE, Chem.BondDir.BEGINDASH: HASH}
ORDERS = {Chem.BondType.DOUBLE: DOUBLE, Chem.BondType.TRIPLE: TRIPLE}


def depict(smiles: Sequence[str | None]) -> dict[str, Any]:
    """Drawings of all structures; one that is missing or cannot be read has no atoms.

    Returns
    -------
    dict
        labels: texts of atoms, "" for a carbon that is a mere corner; charges are part of them. atoms, bonds: where each
        structure's begin (n + 1). label, x, y: of every atom, coordinates in UNIT. begin, end, kind: of every bond;
        begin and end count from the structure's first atom.
    """
    drawn = {each: _drawing(each) for each in dict.fromkeys(smiles)}
    found = [drawn[each] for each in smiles]
    labels = sorted({label for atoms, _ in found for label, _, _ in atoms})
    places = {label: place for place, label in enumerate(labels)}
    atoms = [(places[label], x, y) for of_one, _ in found for label, x, y in of_one]
    bonds = [bond for _, of_one in found for bond in of_one]
    label, x, y = np.array(atoms, dtype=np.int64).reshape(-1, 3).T
    begin, end, kind = np.array(bonds, dtype=np.int64).reshape(-1, 3).T
    return {
        "unit": UNIT,
        "labels": labels,
        "atoms": _starts([len(each) for each, _ in found]),
        "bonds": _starts([len(each) for _, each in found]),
        "label": smallest_unsigned(label),
        "x": x.astype(np.int16),
        "y": y.astype(np.int16),
        "begin": smallest_unsigned(begin),
        "end": smallest_unsigned(end),
        "kind": kind.astype(np.uint8),
    }


def _starts(lengths: list[int]) -> Any:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.uint32)


def _drawing(smiles: str | None) -> tuple[list[tuple[str, int, int]], list[tuple[int, int, int]]]:
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles) if smiles else None
    if molecule is None or not molecule.GetNumAtoms():
        return [], []
    drawn = rdMolDraw2D.PrepareMolForDrawing(molecule, addChiralHs=False)
    rdDepictor.StraightenDepiction(drawn)
    points = drawn.GetConformer().GetPositions()[:, :2]
    scaled = np.round((points - points.mean(axis=0)) / UNIT).astype(int)
    atoms = [(_label(atom), int(x), int(y)) for atom, (x, y) in zip(drawn.GetAtoms(), scaled, strict=True)]
    centers = [points[list(ring)].mean(axis=0) for ring in drawn.GetRingInfo().AtomRings()]
    bonds = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), _kind(bond, points, centers)) for bond in drawn.GetBonds()]
    return atoms, bonds


def _label(atom: Any) -> str:
    hydrogens = atom.GetTotalNumHs()
    if (
        atom.GetSymbol() == "C"
        and atom.GetDegree()
        and not (atom.GetFormalCharge() or atom.GetIsotope() or atom.GetNumRadicalElectrons())
    ):
        return ""
    isotope = f"^{atom.GetIsotope()}" if atom.GetIsotope() else ""
    with_hydrogens = ("H" if hydrogens else "") + (str(hydrogens) if hydrogens > 1 else "")
    charge = atom.GetFormalCharge()
    size = str(abs(charge)) if abs(charge) > 1 else ""
    return f"{isotope}{atom.GetSymbol()}{with_hydrogens}" + (f"{size}{'+' if charge > 0 else '−'}" if charge else "")


def _kind(bond: Any, points: Any, centers: list[Any]) -> int:
    if bond.GetBondDir() in WEDGES:
        return WEDGES[bond.GetBondDir()]
    kind = ORDERS.get(bond.GetBondType(), SINGLE)
    if kind != DOUBLE or not bond.IsInRing():
        return kind
    rings = bond.GetOwningMol().GetRingInfo()
    # the smallest ring that the bond is in, an aromatic one's inside before any other's
    inside = min(
        (number for number, ring in enumerate(rings.BondRings()) if bond.GetIdx() in ring),
        key=lambda number: len(rings.BondRings()[number]),
    )
    begin, end = points[bond.GetBeginAtomIdx()], points[bond.GetEndAtomIdx()]
    along, towards = end - begin, centers[inside] - begin
    return DOUBLE_LEFT if along[0] * towards[1] - along[1] * towards[0] > 0 else DOUBLE_RIGHT
