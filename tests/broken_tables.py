"""Faults that tables have, and what each is answered: the source of docs/broken-tables.md.

Written anew by: python -m tests.broken_tables
"""

import gzip
import os
import re
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

from dssl.errors import DsslError
from dssl.settings.screen import load_screen
from dssl.steps.molecules import standardize_molecules
from dssl.steps.phenotypes import normalize_plate
from tests.lab import FEATURES, Lab, few_controls, no_rows, no_smiles, other_identifiers, rename, set_cells, set_key

Change = Callable[[Lab], None]
DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "broken-tables.md"
FOREIGN = re.compile(r"(cannot be read as a table|is not a GCTX file|is not a 10x matrix) \(.*\)")
OPENING = """# What a broken table is answered

Each of these faults was put into a small screen that is otherwise right (two plates of ten controls and six treated
wells, three molecules). `dssl check` finds those of the first sections in seconds, before anything runs; the last
section holds what only the values show, found by the step that reads them. A test makes every fault and compares the
answers with this page (`python -m tests.broken_tables` writes it).
"""


def both(*changes: Change) -> Change:
    def change(lab: Lab) -> None:
        for each in changes:
            each(lab)

    return change


def file_instead(name: str, content: bytes | Callable[[Path], None], **plates: object) -> Change:
    """P2.csv is replaced by a file of this name and content."""

    def change(lab: Lab) -> None:
        lab.plates = {}
        path = lab.folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            content(path)
        lab.config["plates"] |= {"tables": [name], **plates}

    return change


def table_beside(name: str, frame: pd.DataFrame, by: object) -> Change:
    """A metadata table is joined to the wells."""

    def change(lab: Lab) -> None:
        frame.to_csv(lab.folder / name, index=False)
        lab.config["plates"]["metadata"] = [{"table": name, "by": by}]

    return change


def molecules_instead(name: str, text: str) -> Change:
    def change(lab: Lab) -> None:
        (lab.folder / name).write_text(text)
        lab.config["molecules"] = {"table": name}

    return change


def drop_column(column: str) -> Change:
    def change(lab: Lab) -> None:
        lab.plates = {name: frame.drop(columns=column) for name, frame in lab.plates.items()}

    return change


def layers(path: Path) -> None:
    obs = Lab.plate("P1", 0).drop(columns=FEATURES).fillna("").set_axis([f"w{row}" for row in range(16)])
    AnnData(np.zeros((16, 4)), obs=obs, var=pd.DataFrame(index=FEATURES)).write_h5ad(path)


def cells(path: Path) -> None:
    wells = pd.concat([Lab.plate("P1", seed) for seed in range(3)])
    wells.iloc[-1, wells.columns.get_loc("compound_id")] = "007"
    wells.to_csv(path, index=False)


