"""Which compounds differ from the controls."""

import logging
import tempfile

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData

from dssl import keys
from dssl.phenotypes.quality import is_flagged
from dssl.phenotypes.statistics import nan_median
from dssl.settings.quality import CallActivitySettings

logger = logging.getLogger(__name__)

COLUMNS = [
    keys.COMPOUND_ID,
    "n_wells",
    "n_controls",
    "mean_average_precision",
    "chance",
    "p_value",
    "q_value",
    "active",
    "reason",
]
_DOSE = "_dose"


def call_activity(profiles: AnnData, compounds: pd.Series, settings: CallActivitySettings) -> pd.DataFrame:
    """Mean average precision of each compound's replicates against controls, by `copairs` (Kalinin et al. 2025).

    Every treated well ranks its replicates and the controls by cosine similarity; the precision is averaged over its
    replicates, and over the compound's wells. The p-value compares that mean with random rankings of as many replicates
    and controls, the q-value is Benjamini and Hochberg's over compounds. Wells with a quality flag are left out.

    Parameters
    ----------
    profiles : AnnData
        Normalised wells of the screen; missing values count as the controls' median.
    compounds : Series
        Compound of every well, indexed as the wells are; "" where it has none.
    settings : CallActivitySettings
        What counts as a replicate, and which controls it competes with.

    Returns
    -------
    DataFrame
        One row per compound, in the order of the wells: compound_id, n_wells and n_controls (wells that were used, and
        controls that a well competed with on average), mean_average_precision, chance (its expectation under random
        rankings), p_value, q_value, active, and the reason where a compound could not be called (then the rest of
        its row is missing).
    """
    wells = _wells(profiles, compounds)
    table = _all_compounds(profiles, compounds, wells)
    scored = _average_precision(profiles, wells, settings) if _can_call(wells) else pd.DataFrame()
    if len(scored):
        called = _call(scored, settings)
        table = table.merge(called, on=keys.COMPOUND_ID, how="left")
    table = table.reindex(columns=COLUMNS)
    table["reason"] = _reasons(table, wells, settings)
    is_called = table["mean_average_precision"].notna()
    logger.info(
        "%d of %d compounds are active at q <= %g; %d could not be called",
        (table["q_value"] <= settings.max_q).sum(),
        len(table),
        settings.max_q,
        (~is_called).sum(),
    )
    return table


def _wells(profiles: AnnData, compounds: pd.Series) -> pd.DataFrame:
    """Unflagged controls and treated wells with a compound, as copairs wants to know them; row: their place in X."""
    obs = profiles.obs
    control = obs[keys.IS_CONTROL].to_numpy(dtype=bool)
    named = compounds.astype(str).to_numpy(dtype=object)
    numbered = np.array([f"control {row}" for row in range(len(obs))], dtype=object)  # a control has no replicate
    wells = pd.DataFrame(
        {
            "row": np.arange(len(obs)),
            keys.COMPOUND_ID: np.where(control, numbered, named),
            _DOSE: obs[keys.DOSE_UM].fillna(-1.0).to_numpy(dtype=np.float64),
            keys.PLATE: obs[keys.PLATE].astype(str).to_numpy(),
            keys.BATCH: obs[keys.BATCH].astype(str).to_numpy(),
            keys.IS_CONTROL: control,
        }
    )
    used: pd.DataFrame = wells[~is_flagged(obs) & (control | (named != ""))].reset_index(drop=True)
    return used


def _all_compounds(profiles: AnnData, compounds: pd.Series, wells: pd.DataFrame) -> pd.DataFrame:
    treated = ~profiles.obs[keys.IS_CONTROL].to_numpy(dtype=bool)
    names = [name for name in dict.fromkeys(compounds[treated].astype(str)) if name]
    used = wells.loc[~wells[keys.IS_CONTROL], keys.COMPOUND_ID].value_counts()
    counts = used.reindex(names, fill_value=0).to_numpy()
    return pd.DataFrame({keys.COMPOUND_ID: pd.Series(names, dtype=object), "n_wells": counts})


