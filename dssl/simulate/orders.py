"""The compound library as a lab's table has it: salts, the same substance under two ids, a SMILES that was cut off."""

import numpy as np
import pandas as pd
from rdkit import Chem, rdBase

from dssl.keys import COMPOUND_ID, NAME, SMILES

SALT_FRACTION = 0.05
DUPLICATE_FRACTION = 0.02
_ACID = Chem.MolFromSmarts("C(=O)[OX2H1]")
_BASE = Chem.MolFromSmarts("[NX3]([CX4])([CX4])[CX4]")


def order_table(library: pd.DataFrame, rng: np.random.Generator) -> tuple[pd.DataFrame, dict[str, str]]:
    """Make the molecule table of the screen from a clean library.

    5 % of the molecules become hydrochlorides or sodium salts where they are basic or acidic; 2 % (at least two) come
    a second time under a new id, at the table's end, alternately as hydrochloride and with another SMILES; the SMILES
    of one more is cut off and cannot be parsed.

    Returns
    -------
    molecules : DataFrame
        compound_id, name, smiles; the library's rows first.
    parents : dict
        Every id -> the library's id of the same substance.
    """
    table = library[[COMPOUND_ID, NAME, SMILES]].copy()
    n, n_duplicates = len(table), max(2, round(DUPLICATE_FRACTION * len(library)))
    order = rng.permutation(n)
    duplicated, broken = order[:n_duplicates], order[n_duplicates]
    for row in order[n_duplicates + 1 :][: round(SALT_FRACTION * n)]:
        table.loc[row, [NAME, SMILES]] = _salt(table.loc[row, NAME], table.loc[row, SMILES])
    table.loc[broken, SMILES] = _cut_off(table.loc[broken, SMILES])
    width = len(table[COMPOUND_ID].iloc[0].partition("-")[2])
    rows, parents = [], dict(zip(table[COMPOUND_ID], table[COMPOUND_ID], strict=True))
    for number, parent in enumerate(duplicated):
        identifier, smiles, name = (
            f"DSSL-{n + number + 1:0{width}d}",
            table.loc[parent, SMILES],
            table.loc[parent, NAME],
        )
        parents[identifier] = table.loc[parent, COMPOUND_ID]
        if number % 2:
            rows.append((identifier, f"{name} hydrochloride", f"{smiles}.Cl"))
        else:
            rows.append((identifier, f"{name} (second supplier)", _other_smiles(smiles, rng)))
    again = pd.DataFrame(rows, columns=table.columns)
    return pd.concat([table, again], ignore_index=True), parents


def _salt(name: str, smiles: str) -> tuple[str, str]:
    molecule = Chem.MolFromSmiles(smiles)
    if molecule.HasSubstructMatch(_ACID):
        molecule.GetAtomWithIdx(molecule.GetSubstructMatch(_ACID)[2]).SetFormalCharge(-1)
        return f"{name} sodium salt", f"{Chem.MolToSmiles(molecule)}.[Na+]"
    if molecule.HasSubstructMatch(_BASE):
        return f"{name} hydrochloride", f"{smiles}.Cl"
    return name, smiles


def _other_smiles(smiles: str, rng: np.random.Generator) -> str:
    seed = int(rng.integers(1, 2**31 - 1))
    return str(Chem.MolToRandomSmilesVect(Chem.MolFromSmiles(smiles), 1, randomSeed=seed)[0])


def _cut_off(smiles: str) -> str:
    with rdBase.BlockLogs():
        for length in range(len(smiles) - 1, 0, -1):
            if Chem.MolFromSmiles(smiles[:length]) is None:
                return smiles[:length]
    return f"{smiles}("