class Runs:
    """What a hostile file would run; nothing here ever calls it."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("true",)


def hostile(path: Path) -> None:
    np.savez(path, features=np.zeros((2, 4)), metadata=np.array({"Well": Runs()}, dtype=object))


def images_only(path: Path) -> None:
    with sqlite3.connect(path) as opened:
        opened.execute("CREATE TABLE Image (ImageNumber INTEGER, Image_Metadata_Well TEXT)")
    opened.close()


GCT = "#1.3\n2\t3\t0\t1\nid\ta\tb\tc\npert_id\tx\ty\tz\nG1\t1\t2\t3\n"
PAIR = pd.DataFrame({"plate": ["P1", "P2"], "site": ["X", "Y"]})
SETTINGS: dict[str, Change] = {
    "An unknown key": set_key("plates.columns.dosis", "dose"),
    "No controls named": set_key("plates.control", None),
    "No molecule table": set_key("molecules.table", None),
    "A unit that is not molar": set_key("plates.columns.dose_unit", "mg/mL"),
    "A unit that nobody knows": set_key("plates.columns.dose_unit", "mgs"),
    "Plates named twice": set_key("plates.plate_list", "list.csv"),
}
FILES: dict[str, Change] = {
    "A file that is not there": set_key("molecules.table", "mols.csv"),
    "A pattern that matches no file": set_key("plates.tables", ["Q*.csv"]),
    "Two files of one name": both(
        lambda lab: (lab.folder / "P1.tsv").write_text("x\n1\n"), set_key("plates.tables", ["P1.csv", "P1.tsv"])
    ),
    "An ending that says nothing": file_instead("P2.xlsx", b"PK"),
    "An empty file": file_instead("P2.csv", b""),
    "A gzipped file that was cut off": file_instead("P2.csv.gz", gzip.compress(b"plate,well\n" + b"P2,A01\n" * 999)[:40]),
    "A CSV that was called Parquet": file_instead("P2.parquet", b"plate,well\nP2,A01\n"),
    "Semicolons instead of commas": file_instead("P2.csv", b"plate;well;role\nP2;A01;dmso\n"),
    "Rows longer than the header": file_instead(
        "P2.csv", f"plate,well,role,dose,cells,compound_id,{','.join(FEATURES)}\n".encode() + b"P2,A01,dmso,1,9,001,1,2,3,4,5\n"
    ),
    "A GCT that was cut off": file_instead("P2.gct", GCT.encode()),
    "Something else called GCT": file_instead("P2.gct", b"plate\twell\nP2\tA01\n"),
    "Something else called GCTX": file_instead("P2.gctx", b"#1.3\n"),
    "An .h5ad without the layer": file_instead("P2.h5ad", layers, layer="counts"),
    "An .h5 of no known kind": file_instead("P2.h5", b"nothing"),
    "An .npz without features": file_instead("P2.npz", lambda path: np.savez(path, embeddings=np.zeros(3))),
    "An .npz that would run a program": file_instead("P2.npz", hostile),
    "A folder without .npz": file_instead("P2", lambda path: path.mkdir()),
    "An SQLite file without objects": file_instead("P2.sqlite", images_only, aggregate={}),
    "An SQLite file, but cells not wanted": file_instead("P2.sqlite", images_only),
    "A matrix with a gene twice": file_instead("P2.tsv", b"gene\ta\tb\nG1\t1\t2\nG1\t3\t4\n", format="matrix"),
    "A matrix with text": file_instead("P2.tsv", b"gene\tsymbol\tb\nG1\tTP53\t2\nG2\tMYC\t4\n", format="matrix"),
}  # fmt: skip
COLUMNS: dict[str, Change] = {
    "A column that is called otherwise": set_key("plates.columns.dose", "Dose"),
    "A column renamed on one plate": rename("well", "Well_ID"),
    "A kept column that is missing": set_key("molecules.keep", ["moa"]),
    "No feature matches": set_key("plates.features", {"prefixes": ["Nuclei_"]}),
    "A pattern that is none": set_key("plates.features", {"pattern": "("}),
    "A feature that is the cell count too": set_key("plates.columns.cell_count", FEATURES[0]),
    "A metadata table without the key": table_beside("sites.csv", PAIR, ["barcode"]),
    "A metadata table of other plates": table_beside("sites.csv", PAIR.assign(plate=["Q1", "Q2"]), ["plate"]),
    "A metadata table that says two things": both(
        table_beside("sites.csv", pd.concat([PAIR, PAIR.assign(site="Z")]), ["plate"]),
        set_key("plates.columns.keep", ["site"]),
    ),
}
WELLS: dict[str, Change] = {
    "No control": set_key("plates.control.values", ["DMSO2"]),
    "Too few controls": few_controls,
    "A dose with its unit": set_cells("dose", "10 uM"),
    "A dose with a decimal comma": set_cells("dose", "0,5"),
    "A negative dose": set_cells("dose", -1),
    "A mass as a dose": both(
        set_cells("dose", "5 mg/mL", slice(0, 2)), set_cells("dose", "5 uM", slice(2, 16)),
        set_key("plates.tables", ["P2.csv"]), set_key("plates.columns.dose_unit", "in cell"),
    ),
    "A cell count that is text": set_cells("cells", "many"),
    "A well twice": set_cells("well", "A15", slice(11, 12)),
    "Two compounds in rows of one well": set_cells("well", "A15", slice(13, 15)),
    "Two compounds in one cell": both(
        set_cells("compound_id", "001|002"), set_key("plates.columns.compound_separator", "|")
    ),
    "A plate without a name": set_cells("plate", None),
    "A table without rows": no_rows,
    "Cells of one well with two compounds": file_instead("P2.csv", cells, aggregate={}),
    "Cells, but no column of the well": both(drop_column("well"), set_key("plates.aggregate", {})),
}  # fmt: skip
MOLECULES: dict[str, Change] = {
    "Names instead of SMILES": no_smiles,
    "Another column of SMILES": set_key("molecules.smiles", "SMILES"),
    "Identifiers that meet no well": other_identifiers,
    "An SDF without records": molecules_instead("lib.sdf", "compound_id,smiles\n001,CCO\n"),
    "A kept column called as one of dssl's": both(
        lambda lab: lab.molecules.insert(0, "inchikey", "x"), set_key("molecules.keep", ["inchikey"])
    ),
}
CHECKED = {
    "Settings": SETTINGS,
    "Files": FILES,
    "Columns": COLUMNS,
    "Wells": WELLS,
    "Molecules": MOLECULES,
}
VALUES: dict[str, Change] = {
    "Text among the values of a feature": set_cells(FEATURES[1], "saturated"),
    "Controls that are all empty": both(set_cells(FEATURES[1], None, slice(0, 9)), set_cells(FEATURES[2], None, slice(0, 9))),
    "Counts below zero": set_key("plates.counts", {}),
}  # fmt: skip


def checked(change: Change, lab: Lab) -> str:
    """The answer of `dssl check` to a fault."""
    change(lab)
    try:
        errors = lab.check().errors
    except DsslError as error:
        errors = [str(error)]
    assert errors, "no error was found"
    return _anywhere(errors[0], lab)


def _anywhere(answer: str, lab: Lab) -> str:
    """An answer without the folder of the day, and without what other libraries say in their own versions' words."""
    return FOREIGN.sub(r"\1 (what the library says)", answer.replace(f"{lab.folder}/", ""))


