"""SDF files as tables: one row per record, with its properties, its title and its structure as SMILES."""

import gzip
import re
from pathlib import Path
from typing import Any

import pandas as pd
from rdkit import Chem, rdBase

from dssl.errors import TableError
from dssl.keys import SMILES

TITLE = "_Name"  # RDKit's name of the first line of a record
ENDINGS = (".sdf", ".sdf.gz")
_PROPERTY = re.compile(r"^>.*?<([^>]+)>.*\n((?:(?!>).*\S.*\n?)*)", flags=re.MULTILINE)


def read_sdf(path: Path) -> pd.DataFrame:
    """Read an SDF; a record without a readable structure keeps its row, with what can be said of it as SMILES.

    Columns are _Name, the properties in the order in which they occur (text, missing where a record has none), and
    smiles, written by RDKit (stereochemistry from coordinates). A structure that is drawn but chemically impossible is
    written as it is drawn, so that standardising gives the reason.

    Raises
    ------
    TableError
        If the file is missing, has no record, or holds a property `smiles` or `_Name` of its own.
    """
    if not path.exists():
        raise TableError(f"{path}: there is no such file; correct the path in the settings")
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8", errors="replace") as opened:
        records = [text for text in re.split(r"^\$\$\$\$.*\n?", opened.read(), flags=re.MULTILINE) if text.strip()]
    if not any("M  END" in text for text in records):
        raise TableError(
            f"{path}: holds no SDF record (with a line M  END)\nSave it again as SDF, or as CSV with SMILES."
        )
    rows = [_row(text, number) for number, text in enumerate(records, start=1)]
    taken = {name for name in (SMILES, TITLE) if any(name in row for row, _ in rows)}
    if taken:
        raise TableError(
            f"{path}: has a property {min(taken)!r}, as dssl calls the structure or the title of a record\n"
            "Rename the property, or give a CSV with SMILES."
        )
    return pd.DataFrame(
        [
            {TITLE: text.split("\n", 1)[0].strip(), **row, SMILES: smiles}
            for (row, smiles), text in zip(rows, records, strict=True)
        ]
    )


def _row(text: str, number: int) -> tuple[dict[str, str], str]:
    block, _, rest = text.partition("M  END")
    properties = {name: value.strip() for name, value in _PROPERTY.findall(rest)}
    with rdBase.BlockLogs():
        molecule: Any = Chem.MolFromMolBlock(f"{block}M  END\n")
        if molecule is None:
            molecule = Chem.MolFromMolBlock(f"{block}M  END\n", sanitize=False)
    unreadable = f"(record {number} holds no readable mol block)"
    return properties, unreadable if molecule is None else Chem.MolToSmiles(molecule)
