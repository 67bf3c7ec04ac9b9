"""Structures with what was found about them, as an SDF file."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from dssl import keys
from dssl.errors import first_few
from dssl.io import atomic_path

logger = logging.getLogger(__name__)


def write_sdf(path: Path, compounds: pd.DataFrame) -> None:
    """Write every compound that has a structure, with all columns as properties; the log names the others.

    The title line is the compound_id. Missing values have no property. Line ends and tabs, which would end a property,
    become spaces; "<" and ">" in the name of a column become brackets. The coordinates are such that reading the file
    gives the same molecule, with its stereochemistry; the log names a compound for which none are found.
    """
    from rdkit import Chem

    names = {str(name): _one_line(str(name)).replace("<", "(").replace(">", ")") for name in compounds.columns}
    without, changed = [], []
    with atomic_path(path) as temporary, Chem.SDWriter(str(temporary)) as writer:
        for row in compounds.to_dict(orient="records"):
            molecule = Chem.MolFromSmiles(row[keys.SMILES]) if isinstance(row[keys.SMILES], str) else None
            if molecule is None:
                without.append(row[keys.COMPOUND_ID])
                continue
            drawn, is_same = _with_coordinates(molecule)
            if not is_same:
                changed.append(row[keys.COMPOUND_ID])
            drawn.SetProp("_Name", _one_line(str(row[keys.COMPOUND_ID])))
            for name, value in row.items():
                if not pd.isna(value):
                    drawn.SetProp(names[str(name)], _one_line(str(value)))
            writer.write(drawn)
    for reason, ids in (("have no readable structure", without), ("lose stereochemistry in an SDF", changed)):
        if ids:
            logger.warning("%s: %d of %d compounds %s: %s", path, len(ids), len(compounds), reason, first_few(ids))


def _with_coordinates(molecule: Any) -> tuple[Any, bool]:
    """A copy with coordinates, and whether its molblock reads back to the same InChIKey."""
    from rdkit import Chem, rdBase
    from rdkit.Chem.rdinchi import MolToInchiKey

    wanted = MolToInchiKey(molecule)
    first = None
    for drawn in _coordinates(molecule):
        first = drawn if first is None else first
        # that a drawing is ambiguous is what is asked here
        with rdBase.BlockLogs():
            back = Chem.MolFromMolBlock(Chem.MolToMolBlock(drawn))
        if back is not None and MolToInchiKey(back) == wanted:
            return drawn, True
    return first, False


def _coordinates(molecule: Any) -> Iterator[Any]:
    """Copies with coordinates in the plane; then, since wedges say too little about some cages, in space."""
    from rdkit import Chem
    from rdkit.Chem import rdCoordGen, rdDepictor, rdDistGeom

    flat = Chem.Mol(molecule)
    rdDepictor.Compute2DCoords(flat)
    yield flat
    other = Chem.Mol(molecule)
    rdCoordGen.AddCoords(other)
    yield other
    solid = Chem.AddHs(molecule)
    if rdDistGeom.EmbedMolecule(solid, randomSeed=0) == 0:
        yield Chem.RemoveHs(solid)


def _one_line(text: str) -> str:
    return " ".join(text.split())