def run(change: Change, lab: Lab) -> str:
    """The answer of the step `normalize_plate` to a fault of P2.csv."""
    change(lab)
    lab.write()
    screen, out = load_screen(lab.folder / "lab.yaml"), lab.folder / "out"
    try:
        normalize_plate(
            settings=screen.normalize_plate, plates=screen.plates, table=Path("P2.csv"), plate_list=None,
            metadata=None, profiles=out / "P2.h5ad", quality=out / "P2.tsv",
        )  # fmt: skip
    except DsslError as error:
        return _anywhere(str(error), lab)
    raise AssertionError("no error was found")


def rejected(lab: Lab) -> pd.DataFrame:
    """What standardize_molecules lists of a table in which every molecule but one is faulty."""
    faulty = {
        "004": "", "005": "c1ccc", "006": "C(C)(C)(C)(C)C", "007": "[H][H]", "008": "*CC", "009": "C" * 151,
        "010": "COc1cc(Cc2cnc(N)nc2N)cc(OC)c1OC.Cc1cc(NS(=O)(=O)c2ccc(N)cc2)no1",
    }  # fmt: skip
    rows = [("001", "CCO"), *faulty.items(), ("011", "CCN"), ("011", "CCCN"), ("", "CCCC")]
    lab.molecules = pd.DataFrame(rows, columns=["compound_id", "smiles"])
    lab.write()
    screen = load_screen(lab.folder / "lab.yaml")
    tables = {name: lab.folder / f"{name}.tsv" for name in ("molecules", "aliases", "rejected", "merged", "changed")}
    standardize_molecules(
        settings=screen.standardize_molecules, columns=screen.molecules, table=Path("molecules.csv"), **tables
    )
    return pd.read_csv(tables["rejected"], sep="\t", dtype=str).fillna("")


def document(new_lab: Callable[[], Lab]) -> str:
    """The whole page."""
    parts = [OPENING]
    for title, faults in CHECKED.items():
        parts.append(f"## {title}\n")
        parts += [entry(name, checked(change, new_lab())) for name, change in faults.items()]
    parts.append("## Values\n")
    parts += [entry(name, run(change, new_lab())) for name, change in VALUES.items()]
    parts.append(
        "## Molecules that are left out\n\nThese stop nothing: `standardize_molecules` lists them in `rejected.tsv`, and"
        " their wells are\nlisted in `pair_and_split/excluded_wells.tsv`.\n"
    )
    rows = rejected(new_lab())
    lines = ["| SMILES | reason |", "|---|---|"]
    lines += [f"| {_code(smiles)} | {reason} |" for smiles, reason in zip(rows["smiles"], rows["reason"], strict=True)]
    return "\n".join([*parts, *lines]) + "\n"


def entry(name: str, answer: str) -> str:
    quoted = "\n".join(f"    {line}" for line in answer.splitlines())
    return f"**{name}**\n\n{quoted}\n"


def _code(smiles: str) -> str:
    shown = smiles if len(smiles) <= 40 else f"{smiles[:37]}..."
    return f"`{shown}`" if shown else ""


def main() -> None:
    """Write the page."""
    with tempfile.TemporaryDirectory() as parent:

        def new_lab() -> Lab:
            folder = Path(tempfile.mkdtemp(dir=parent))
            os.chdir(folder)
            return Lab(folder)

        DOCUMENT.write_text(document(new_lab), encoding="utf-8")


if __name__ == "__main__":
    main()