def _can_call(wells: pd.DataFrame) -> bool:
    treated = wells.loc[~wells[keys.IS_CONTROL], keys.COMPOUND_ID]
    return bool(wells[keys.IS_CONTROL].any() and treated.duplicated().any())


def _average_precision(profiles: AnnData, wells: pd.DataFrame, settings: CallActivitySettings) -> pd.DataFrame:
    """Average precision of every treated well that has a replicate and controls; empty if none has."""
    from copairs.map import average_precision
    from copairs.matching import UnpairedException

    same = [keys.COMPOUND_ID, *([_DOSE] if settings.replicates == "treatment" else [])]
    across = {"any": [], "plate": [keys.PLATE], "batch": [keys.BATCH]}[settings.across]
    competing = [keys.PLATE] if settings.controls == "plate" else []
    values = _filled(np.asarray(profiles.X)[wells["row"]], wells[keys.IS_CONTROL].to_numpy(), settings.clip)
    try:
        scored = pd.DataFrame(
            average_precision(wells, values, same, across, competing, [keys.IS_CONTROL], progress_bar=False)
        )
    except UnpairedException:
        return pd.DataFrame()
    has_both = (scored["n_pos_pairs"] > 0) & (scored["n_total_pairs"] > scored["n_pos_pairs"])
    return pd.DataFrame(scored[has_both & ~scored[keys.IS_CONTROL].astype(bool)])


def _filled(
    values: npt.NDArray[np.float32], is_control: npt.NDArray[np.bool_], clip: float | None
) -> npt.NDArray[np.float32]:
    medians = np.nan_to_num(nan_median(values[is_control].astype(np.float64)))
    filled = np.where(np.isnan(values), medians, values).astype(np.float32)
    return filled if clip is None else np.clip(filled, -clip, clip)


def _call(scored: pd.DataFrame, settings: CallActivitySettings) -> pd.DataFrame:
    from copairs.map import mean_average_precision
    from copairs.map.normalization import expected_ap

    with tempfile.TemporaryDirectory() as cache:
        found = mean_average_precision(
            scored,
            [keys.COMPOUND_ID],
            settings.null_size,
            settings.max_q,
            settings.seed,
            progress_bar=False,
            max_workers=1,
            cache_dir=cache,
        )
    negatives = scored["n_total_pairs"] - scored["n_pos_pairs"]
    sizes = pd.DataFrame({"positive": scored["n_pos_pairs"], "negative": negatives})
    expected = {each: expected_ap(*each) for each in sizes.drop_duplicates().itertuples(index=False, name=None)}
    chance = pd.Series([expected[each] for each in sizes.itertuples(index=False, name=None)], index=scored.index)
    by_compound = scored[keys.COMPOUND_ID]
    return pd.DataFrame(
        {
            keys.COMPOUND_ID: found[keys.COMPOUND_ID],
            "mean_average_precision": found["mean_average_precision"].astype(float),
            "chance": found[keys.COMPOUND_ID].map(chance.groupby(by_compound).mean()),
            "n_controls": found[keys.COMPOUND_ID].map(negatives.groupby(by_compound).mean()),
            "p_value": found["p_value"].astype(float),
            "q_value": found["corrected_p_value"].astype(float),
            "active": found["corrected_p_value"] <= settings.max_q,
        }
    )


def _reasons(table: pd.DataFrame, wells: pd.DataFrame, settings: CallActivitySettings) -> list[str]:
    """Why a compound could not be called; "" where it was."""
    if not wells[keys.IS_CONTROL].any():
        return ["the screen has no unflagged control wells"] * len(table)
    what = "the same compound" + (" and dose" if settings.replicates == "treatment" else "")
    elsewhere = "" if settings.across == "any" else f" in another {settings.across}"
    nobody = f"no well has a replicate ({what}{elsewhere}) and a control to compete with"
    few = {0: "every well carries a quality flag", 1: "one well only"}
    return [
        "" if known else few.get(n, nobody)
        for known, n in zip(table["mean_average_precision"].notna(), table["n_wells"], strict=True)
    ]
