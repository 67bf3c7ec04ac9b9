"""What is wrong with a screen's settings and tables, and what would run: in seconds, before anything is computed."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from dssl.errors import ConfigError, DsslError, first_few
from dssl.estimate import BASIS, estimate, table_sizes
from dssl.keys import COMPOUND_ID, IS_CONTROL, PLATE
from dssl.plan import locate, molecule_table, plate_tables, second_screen
from dssl.settings.screen import ScreenSettings

SHOWN_PLATES = 12


@dataclass
class Checked:
    """Outcome of a check: tables to print with remarks on how to read them, notes, and errors that have to be mended."""

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def check_screen(screen: ScreenSettings) -> Checked:
    """Check the tables of a screen whose settings are valid already.

    Headers, identifiers, doses, controls and structures are read; the feature values are not. Tables that a step still
    has to simulate or fetch are taken from the mirror where there is one, or else noted as not looked at.
    """
    from dssl.steps.phenotypes import read_well_columns

    result = Checked()
    molecules = _check_molecules(screen, result)
    wells = []
    listed = locate(screen, screen.plates.plate_list) if screen.plates.plate_list else None
    metadata = [_available(screen, locate(screen, each.table)) for each in screen.plates.metadata]
    for path in _tables(screen, result).values():
        source = _available(screen, path)
        if source is None or None in metadata:
            result.notes.append(f"{path}: not there yet; {_maker(screen)} will make it, its columns were not looked at")
            continue
        try:
            wells.append(read_well_columns(source, screen.plates, listed, [each for each in metadata if each]))
        except DsslError as error:
            result.errors.append(str(error))
    if wells:
        _describe_plates(pd.concat(wells), molecules, screen, result)
    if screen.second_assay is not None:
        _add_second(check_screen(second_screen(screen)), result)
    if screen.log_mlflow.enabled:
        _check_mlflow(result)
    if not result.errors:
        _estimate(screen, result)
    return result


def _check_mlflow(result: Checked) -> None:
    from dssl.mlflow import require_mlflow

    try:
        require_mlflow()
    except ConfigError as error:
        result.errors.append(str(error))


def _estimate(screen: ScreenSettings, result: Checked) -> None:
    """What will run, and how long it will take altogether."""
    sources = [_available(screen, path) for path in plate_tables(screen).values()]
    molecules = _available(screen, molecule_table(screen))
    there = [path for path in sources if path is not None]
    result.tables["jobs"] = estimate(screen, table_sizes(screen, there, molecules))
    missing = len(sources) - len(there)
    if missing and screen.simulate_screen is None:
        result.remarks.append(f"{missing} plate table(s) are not there yet: the hours are without them, and too low")
    result.remarks.append(BASIS)
    if screen.train_shared.run.device == "auto":
        result.remarks.append(
            "run.device: auto asks a cluster for no GPU; set cuda, or let the site's profile do it (docs/cluster.md)"
        )


def _add_second(second: Checked, result: Checked) -> None:
    """What was found of the second assay, marked as such; its jobs are the screen's."""
    result.tables |= {f"second assay: {name}": table for name, table in second.tables.items() if name != "jobs"}
    result.notes += [f"second_assay: {note}" for note in second.notes]
    result.errors += [f"second_assay: {error}" for error in second.errors]


def _tables(screen: ScreenSettings, result: Checked) -> dict[str, Path]:
    try:
        return plate_tables(screen)
    except DsslError as error:
        result.errors.append(str(error))
        return {}


def _maker(screen: ScreenSettings) -> str:
    return "simulate_screen" if screen.simulate_screen else "fetch_screen"


def _available(screen: ScreenSettings, path: Path) -> Path | None:
    """The table itself, or its original in the mirror; None when a step still has to make it."""
    from dssl.fetch import in_mirror, mirror_folder

    if path.exists() or (screen.simulate_screen is None and screen.fetch_screen is None):
        return path
    if screen.fetch_screen is not None and path.name in screen.fetch_screen.files:
        mirror = mirror_folder(screen.fetch_screen.folder)
        found = in_mirror(mirror, path.name) if mirror is not None else None
        return found if found is not None and found.exists() else None
    return None if screen.simulate_screen is not None else path


