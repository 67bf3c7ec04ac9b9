"""Structures with what was found about them, as an SDF file."""

import logging
from pathlib import Path

import pandas as pd

from dssl import keys
from dssl.io import atomic_path

logger = logging.getLogger(__name__)


def write_sdf(path: Path, compounds: pd.DataFrame) -> int:
    """Write every compound that has a structure, with all other columns as properties; give their number.

    The title line is the compound_id. Missing values have no property. Line ends and tabs, which would end a property,
    become spaces; "<" and ">" in the name of a column become brackets.
    """
    from rdkit import Chem
    from rdkit.Chem import rdDepictor

    names = {str(name): _one_line(str(name)).replace("<", "(").replace(">", ")") for name in compounds.columns}
    written = 0
    with atomic_path(path) as temporary, Chem.SDWriter(str(temporary)) as writer:
        for row in compounds.to_dict(orient="records"):
            molecule = Chem.MolFromSmiles(row[keys.SMILES]) if isinstance(row[keys.SMILES], str) else None
            if molecule is None:
                continue
            rdDepictor.Compute2DCoords(molecule)
            molecule.SetProp("_Name", _one_line(str(row[keys.COMPOUND_ID])))
            for name, value in row.items():
                if not pd.isna(value):
                    molecule.SetProp(names[str(name)], _one_line(str(value)))
            writer.write(molecule)
            written += 1
    if written < len(compounds):
        logger.warning(
            "%s: %d of %d compounds have no readable structure", path, len(compounds) - written, len(compounds)
        )
    return written


def _one_line(text: str) -> str:
    return " ".join(text.split())
