"""The user's molecules -> one clean row per compound, with every id that was folded in or refused."""

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from dssl.errors import TableError, first_few
from dssl.io import read_table
from dssl.keys import COMPOUND_ID, INCHIKEY, NAME, SCAFFOLD, SKELETON, SMILES
from dssl.molecules.parallel import map_in_chunks
from dssl.molecules.sdf import ENDINGS, read_sdf
from dssl.molecules.structure import Structure, standardize_chunk
from dssl.settings.inputs import MoleculeTableSettings
from dssl.settings.preparation import StandardizeMoleculesSettings

logger = logging.getLogger(__name__)

INPUT_ID = "input_id"
REASON = "reason"
N_INPUTS = "n_inputs"
_MADE = (COMPOUND_ID, INCHIKEY, SKELETON, SCAFFOLD, N_INPUTS)


@dataclass(frozen=True)
class StandardizedMolecules:
    """What became of every input id: it is in exactly one of `aliases` and `rejected`.

    Attributes
    ----------
    molecules : DataFrame
        compound_id, name, smiles, inchikey, skeleton, scaffold, n_inputs, and the kept columns; one row per compound.
    aliases : DataFrame
        input_id, compound_id: every input id that survived.
    rejected : DataFrame
        input_id ("" where the table has none), smiles, reason.
    merged : DataFrame
        input_id, compound_id, reason: ids that became part of another id's compound.
    changed : DataFrame
        input_id, smiles, standardized, changes: accepted ids that lost fragments or charges.
    """

    molecules: pd.DataFrame
    aliases: pd.DataFrame
    rejected: pd.DataFrame
    merged: pd.DataFrame
    changed: pd.DataFrame


def standardize_molecules(
    frame: pd.DataFrame, settings: StandardizeMoleculesSettings, n_jobs: int = 1
) -> StandardizedMolecules:
    """Standardise structures and merge ids that are the same compound.

    Rows may repeat (plate tables that hold SMILES). An id is refused if it has no SMILES, if its SMILES is refused
    (unparseable, no heavy atoms, too many, no InChIKey), or if it has several structures: which one was meant is
    never guessed. Rows without SMILES do not count where other rows of the id have one. Compounds that agree in
    `settings.merge_by` are one, named by the first of their ids in table order, with its SMILES.

    Of several values in the rows of a compound, `name` is the first that is there (the compound_id if none is); of
    the kept columns, numbers give the first that is not missing, text all distinct values in order, joined by "|".

    Parameters
    ----------
    frame : DataFrame
        Columns input_id, smiles, name, and any kept columns.
    settings : StandardizeMoleculesSettings
        What is cleaned and merged.
    n_jobs : int
        Processes; the result does not depend on it.

    Raises
    ------
    TableError
        If a column is missing, a kept column has the name of one that is made here, or no molecule survives.
    """
    _check_columns(frame)
    rows = frame.assign(**{column: _as_text(frame[column]) for column in (INPUT_ID, SMILES, NAME)})
    rows = rows.reset_index(drop=True)
    distinct = [smiles for smiles in rows[SMILES].unique() if smiles]
    worker = partial(standardize_chunk, settings=settings)
    structures = dict(zip(distinct, map_in_chunks(worker, distinct, n_jobs, "standardising"), strict=True))
    ids = _judge_ids(rows[[INPUT_ID, SMILES]].drop_duplicates(), structures, settings)
    rejected = ids.loc[ids[REASON] != "", [INPUT_ID, SMILES, REASON]].reset_index(drop=True)
    accepted = ids[ids[REASON] == ""]
    if accepted.empty:
        raise TableError(
            f"no molecule survives of {len(ids)} id(s); first: {first_few(rejected[REASON], 2)}\n"
            "Correct molecules.smiles (the column of the SMILES) or the table."
        )
    key = accepted[SMILES].map(lambda smiles: getattr(structures[smiles], settings.merge_by))
    accepted = accepted.assign(**{COMPOUND_ID: accepted.groupby(key, sort=False)[INPUT_ID].transform("first")})
    aliases = accepted[[INPUT_ID, COMPOUND_ID]].reset_index(drop=True)
    merged = aliases[aliases[INPUT_ID] != aliases[COMPOUND_ID]].reset_index(drop=True)
    merged[REASON] = f"same {settings.merge_by}"
    molecules = _compound_table(rows, accepted, structures)
    changed = _changed(accepted, structures)
    logger.info(
        "%d rows, %d ids: %d compounds, %d ids merged into them, %d rejected; %d lost salts, solvents or charges",
        len(rows),
        len(ids),
        len(molecules),
        len(merged),
        len(rejected),
        len(changed),
    )
    return StandardizedMolecules(molecules, aliases, rejected, merged, changed)


def open_molecules(path: Path, columns: MoleculeTableSettings) -> pd.DataFrame:
    """Read the user's molecules: the columns that the settings name of a table, or all of an SDF.

    Raises
    ------
    TableError
        If the file cannot be read, or lacks a column.
    """
    if path.name.endswith(ENDINGS):
        return read_sdf(path)
    named = [columns.compound_id, columns.smiles, columns.name or columns.compound_id, *columns.keep]
    return read_table(
        path,
        columns=list(dict.fromkeys(named)),
        text_columns=[columns.compound_id, columns.smiles, *columns.keep],
    )


