"""Structures of molecules as images."""

from typing import Any

from dssl.report.figures import data_uri


def structure_uri(smiles: str, width: int = 204, height: int = 150) -> str:
    """A SMILES drawn as an SVG data URI; an empty frame where it cannot be read."""
    from rdkit import Chem
    from rdkit.Chem.Draw import rdMolDraw2D

    drawn = _drawn(rdMolDraw2D.MolDraw2DSVG(width, height), Chem.MolFromSmiles(smiles) or Chem.Mol())
    return data_uri(drawn.encode(), "image/svg+xml")


def structure_png(smiles: str, width: int, height: int) -> bytes | None:
    """A SMILES drawn as a PNG; nothing where it cannot be read or is empty."""
    from rdkit import Chem
    from rdkit.Chem.Draw import rdMolDraw2D

    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None or molecule.GetNumAtoms() == 0:
        return None
    return bytes(_drawn(rdMolDraw2D.MolDraw2DCairo(width, height), molecule))


def _drawn(drawer: Any, molecule: Any) -> Any:
    from rdkit.Chem.Draw import rdMolDraw2D

    # bonds of equal length, so that a small molecule is not drawn larger than a big one
    rdMolDraw2D.UpdateDrawerParamsFromJSON(
        drawer, '{"clearBackground": false, "fixedBondLength": 22, "bondLineWidth": 1.2, "padding": 0.04}'
    )
    rdMolDraw2D.PrepareAndDrawMolecule(drawer, molecule)
    drawer.FinishDrawing()
    return drawer.GetDrawingText()
