"""All plates in one AnnData of comparable profiles."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData

from dssl.errors import TableError, first_few
from dssl.keys import PLATE
from dssl.phenotypes.assembled_state import AssembledState
from dssl.phenotypes.blocklist import blocklisted
from dssl.phenotypes.cells import settle_dtypes
from dssl.phenotypes.corrections import (
    apply_corrections,
    constant_in_controls,
    fit_corrections,
    passing_controls,
    require_controls,
)
from dssl.phenotypes.quality import is_flagged, plate_rows
from dssl.phenotypes.selection import streamed_correlation, uncorrelated
from dssl.settings.preparation import AssembleProfilesSettings

logger = logging.getLogger(__name__)

ABSENT = "absent"
BLOCKLIST = "blocklist"
MISSING = "missing"
REPEATED = "repeated in controls"
CONSTANT = "constant in controls"
_DROPPED_COLUMNS = ["feature", "reason", "detail"]


@dataclass(frozen=True)
class AssembledProfiles:
    """All wells on the features that every plate has.

    Attributes
    ----------
    profiles : AnnData
        Wells of all tables in the order given, features in the order of the first table.
    dropped_features : DataFrame
        feature, reason ("absent", "blocklist", "missing", "repeated in controls", "constant in controls"), detail.
    state : AssembledState
        What new plates are treated with.
    """

    profiles: AnnData
    dropped_features: pd.DataFrame
    state: AssembledState


@dataclass(frozen=True)
class _Table:
    """What is remembered of a table while its values are not in memory."""

    obs: pd.DataFrame
    features: pd.Index
    usable: dict[str, int]  # unflagged wells of each plate
    missing: dict[str, npt.NDArray[np.intp]]  # how many of them lack each feature


def assemble_profiles(
    plates: Sequence[Any], settings: AssembleProfilesSettings, read: Callable[[Any], AnnData] = lambda plate: plate
) -> AssembledProfiles:
    """Bring normalised plates together; what is fitted here sees control wells only.

    A feature is dropped, for the first of these reasons that holds: a table lacks it; it is on the blocklist; on some
    plate it is missing in more than `max_missing_fraction` of the unflagged wells (flagged ones do not count, else a
    few empty wells would cost every feature); among the controls of all plates it repeats another one
    (`max_control_correlation`); with ComBat or sphering, it does not vary among the controls. The corrections
    (`dssl.phenotypes.corrections`) are fitted on the unflagged controls of all plates together. No well is dropped.

    Columns of obs are the union over the tables: numbers are float64 (NaN where missing), truth values bool, all else
    text ("" where missing), so that an .h5ad gives them back unchanged.

    Parameters
    ----------
    plates : sequence
        One for each table, each of one plate or several: what `normalize_plates` gives, or what `read` makes of it.
    settings : AssembleProfilesSettings
        Limits, and what to correct.
    read : callable
        Gives a table's AnnData. It is called two or three times for each, so that only one is in memory at a time,
        beside the matrix of the kept features.

    Raises
    ------
    TableError
        If there is no table, a well occurs twice, no feature is left, or a correction lacks controls or batches.
    """
    if not plates:
        raise TableError("there is no plate table to assemble; name some in plates.tables or plates.plate_list")
    tables, var = _survey(plates, read)
    obs = join_obs([table.obs for table in tables])
    require_controls(obs, settings)
    features = read_features = list(dict.fromkeys(str(name) for table in tables for name in table.features))
    dropped: list[tuple[str, str, str]] = []
    features = _keep(features, ABSENT, _absent(tables, features), dropped)
    if settings.blocklist:
        listed = dict.fromkeys(blocklisted(features), "on pycytominer's CellProfiler blocklist")
        features = _keep(features, BLOCKLIST, listed, dropped)
    features = _keep(features, MISSING, _often_missing(tables, features, settings.max_missing_fraction), dropped)
    if settings.max_control_correlation is not None:
        correlation = streamed_correlation(_control_blocks(plates, read, features))
        repeated = uncorrelated(correlation, features, settings.max_control_correlation)[1]
        features = _keep(features, REPEATED, repeated, dropped)
    values = _join_values(plates, read, len(obs), features)
    constant = constant_in_controls(values, obs, settings)
    if constant.any():
        lost = dict.fromkeys(np.asarray(features, dtype=object)[constant], "cannot be corrected with them")
        features = _keep(features, CONSTANT, lost, dropped)
        values = values[:, ~constant]
    corrections = fit_corrections(values, obs, settings)
    apply_corrections(corrections, values, obs)
    profiles = AnnData(X=values, obs=obs, var=var.loc[features].copy())
    state = AssembledState(tuple(read_features), tuple(features), corrections)
    return AssembledProfiles(profiles, pd.DataFrame(dropped, columns=_DROPPED_COLUMNS), state)


def _survey(plates: Sequence[Any], read: Callable[[Any], AnnData]) -> tuple[list[_Table], pd.DataFrame]:
    """What every table holds, and the first one's var."""
    tables, var = [], pd.DataFrame()
    for number, plate in enumerate(plates):
        adata = read(plate)
        var = adata.var if number == 0 else var
        lacking = np.isnan(np.asarray(adata.X))
        passing = ~is_flagged(adata.obs)
        own = {name: rows[passing[rows]] for name, rows in plate_rows(adata.obs).items()}
        tables.append(
            _Table(
                obs=adata.obs,
                features=adata.var_names,
                usable={name: len(rows) for name, rows in own.items()},
                missing={name: lacking[rows].sum(axis=0) for name, rows in own.items()},
            )
        )
    return tables, var


