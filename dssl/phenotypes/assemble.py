"""All plates in one AnnData of comparable profiles."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData

from dssl.errors import TableError, first_few
from dssl.keys import IS_CONTROL, PLATE
from dssl.phenotypes.assembled_state import AssembledState
from dssl.phenotypes.blocklist import blocklisted
from dssl.phenotypes.cells import settle_dtypes, text_of
from dssl.phenotypes.quality import is_flagged, plate_rows
from dssl.phenotypes.sphering import apply_sphering, fit_sphering, varies
from dssl.settings.preparation import AssembleProfilesSettings

logger = logging.getLogger(__name__)

ABSENT = "absent"
BLOCKLIST = "blocklist"
MISSING = "missing"
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
        feature, reason ("absent", "blocklist", "missing", "constant in controls"), detail.
    state : AssembledState
        What new plates are treated with.
    """

    profiles: AnnData
    dropped_features: pd.DataFrame
    state: AssembledState


def assemble_profiles(plates: Sequence[AnnData], settings: AssembleProfilesSettings) -> AssembledProfiles:
    """Bring normalised plates together; what is fitted here sees control wells only.

    A feature is dropped, for the first of these reasons that holds: a table lacks it; it is on the blocklist; on some
    plate it is missing in more than `max_missing_fraction` of the unflagged wells (flagged ones do not count, else a
    few empty wells would cost every feature); with sphering, it does not vary among the controls. Sphering is fitted on
    the unflagged controls of all plates together. No well is dropped.

    Columns of obs are the union over the tables: numbers are float64 (NaN where missing), truth values bool, all else
    text ("" where missing), so that an .h5ad gives them back unchanged.

    Parameters
    ----------
    plates : sequence of AnnData
        One for each table, each of one plate or several, as `normalize_plates` gives them.
    settings : AssembleProfilesSettings
        Limits, and whether to sphere.

    Raises
    ------
    TableError
        If there is no table, a well occurs twice, no feature is left, or sphering finds no controls.
    """
    if not plates:
        raise TableError("there is no plate table to assemble; name some in plates.tables or plates.plate_list")
    obs = join_obs([plate.obs for plate in plates])
    features = read = list(dict.fromkeys(str(name) for plate in plates for name in plate.var_names))
    sphering = None
    dropped: list[tuple[str, str, str]] = []
    features = _keep(features, ABSENT, _absent(plates, features), dropped)
    if settings.blocklist:
        listed = dict.fromkeys(blocklisted(features), "on pycytominer's CellProfiler blocklist")
        features = _keep(features, BLOCKLIST, listed, dropped)
    profiles = AnnData(X=_join_values(plates, features), obs=obs, var=plates[0].var.loc[features].copy())
    features = _keep(features, MISSING, _often_missing(profiles, settings.max_missing_fraction), dropped)
    profiles = profiles[:, features].copy()
    if settings.sphering:
        controls = _sphering_controls(obs)
        constant = profiles.var_names[~varies(profiles.X[controls])]
        features = _keep(features, CONSTANT, dict.fromkeys(constant, "cannot be sphered"), dropped)
        profiles = profiles[:, features].copy()
        sphering = fit_sphering(profiles.X[controls], settings.sphering_epsilon)
        profiles.X = apply_sphering(sphering, profiles.X)
    state = AssembledState(tuple(read), tuple(features), sphering)
    return AssembledProfiles(profiles, pd.DataFrame(dropped, columns=_DROPPED_COLUMNS), state)