def _check_molecules(screen: ScreenSettings, result: Checked) -> set[str] | None:
    """Count structures; return the identifiers whose SMILES can be read, or None where there is no table yet."""
    from rdkit import rdBase

    from dssl.molecules.standardize import open_molecules, read_molecule_table
    from dssl.molecules.structure import read_structure

    source = _available(screen, molecule_table(screen))
    if source is None:
        return None
    named = screen.molecules
    try:
        frame = open_molecules(source, named)
        read_molecule_table(frame, named, str(source))
    except DsslError as error:
        result.errors.append(str(error))
        return None
    pairs = frame[[named.compound_id, named.smiles]].drop_duplicates()
    with rdBase.BlockLogs():
        valid = [isinstance(smiles, str) and read_structure(smiles) is not None for smiles in pairs[named.smiles]]
    good = pairs[valid].dropna()
    result.tables["molecules"] = pd.DataFrame(
        {
            "table": [source.name],
            "rows": [len(frame)],
            "identifiers": [pairs[named.compound_id].nunique()],
            "missing SMILES": [int(pairs[named.smiles].isna().sum())],
            "unreadable SMILES": [int(len(pairs) - sum(valid) - pairs[named.smiles].isna().sum())],
        }
    )
    if good.empty:
        result.errors.append(
            f"{source}: no SMILES of column {named.smiles!r} can be read; first: {first_few(pairs[named.smiles], 2)}\n"
            "Correct molecules.smiles."
        )
    return set(good[named.compound_id])


def _describe_plates(wells: pd.DataFrame, molecules: set[str] | None, screen: ScreenSettings, result: Checked) -> None:
    plates = wells.groupby(PLATE, sort=False)[IS_CONTROL].agg(["size", "sum"])
    plates.columns = pd.Index(["wells", "controls"])
    treated = wells[~wells[IS_CONTROL]]
    result.tables["screen"] = pd.DataFrame(
        {
            "plates": [len(plates)],
            "wells": [len(wells)],
            "controls": [int(plates["controls"].sum())],
            "treated wells": [len(treated)],
            "compounds": [treated[COMPOUND_ID].nunique()],
        }
    )
    shown = plates.reset_index()
    if len(shown) > SHOWN_PLATES:
        result.notes.append(f"{len(shown)} plates, of which the {SHOWN_PLATES} with the fewest controls are shown")
        shown = shown.nsmallest(SHOWN_PLATES, "controls")
    result.tables["plates"] = shown
    settings = screen.normalize_plate
    few = plates.index[plates["controls"] < settings.min_controls]
    if len(few) and settings.method != "none":
        message = (
            f"{len(few)} plate(s) have fewer than {settings.min_controls} control wells "
            f"(normalize_plate.min_controls): {first_few(few)}"
        )
        if settings.fallback == "error":
            result.errors.append(
                f"{message}\nCorrect plates.control, lower min_controls, or set normalize_plate.fallback: all_wells."
            )
        else:
            result.notes.append(f"{message}; they are normalised against all their wells")
    if molecules is not None:
        _describe_matches(treated, molecules, result)


def _describe_matches(treated: pd.DataFrame, molecules: set[str], result: Checked) -> None:
    counts = Counter(treated[COMPOUND_ID])
    unmatched = [compound for compound in counts if compound not in molecules]
    if len(unmatched) == len(counts):
        result.errors.append(
            f"no compound of the wells ({first_few(unmatched, 3)}) is in the molecule table "
            f"({first_few(sorted(molecules), 3)})\nCorrect plates.columns.compound_id or molecules.compound_id."
        )
    elif unmatched:
        lost = sum(counts[compound] for compound in unmatched)
        result.notes.append(
            f"{len(unmatched)} of {len(counts)} compounds have no readable structure and are left out "
            f"({lost} wells): {first_few(repr(each) for each in unmatched)}"
        )