def join_obs(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The wells of all tables, with the union of their columns.

    Raises
    ------
    TableError
        If a well occurs twice.
    """
    names = list(dict.fromkeys(column for table in tables for column in table.columns))
    for column in names:
        lacking = [table for table in tables if column not in table]
        if lacking:
            shown = first_few(_plate_names(lacking))
            logger.warning("column %r is missing on %d of %d tables: %s", column, len(lacking), len(tables), shown)
    # as objects: which dtype a column gets is known only when all of its values are together
    obs = pd.concat([table.astype(object) for table in tables])
    repeated = obs.index[obs.index.duplicated()].unique()
    if len(repeated):
        raise TableError(
            f"{len(repeated)} wells occur in more than one plate table: {first_few(repeated)}"
            "\nRemove one table from plates.tables, or give the plates different names (plates.columns.plate)."
        )
    counts = pd.Series(_plate_names(tables)).value_counts(sort=False)
    split = list(counts.index[counts > 1])
    if split:
        logger.warning("plates %s are spread over several tables, each normalised by itself", first_few(split))
    return settle_dtypes(obs, names)


def _plate_names(tables: Sequence[pd.DataFrame]) -> list[str]:
    return [str(name) for table in tables for name in table[PLATE].unique()]


def _absent(tables: Sequence[_Table], features: list[str]) -> dict[str, str]:
    """Features that a table lacks, with the plates of these tables."""
    lacking: dict[str, list[str]] = {}
    wanted = pd.Index(features, dtype=object)
    for table in tables:
        for feature in wanted.difference(table.features, sort=False):
            lacking.setdefault(feature, []).extend(_plate_names([table.obs]))
    return {feature: f"not on plates {first_few(names)}" for feature, names in lacking.items()}


def _often_missing(tables: Sequence[_Table], features: list[str], max_fraction: float) -> dict[str, str]:
    """Features missing too often on some plate, with the plate where they are missing most."""
    usable: dict[str, int] = {}
    missing: dict[str, npt.NDArray[np.intp]] = {}
    for table in tables:
        columns = table.features.get_indexer(pd.Index(features, dtype=object))
        for plate, counts in table.missing.items():
            usable[plate] = usable.get(plate, 0) + table.usable[plate]
            missing[plate] = missing.get(plate, 0) + counts[columns]
    worst = np.zeros(len(features))
    where = np.full(len(features), "", dtype=object)
    for plate, n in usable.items():
        share = missing[plate] / max(n, 1)
        where[share > worst] = plate
        worst = np.maximum(share, worst)
    return {
        features[column]: f"in {worst[column]:.1%} of the wells of plate {where[column]}"
        for column in np.flatnonzero(worst > max_fraction)
    }


def _control_blocks(
    plates: Sequence[Any], read: Callable[[Any], AnnData], features: list[str]
) -> Iterator[npt.NDArray[np.float32]]:
    for plate in plates:
        adata = read(plate)
        yield np.asarray(adata.X)[passing_controls(adata.obs)][:, adata.var_names.get_indexer(features)]


def _join_values(
    plates: Sequence[Any], read: Callable[[Any], AnnData], n_wells: int, features: list[str]
) -> npt.NDArray[np.float32]:
    values = np.empty((n_wells, len(features)), dtype=np.float32)
    start = 0
    for plate in plates:
        adata = read(plate)
        stop = start + adata.n_obs
        values[start:stop] = np.asarray(adata.X)[:, adata.var_names.get_indexer(features)]
        start = stop
    return values


def _keep(features: list[str], reason: str, found: Mapping[str, str], dropped: list[tuple[str, str, str]]) -> list[str]:
    """Features that were not found for this reason; those that were are noted in `dropped`."""
    dropped += [(feature, reason, found[feature]) for feature in features if feature in found]
    if found:
        logger.info("%d of %d features are dropped (%s)", len(found), len(features), reason)
    kept = [feature for feature in features if feature not in found]
    if not kept:
        reasons = pd.Series([why for _, why, _ in dropped]).value_counts()
        counted = ", ".join(f"{n} {why}" for why, n in reasons.items())
        raise TableError(
            f"no feature is left of {len(dropped)}: {counted}; the first: {dropped[0][0]} ({dropped[0][2]})"
            "\nCorrect plates.features and plates.tables, or raise assemble_profiles.max_missing_fraction."
        )
    return kept