def annotate_features(adata: AnnData, annotation: pd.DataFrame, source: str) -> None:
    """Add the user's description of the features to `adata.var`.

    Parameters
    ----------
    adata : AnnData
        Its var gains the columns; a column that var has already (compartment, channel, measurement) is replaced.
        Features that the table lacks have "" or NaN there, and are counted in the log.
    annotation : DataFrame
        Indexed by the feature's name.
    source : str
        Name of the annotation's file, for messages.

    Raises
    ------
    TableError
        If a feature is described twice, no feature is described, or a column's name holds "/".
    """
    remedy = "Correct the table of plates.features.annotation: one row a feature, its name in the first column."
    table = annotation.set_axis(text_of(annotation.index.to_series()).to_numpy(), axis=0)
    table.columns = pd.Index([str(column) for column in table.columns], dtype=object)
    repeated = table.index[table.index.duplicated() & table.index.isin(adata.var_names)].unique()
    if len(repeated):
        raise TableError(f"{source}: {len(repeated)} features are described twice: {first_few(repeated)}\n{remedy}")
    known = adata.var_names.isin(table.index)
    if not known.any():
        raise TableError(
            f"{source}: describes {first_few(table.index, 3)}, but none of the {adata.n_vars} features"
            f" ({first_few(adata.var_names, 3)})\n{remedy}"
        )
    slashed = [column for column in table.columns if "/" in column]
    if slashed:
        raise TableError(f"{source}: no '/' may stand in a column's name: {first_few(map(repr, slashed))}\nRename it.")
    if not known.all():
        logger.warning("%s: %d of %d features are not described", source, (~known).sum(), adata.n_vars)
    added = table[~table.index.duplicated()].reindex(adata.var_names)
    kept = adata.var.drop(columns=[column for column in adata.var.columns if column in added.columns])
    adata.var = pd.concat([kept, settle_dtypes(added, list(added.columns))], axis=1)


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
    plate_names = [name for table in tables for name in _plate_names([table])]
    split = [name for name in dict.fromkeys(plate_names) if plate_names.count(name) > 1]
    if split:
        logger.warning("plates %s are spread over several tables, each normalised by itself", first_few(split))
    return settle_dtypes(obs, names)


def _plate_names(tables: Sequence[pd.DataFrame]) -> list[str]:
    return [str(name) for table in tables for name in table[PLATE].unique()]


def _absent(plates: Sequence[AnnData], features: list[str]) -> dict[str, str]:
    """Features that a table lacks, with the plates of these tables."""
    lacking: dict[str, list[str]] = {}
    for plate in plates:
        for feature in pd.Index(features, dtype=object).difference(plate.var_names, sort=False):
            lacking.setdefault(feature, []).extend(_plate_names([plate.obs]))
    return {feature: f"not on plates {first_few(names)}" for feature, names in lacking.items()}


def _join_values(plates: Sequence[AnnData], features: list[str]) -> npt.NDArray[np.float32]:
    values = np.empty((sum(plate.n_obs for plate in plates), len(features)), dtype=np.float32)
    start = 0
    for plate in plates:
        stop = start + plate.n_obs
        values[start:stop] = np.asarray(plate.X)[:, plate.var_names.get_indexer(features)]
        start = stop
    return values


def _often_missing(profiles: AnnData, max_fraction: float) -> dict[str, str]:
    """Features missing too often on some plate, with the plate where they are missing most."""
    usable = ~is_flagged(profiles.obs)
    worst = np.zeros(profiles.n_vars)
    where = np.full(profiles.n_vars, "", dtype=object)
    for plate, rows in plate_rows(profiles.obs).items():
        own = rows[usable[rows]]
        if own.size:
            share = np.isnan(profiles.X[own]).mean(axis=0)
            where[share > worst] = plate
            worst = np.maximum(share, worst)
    return {
        str(profiles.var_names[column]): f"in {worst[column]:.1%} of the wells of plate {where[column]}"
        for column in np.flatnonzero(worst > max_fraction)
    }


def _sphering_controls(obs: pd.DataFrame) -> npt.NDArray[np.bool_]:
    controls = obs[IS_CONTROL].to_numpy(dtype=bool)
    passing = controls & ~is_flagged(obs)
    if passing.sum() < 2:
        raise TableError(
            f"assemble_profiles.sphering needs control wells, but {passing.sum()} of {controls.sum()} controls pass"
            "\nName the controls in plates.control, or set assemble_profiles.sphering: false."
        )
    return np.asarray(passing)


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
