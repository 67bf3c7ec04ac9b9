"""A commented starting YAML, made by looking at a user's tables."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import yaml

from dssl.errors import TableError, first_few
from dssl.io import read_table
from dssl.molecules.sdf import ENDINGS as SDF
from dssl.molecules.sdf import read_sdf
from dssl.phenotypes.formats.opening import format_of, open_wells
from dssl.phenotypes.formats.source import Source, at_once
from dssl.settings.inputs import PlateTableSettings

ROWS_READ = 2000
GUESSES = {
    "smiles": r"smiles",
    "inchikey": r"inchi[ _]?key",
    "compound_id": r"^(compound[ _]?id|.*broad_sample|.*pert_id|perturbagen|.*compound|.*jcp\d*|drugbank_id|.*brd.*)$",
    "name": r"(compound|pert|drug|molecule)?[ _]*(i?name)$",
    "plate": r"plate([ _]?(id|barcode|name))?$",
    "well": r"well([ _]?(id|position|name))?$",
    "batch": r"batch",
    "dose": r"(dose|conc)",
    "cell_count": r"(cell[ _]?count|count_cells|cells_count|number_of_cells)",
    "control": r"(control[ _]?type|pert_type|role|well[ _]?type)",
}
CONTROL_VALUES = ("negcon", "negative", "control", "dmso", "ctl_vehicle", "vehicle", "neg")
NAMED_ALIKE = ("ENSG", "DP_", "emb", "feature")
MOST_LISTED = 50
CELLPROFILER = ("Cells_", "Cytoplasm_", "Nuclei_", "Image_")


def describe_screen(tables: Sequence[Path], name: str) -> str:
    """Write the YAML of a screen by guessing what the columns of its tables mean; every guess is marked as one.

    Parameters
    ----------
    tables : sequence of paths
        Plate tables; a table with SMILES but without features is taken as the table of molecules.
    name : str
        Name of the screen.

    Raises
    ------
    TableError
        If a table cannot be read, or none holds wells with features.
    """
    headers = {path: _open(path).columns for path in tables}
    plates = [path for path, columns in headers.items() if _features(path, columns)]
    if not plates:
        raise TableError(
            f"none of {first_few(tables)} has feature columns (numbers, ten or more)\n"
            "Name the tables of wells with their features, one row per well."
        )
    with_smiles = [path for path, columns in headers.items() if _guess("smiles", columns)]
    molecules = next((path for path in with_smiles if path not in plates), with_smiles[0] if with_smiles else None)
    return "\n".join(
        [
            "# Written by `dssl new-screen`. Lines with 'guess' were read off the tables: check them, then run",
            "# `dssl check` on this file. Every key is explained in config/README.md.",
            "",
            f"screen: {_quoted(name)}",
            "",
            *_molecule_lines(molecules, headers[molecules] if molecules else []),
            "",
            *_plate_lines(plates, headers[plates[0]]),
            "",
            "pair_and_split:",
            "  split: skeleton  # held-out compounds share no InChIKey skeleton with training; scaffold is stricter",
            "  n_folds: 5",
            "",
        ]
    )


def _open(path: Path) -> Source:
    """A file of any format but SQLite, whose wells are known only when their columns are."""
    if path.name.endswith(SDF):
        return at_once(read_sdf(path))
    if format_of(path) == "sqlite":
        raise TableError(
            f"{path}: new-screen cannot guess from an SQLite file\n"
            "Start from another table's YAML, and set plates.aggregate and plates.columns (Image_Metadata_Well, ...)."
        )
    return open_wells(path, PlateTableSettings(), [])


def _guess(what: str, columns: Sequence[str]) -> str | None:
    """Column whose name, without a Metadata_ prefix, looks like `what`."""
    for column in columns:
        if re.search(GUESSES[what], column.removeprefix("Metadata_").strip(), flags=re.IGNORECASE):
            return column
    return None


def _line(key: str, column: str | None, missing: str = "null") -> str:
    if column is None:
        return f"    {key}: {missing}  # guess: no such column was found"
    return f"    {key}: {_quoted(column)}  # guess"


def _quoted(text: object) -> str:
    """Text as YAML reads it back; in quotes where it would be a number, a truth value or a sign otherwise."""
    plain = re.fullmatch("[A-Za-z][A-Za-z0-9_./-]*", str(text)) and yaml.safe_load(str(text)) == str(text)
    return str(text) if plain else json.dumps(str(text), ensure_ascii=False)


def _molecule_lines(path: Path | None, columns: Sequence[str]) -> list[str]:
    if path is None:
        return [
            "molecules:",
            "  table: TABLE  # no table with a column of SMILES was named: write its path here",
            "  compound_id: COLUMN  # the identifier that the wells refer to",
            "  smiles: COLUMN",
        ]
    identifier = _identifier(columns)
    return [
        "molecules:",
        f"  table: {_quoted(path)}",
        _line("compound_id", identifier, "COLUMN")[2:],
        _line("smiles", _guess("smiles", columns), "COLUMN")[2:],
        _line("name", _guess("name", columns))[2:],
        "  keep: []  # further columns to carry along, such as mechanism and target",
    ]


def _identifier(columns: Sequence[str]) -> str | None:
    return _guess("compound_id", columns) or _guess("inchikey", columns)


def _plate_lines(paths: list[Path], columns: Sequence[str]) -> list[str]:
    lines = ["plates:", "  tables:"]
    lines += [f"    - {_quoted(path)}" for path in paths]
    keys = [column for column in (_guess("plate", columns), _guess("well", columns)) if column is not None]
    if len(keys) == 2 and _open(paths[0]).read(keys, []).duplicated().any():
        lines.append("  aggregate: {statistic: median, rows: cells}  # guess: several rows of one well; or rows: sites")
    lines += ["  columns:", _line("compound_id", _identifier(columns), "COLUMN")]
    lines += [_line(key, _guess(key, columns)) for key in ("plate", "well", "batch", "dose")]
    dose = _guess("dose", columns) or ""
    unit = next((each for each in ("mM", "nM", "pM") if each in dose), "uM")
    lines += [f"    dose_unit: {unit}  # guess", _line("cell_count", _guess("cell_count", columns))]
    return [*lines, *_control_lines(paths[0], columns), *_feature_lines(paths[0], columns)]


def _control_lines(path: Path, columns: Sequence[str]) -> list[str]:
    candidates = [
        column for column in (_guess("control", columns), _identifier(columns), _guess("name", columns)) if column
    ]
    for column in candidates:
        values = _open(path).read([column], [])[column].dropna().astype(str).unique()
        found = [value for value in values if value.lower() in CONTROL_VALUES]
        if found:
            listed = ", ".join(_quoted(value) for value in found)
            return ["  control:", f"    column: {_quoted(column)}  # guess", f"    values: [{listed}]  # guess"]
    return [
        "  control:",
        "    column: COLUMN  # guess: no column was found that tells negative controls from treatments",
        "    values: [VALUE]",
    ]


def _features(path: Path, columns: Sequence[str]) -> list[str]:
    """Columns that look like features: CellProfiler's, or ten or more columns of numbers in one run."""
    profiler = [column for column in columns if column.startswith(CELLPROFILER)]
    if profiler:
        return profiler
    opened = _open(path)
    if opened.values or path.name.endswith(SDF):
        return opened.values
    frame = read_table(path).head(ROWS_READ)
    described = {_guess(what, columns) for what in GUESSES}
    numbers = [
        column
        for column in columns
        if column not in described and not column.startswith("Metadata_") and pd.api.types.is_float_dtype(frame[column])
    ]
    return numbers if len(numbers) >= 10 else []


def _feature_lines(path: Path, columns: Sequence[str]) -> list[str]:
    features = _features(path, columns)
    prefixes = [prefix for prefix in CELLPROFILER if any(column.startswith(prefix) for column in features)]
    if prefixes:
        return ["  features:", f"    prefixes: [{', '.join(prefixes)}]  # guess: {len(features)} columns"]
    if all(re.fullmatch("[0-9]+", column) for column in features):
        return ["  features:", f'    pattern: "[0-9]+"  # guess: {len(features)} columns']
    common = next((prefix for prefix in NAMED_ALIKE if all(column.startswith(prefix) for column in features)), None)
    if common is not None:
        return ["  features:", f"    prefixes: [{common}]  # guess: {len(features)} columns"]
    if len(features) > MOST_LISTED:
        others = "|".join(re.escape(column) for column in columns if column not in set(features))
        return ["  features:", f"    pattern: {json.dumps(f'(?!(?:{others})$).+')}  # guess: {len(features)} columns"]
    listed = ", ".join(_quoted(column) for column in features)
    return ["  features:", f"    names: [{listed}]  # guess: {len(features)} columns"]
