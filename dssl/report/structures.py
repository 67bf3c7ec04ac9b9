"""Structures of molecules as images."""

from dssl.report.figures import data_uri


def structure_uri(smiles: str, width: int = 204, height: int = 150) -> str:
    """A SMILES drawn as an SVG data URI; an empty frame where it cannot be read."""
    from rdkit import Chem
    from rdkit.Chem.Draw import rdMolDraw2D

    molecule = Chem.MolFromSmiles(smiles) or Chem.Mol()
    drawer = rdMolDraw2D.MolDraw2DSVG(width, height)
    # bonds of equal length, so that a small molecule is not drawn larger than a big one
    rdMolDraw2D.UpdateDrawerParamsFromJSON(
        drawer, '{"clearBackground": false, "fixedBondLength": 22, "bondLineWidth": 1.2, "padding": 0.04}'
    )
    rdMolDraw2D.PrepareAndDrawMolecule(drawer, molecule)
    drawer.FinishDrawing()
    return data_uri(drawer.GetDrawingText().encode(), "image/svg+xml")
