"""Which profile belongs to which molecule."""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from numpy.typing import NDArray
from scipy import sparse

from dssl import keys
from dssl.errors import PairingError, TableError, first_few
from dssl.pairs.splits import assign_groups, present_values, require_column, require_enough_groups
from dssl.pairs.storage import as_mudata, storable
from dssl.settings.preparation import PairAndSplitSettings

LOGGER = logging.getLogger(__name__)
INPUT_ID = "input_id"


@dataclass(frozen=True)
class Pairs:
    """Paired data, and the list of everything that is not in it.

    Attributes
    ----------
    mdata : MuData
        `phenotype` (wells) and `molecule` (compounds with at least one of these wells).
    excluded_wells : DataFrame
        Columns well, plate, compound_id (as in the table of wells), reason.
    excluded_compounds : DataFrame
        Columns compound_id, reason.
    """

    mdata: MuData
    excluded_wells: pd.DataFrame
    excluded_compounds: pd.DataFrame


def pair(profiles: AnnData, features: AnnData, aliases: pd.DataFrame, settings: PairAndSplitSettings) -> Pairs:
    """Pair wells with molecules.

    Left out and listed: controls; wells without compound, with an unknown one, or with one of `exclude_flags`;
    compounds without such wells; and, with `one_per`, the wells of compounds that repeat an observation (of those
    that agree in the column, the first in the order of the table that has wells stays; missing values repeat nothing).

    Parameters
    ----------
    profiles : AnnData
        Normalised wells x features.
    features : AnnData
        Molecules x molecular features, obs indexed by compound_id.
    aliases : DataFrame
        Columns input_id (as in the table of wells) and compound_id (as in `features`).
    settings : PairAndSplitSettings
        How to pair, and the split whose groups are stored in the molecules' obs["group"].

    Returns
    -------
    Pairs
        Text columns of obs and var are stored as categories where values repeat: what its file gives back.

    Raises
    ------
    PairingError
        If nothing can be paired, or fewer than 2 * n_folds groups remain.
    TableError
        If `aliases` is ambiguous, or the wells lack one of `exclude_flags`.
    ConfigError
        If `one_per` or a group column does not exist.
    """
    wells = profiles.obs
    found = present_values(wells[keys.COMPOUND_ID]).reindex(wells.index)
    mapped = _map_ids(found, aliases, features)
    reasons = _reasons(wells, found, mapped, settings)
    if not (reasons == "").any():
        raise PairingError(_nothing_paired(reasons, found, aliases))
    excluded_compounds = _compounds_without_wells(features.obs_names, mapped, reasons)
    if settings.one_per is not None:
        repeated = _repeated(require_column(features.obs, settings.one_per, "one_per"), mapped[reasons == ""])
        excluded_compounds = pd.concat([excluded_compounds, repeated.rename_axis(keys.COMPOUND_ID).reset_index()])
        is_repeated = (reasons == "") & mapped.isin(repeated.index)
        reasons[is_repeated] = mapped[is_repeated].map(lambda one: f"compound left out: {repeated[one]}")
    used = (reasons == "").to_numpy()
    paired = features.obs_names.isin(mapped[used])
    molecules = features.obs[paired].copy()
    molecules[keys.GROUP] = assign_groups(molecules, settings)
    require_enough_groups(molecules[keys.GROUP], settings)
    treatments = treatments_of(mapped[used], wells[keys.DOSE_UM][used])
    treated = wells[used].assign(**{keys.COMPOUND_ID: mapped[used], keys.TREATMENT: treatments})
    excluded_wells = _excluded_wells(wells, found, reasons)
    _log_counts(excluded_wells, excluded_compounds, int(used.sum()), len(molecules))
    phenotype = AnnData(_dense(profiles[used].X), obs=storable(treated), var=storable(profiles.var))
    molecule = AnnData(_sparse(features[paired].X), obs=storable(molecules), var=storable(features.var))
    return Pairs(as_mudata(phenotype, molecule), excluded_wells, excluded_compounds.reset_index(drop=True))


def _map_ids(found: pd.Series, aliases: pd.DataFrame, features: AnnData) -> pd.Series:
    """Compound of every well, missing where it is not among the molecules."""
    known = aliases[[INPUT_ID, keys.COMPOUND_ID]].astype(str).drop_duplicates()
    ambiguous = known[INPUT_ID][known[INPUT_ID].duplicated()]
    if len(ambiguous):
        raise TableError(
            f"every id must stand for one compound; {len(ambiguous)} stand for several: {first_few(ambiguous)}\n"
            "Give each row of molecules.table its own molecules.compound_id."
        )
    known = known[known[keys.COMPOUND_ID].isin(features.obs_names)]
    return found.map(known.set_index(INPUT_ID)[keys.COMPOUND_ID]).astype(object)


