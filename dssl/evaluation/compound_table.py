"""One row per compound: what was measured, how it was found when it was held out, and whether to look at it first."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dssl import keys
from dssl.errors import TableError, first_few
from dssl.evaluation.compound_columns import COMPOUND_ID, INCHIKEY, MEASURED, NAME, SMILES
from dssl.evaluation.libraries import WHOLE
from dssl.evaluation.ranks import MEAN_NORMALIZED_RANK
from dssl.evaluation.retrieval import DIRECTIONS

SEPARATOR = ";"  # between the doses of a compound
MODEL, LEVEL = "dssl", "compound"
WORDS = {
    keys.ACTIVE: ("active", "activity not called", "not active"),
    keys.CONFIDENT: ("found in both directions", "never held out", "not found in both directions"),
    keys.NOVEL: ("novel structure", "similarity not known", "structure like a training molecule's"),
}


def compound_table(
    ids: Sequence[str],
    molecules: pd.DataFrame,
    wells: pd.DataFrame,
    kept: Sequence[str],
    found: pd.DataFrame,
    activity: pd.DataFrame,
    seen: "pd.Series[bool]",
    novel_below: float,
    confident_above: float,
) -> pd.DataFrame:
    """The compound table; `dssl.evaluation.compound_columns` says what its columns mean.

    Parameters
    ----------
    ids : compound_id of every row, in order.
    molecules : name, smiles, inchikey and the columns `kept`, by compound_id.
    wells : obs of the wells in use.
    kept : metadata columns of the molecules. One that is called like a column of the table becomes "molecules.<name>".
    found : `held_out_ranks`, and training_similarity, by compound_id; of held-out compounds only.
    activity : activity_map, activity_p_fdr and active, by compound_id.
    seen : whether the model that is handed over was trained on the compound, by compound_id.
    novel_below : Tanimoto similarity.
    confident_above : percentile, 0 to 1.

    Raises
    ------
    TableError
        If a compound has no molecule.
    """
    rows = pd.Index(list(ids))
    unknown = rows.difference(molecules.index)
    if len(unknown):
        raise TableError(
            f"describe_compounds: {len(unknown)} of {len(rows)} compounds have no molecule: {first_few(unknown)}\n"
            "The embedding is of other pairs: run embed_screen again."
        )
    own = [column.name for column in (COMPOUND_ID, NAME, SMILES, INCHIKEY, *MEASURED)]
    carried = {name: f"molecules.{name}" if name in own else name for name in kept}
    parts = [
        molecules[[keys.NAME, keys.SMILES, keys.INCHIKEY]],
        molecules[list(kept)].rename(columns=carried),
        measured(wells),
        activity,
        found,
    ]
    table = pd.concat([part.reindex(rows) for part in parts], axis=1)
    table[keys.SEEN_IN_HANDOVER_MODEL] = seen.reindex(rows).astype("boolean")
    table[keys.ACTIVE] = table[keys.ACTIVE].astype("boolean")
    table = prioritized(table, novel_below, confident_above)
    names = [*own[:4], *carried.values(), *(column.name for column in MEASURED)]
    return table.rename_axis(keys.COMPOUND_ID).reset_index()[names]


def measured(wells: pd.DataFrame) -> pd.DataFrame:
    """Wells, plates, doses and mean cell count of every compound; wells that were pooled count as what they stand for."""
    compound = wells[keys.COMPOUND_ID].astype(str).to_numpy()
    n_wells = wells[keys.N_WELLS].to_numpy(np.float64) if keys.N_WELLS in wells else np.ones(len(wells))
    grouped = pd.Series(n_wells).groupby(compound, sort=False)
    found = pd.DataFrame({keys.N_WELLS: grouped.sum().astype(np.int64)})
    # pooled wells name their plates with "|" between them
    plates = wells[keys.PLATE].astype(str).str.split("|", regex=False)
    found[keys.N_PLATES] = plates.groupby(compound, sort=False).agg(lambda cells: len(set().union(*cells)))
    doses = wells[keys.DOSE_UM].astype(float) if keys.DOSE_UM in wells else pd.Series(np.nan, wells.index)
    found[keys.DOSES_UM] = doses.groupby(compound, sort=False).agg(_joined)
    count = wells[keys.CELL_COUNT].to_numpy(np.float64) if keys.CELL_COUNT in wells else np.full(len(wells), np.nan)
    weight = pd.Series(np.where(np.isnan(count), 0.0, n_wells)).groupby(compound, sort=False).sum()
    total = pd.Series(np.nan_to_num(count) * n_wells).groupby(compound, sort=False).sum()
    found[keys.CELL_COUNT] = (total / weight.where(weight > 0)).round(6)
    return found


def _joined(doses: "pd.Series[float]") -> str:
    return SEPARATOR.join(f"{dose:.6g}" for dose in sorted(set(doses.dropna())))


def held_out_ranks(queries: pd.DataFrame) -> pd.DataFrame:
    """Rank and percentile of every held-out compound among all that its fold held out, in both directions.

    The mean normalised rank m of a library of n gives the expected rank 1 + m (n - 1) and the percentile 1 - m.

    Parameters
    ----------
    queries : as `dssl.evaluation.retrieval.evaluate_embedding` gives them, of one or more folds; of a compound that
        several folds held out, the first one counts.

    Returns
    -------
    DataFrame
        fold, library_size, chance_rank, ranks and percentiles, by compound_id.
    """
    chosen = queries[
        (queries["method"] == MODEL) & (queries["level"] == LEVEL) & (queries["library"] == WHOLE)
    ].drop_duplicates([keys.COMPOUND_ID, "direction"])
    found: list[pd.DataFrame] = []
    for direction in DIRECTIONS:
        scored = chosen[chosen["direction"] == direction].set_index(keys.COMPOUND_ID)
        size = scored[keys.LIBRARY_SIZE].astype(np.int64)
        above = scored[MEAN_NORMALIZED_RANK].where(size > 1)
        ranks = pd.DataFrame(
            {f"rank_{direction}": 1 + above.fillna(0) * (size - 1), f"percentile_{direction}": 1 - above}
        ).round(6)
        if not found:
            chance = pd.DataFrame(
                {keys.FOLD: scored[keys.FOLD].astype(str), keys.LIBRARY_SIZE: size, keys.CHANCE_RANK: (size + 1) / 2}
            )
            found.append(chance)
        found.append(ranks)
    return pd.concat(found, axis=1)


def prioritized(table: pd.DataFrame, novel_below: float, confident_above: float) -> pd.DataFrame:
    """Add novel, confident, priority and priority_reason to the compounds.

    The order is lexicographic: active, then confident, then novel (an unknown answer stands between yes and no), then
    the lower of the two held-out percentiles, then the order of the table.
    """
    lower = table[list(keys.PERCENTILES)].min(axis=1, skipna=False)
    similarity = table[keys.TRAINING_SIMILARITY]
    added = table.assign(
        **{
            keys.NOVEL: (similarity < novel_below).astype("boolean").where(similarity.notna()),
            keys.CONFIDENT: (lower >= confident_above).astype("boolean").where(lower.notna()),
        }
    )
    answers = {name: added[name].map({True: 0, False: 2}).fillna(1).astype(int).to_numpy() for name in WORDS}
    # the last key is the first to sort by
    order = np.lexsort((-lower.fillna(-1).to_numpy(), *reversed(answers.values())))
    added[keys.PRIORITY] = np.argsort(order) + 1
    said = zip(*([words[answer] for answer in answers[name]] for name, words in WORDS.items()), strict=True)
    added[keys.PRIORITY_REASON] = ["; ".join(each) for each in said]
    return added