def read_molecule_table(frame: pd.DataFrame, columns: MoleculeTableSettings, where: str) -> pd.DataFrame:
    """Bring the user's table into the form that `standardize_molecules` takes: input_id, smiles, name, kept columns.

    Parameters
    ----------
    frame : DataFrame
        The user's table.
    columns : MoleculeTableSettings
        What its columns are called.
    where : str
        The table's name, for messages.

    Raises
    ------
    TableError
        If a column is missing, or a kept column has the name of one that standardising writes.
    """
    roles = {INPUT_ID: columns.compound_id, SMILES: columns.smiles, NAME: columns.name or columns.compound_id}
    kept = [column for column in dict.fromkeys(columns.keep) if roles.get(column) != column]
    absent = [column for column in dict.fromkeys([*roles.values(), *kept]) if column not in frame.columns]
    if absent:
        raise TableError(
            f"{where}: no column {first_few(absent)}; it has {first_few(frame.columns, 12)}\n"
            "Correct the names under molecules in the settings."
        )
    taken = [column for column in kept if column in roles]
    if taken:
        raise TableError(
            f"{where}: molecules.keep: {first_few(taken)}: a column of this name is made from another one\n"
            f"Rename it in the table, or name it as molecules.{taken[0]} in the settings."
        )
    table = pd.DataFrame({role: frame[column] for role, column in roles.items()} | {each: frame[each] for each in kept})
    _check_columns(table)
    return table


def _check_columns(frame: pd.DataFrame) -> None:
    missing = [column for column in (INPUT_ID, SMILES, NAME) if column not in frame.columns]
    if missing:
        raise TableError(
            f"the molecules need the columns input_id, smiles and name; found no {first_few(missing)}\n"
            "Correct molecules.compound_id, molecules.smiles or molecules.name in the settings."
        )
    taken = [column for column in _MADE if column in frame.columns]
    if taken:
        raise TableError(
            f"molecules.keep: {first_few(taken)}: standardising writes a column of this name itself\n"
            "Rename it in the table, or leave it out of molecules.keep."
        )


def _as_text(values: pd.Series) -> pd.Series:
    return values.map(lambda value: str(value).strip(), na_action="ignore").astype(object).fillna("")


def _judge_ids(
    pairs: pd.DataFrame, structures: dict[str, Structure], settings: StandardizeMoleculesSettings
) -> pd.DataFrame:
    """One row per id (one per SMILES without an id): input_id, smiles, reason ("" = accepted), in table order."""
    judged: list[tuple[str, str, str]] = []
    for identifier, given in pairs.groupby(INPUT_ID, sort=False)[SMILES].agg(list).items():
        candidates = [smiles for smiles in given if smiles]
        if identifier == "":
            judged += [("", smiles, "no identifier") for smiles in given]
        elif not candidates:
            judged.append((str(identifier), "", "no SMILES"))
        else:
            judged.append((str(identifier), candidates[0], _why_rejected(candidates, structures, settings)))
    return pd.DataFrame(judged, columns=[INPUT_ID, SMILES, REASON])


def _why_rejected(
    candidates: list[str], structures: dict[str, Structure], settings: StandardizeMoleculesSettings
) -> str:
    by_identity: dict[str, str] = {}
    for smiles in candidates:
        structure = structures[smiles]
        by_identity.setdefault(smiles if structure.reason else getattr(structure, settings.merge_by), smiles)
    if len(by_identity) > 1:
        return f"{len(by_identity)} different structures for one id: {first_few(by_identity.values(), 3)}"
    return structures[candidates[0]].reason


def _changed(accepted: pd.DataFrame, structures: dict[str, Structure]) -> pd.DataFrame:
    own = [structures[smiles] for smiles in accepted[SMILES]]
    table = accepted[[INPUT_ID, SMILES]].assign(
        standardized=[each.smiles for each in own], changes=[each.changes for each in own]
    )
    return table[table["changes"] != ""].reset_index(drop=True)


def _compound_table(rows: pd.DataFrame, accepted: pd.DataFrame, structures: dict[str, Structure]) -> pd.DataFrame:
    first = accepted.drop_duplicates(COMPOUND_ID)
    chosen = [structures[smiles] for smiles in first[SMILES]]
    table = pd.DataFrame(
        {
            COMPOUND_ID: first[COMPOUND_ID].to_numpy(),
            SMILES: [structure.smiles for structure in chosen],
            INCHIKEY: [structure.inchikey for structure in chosen],
            SKELETON: [structure.skeleton for structure in chosen],
            SCAFFOLD: [structure.scaffold for structure in chosen],
        }
    )
    compound = rows[INPUT_ID].map(dict(zip(accepted[INPUT_ID], accepted[COMPOUND_ID], strict=True)))
    table[N_INPUTS] = table[COMPOUND_ID].map(accepted.groupby(COMPOUND_ID).size()).astype(int)
    names = _combine(rows[NAME].mask(rows[NAME] == ""), compound, first_only=True)
    table.insert(1, NAME, table[COMPOUND_ID].map(names).fillna(table[COMPOUND_ID]))
    for column in rows.columns.drop([INPUT_ID, SMILES, NAME]):
        values = rows[column]
        combined = _combine(values, compound, first_only=pd.api.types.is_numeric_dtype(values))
        table[column] = table[COMPOUND_ID].map(combined)
    return table


def _combine(values: pd.Series, compound: pd.Series, first_only: bool) -> pd.Series:
    """One value per compound, indexed by compound_id; compounds without any value are left out."""
    pairs = pd.DataFrame({"value": values, "compound": compound}).dropna()
    if first_only:
        return pairs.groupby("compound", sort=False)["value"].first()
    pairs = pairs.assign(value=pairs["value"].astype(str)).drop_duplicates()
    return pairs.groupby("compound", sort=False)["value"].agg("|".join)