def _reasons(wells: pd.DataFrame, found: pd.Series, mapped: pd.Series, settings: PairAndSplitSettings) -> pd.Series:
    """Why each well is left out; empty for those that are used. The first reason that applies is given."""
    absent = [flag for flag in settings.exclude_flags if flag not in wells.columns]
    if absent:
        raise TableError(
            f"the wells have no quality flag {first_few(absent)}; they have {first_few(wells.columns, 12)}\n"
            "Remove it from pair_and_split.exclude_flags, or normalise the plates again."
        )
    reasons = pd.Series("", index=wells.index, dtype=object)
    for flag in settings.exclude_flags:
        flagged = wells[flag].to_numpy(dtype=bool)
        reasons[flagged] = reasons[flagged].map(lambda text, flag=flag: f"{text}, {flag}" if text else flag)
    unknown = found.notna() & mapped.isna()
    reasons[unknown] = found[unknown].map(lambda one: f"compound {one!r} is not among the molecules")
    reasons[found.isna()] = "no compound id"
    reasons[wells[keys.IS_CONTROL].to_numpy(dtype=bool)] = "control"
    return reasons


def _nothing_paired(reasons: pd.Series, found: pd.Series, aliases: pd.DataFrame) -> str:
    counts = ", ".join(f"{count} {kind}" for kind, count in without_names(reasons).value_counts().items())
    treated = found[reasons != "control"].dropna().unique()
    return (
        f"no well could be paired with a molecule ({counts})\n"
        f"compound ids of the wells: {first_few(treated) or 'none'}; "
        f"of the molecules: {first_few(aliases[INPUT_ID]) or 'none'}\n"
        "molecules.compound_id and plates.columns.compound_id must name columns that hold the same ids."
    )


def without_names(reasons: pd.Series) -> pd.Series:
    """Reasons without the names in them, for counting."""
    kinds = reasons.astype(str).str.replace(r"^compound .* is not among", "compound is not among", regex=True)
    return kinds.str.replace(r"\b(same .+?) as .*", r"\1 as another", regex=True)


def _compounds_without_wells(compounds: pd.Index, mapped: pd.Series, reasons: pd.Series) -> pd.DataFrame:
    used = set(mapped[reasons == ""])
    why = reasons[reasons != ""].groupby(mapped[reasons != ""]).agg(lambda texts: "; ".join(sorted(set(texts))))
    rows = [
        (compound, f"every well is excluded: {why[compound]}" if compound in why.index else "no well")
        for compound in compounds
        if compound not in used
    ]
    return pd.DataFrame(rows, columns=[keys.COMPOUND_ID, "reason"], dtype=object)


def _repeated(column: pd.Series, compounds_of_wells: pd.Series) -> pd.Series:
    """Reason for every compound that repeats the observation of an earlier one with wells."""
    values = present_values(column[column.index.isin(compounds_of_wells)])
    first = pd.Series(values.index, index=values.index).groupby(values).transform("first")
    later: pd.Series = first[first.to_numpy() != first.index.to_numpy()]
    return pd.Series([f"same {column.name} as {compound}" for compound in later], index=later.index, name="reason")


def treatments_of(compounds: pd.Series, doses_um: pd.Series) -> pd.Series:
    """Treatment of every well: compound@dose, or the compound where there is no dose."""
    doses = doses_um.map(lambda dose: f"@{dose:g}uM", na_action="ignore")
    return compounds.add(doses.astype(object).fillna(""))


def _excluded_wells(wells: pd.DataFrame, found: pd.Series, reasons: pd.Series) -> pd.DataFrame:
    left_out = (reasons != "").to_numpy()
    return pd.DataFrame(
        {
            keys.WELL: wells[keys.WELL].astype(str)[left_out].to_numpy(),
            keys.PLATE: wells[keys.PLATE].astype(str)[left_out].to_numpy(),
            keys.COMPOUND_ID: found[left_out].fillna("").to_numpy(),
            "reason": reasons[left_out].to_numpy(),
        }
    )


def _log_counts(wells: pd.DataFrame, compounds: pd.DataFrame, n_wells: int, n_compounds: int) -> None:
    LOGGER.info("paired %d wells of %d compounds", n_wells, n_compounds)
    for what, table in (("wells", wells), ("compounds", compounds)):
        for kind, count in without_names(table["reason"]).value_counts().items():
            LOGGER.info("left out %d %s: %s", count, what, kind)


def _dense(values: NDArray[np.float32] | sparse.csr_matrix) -> NDArray[np.float32]:
    filled = values.toarray() if isinstance(values, sparse.csr_matrix) else values
    return np.array(filled, dtype=np.float32, order="C")


def _sparse(values: NDArray[np.float32] | sparse.csr_matrix) -> sparse.csr_matrix:
    matrix = sparse.csr_matrix(values).astype(np.float32)
    matrix.sum_duplicates()
    return matrix
