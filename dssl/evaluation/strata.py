"""Retrieval by strata of compounds: by activity, by similarity to the training set, by dose."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from dssl import keys
from dssl.evaluation.ranks import METRICS
from dssl.evaluation.retrieval import PHENOTYPE_TO_MOLECULE
from dssl.evaluation.statistics import UNIT, bootstrap_interval

SIMILARITY, ACTIVITY, CORRELATION, LENGTH, DOSE = (
    "nearest_training_similarity",
    "active",
    "replicate_correlation",
    "profile_length",
    "dose_um",
)
THIRDS = ("lowest third", "middle third", "highest third")
ONE_WELL = "one well only"
FEWEST = 5  # compounds of a stratum: an interval drawn from fewer would be narrow by accident, and is left out
REPLICATED = 0.5  # share of compounds with replicates above which their agreement says something of the screen
SETTING = ["level", "direction", "library"]
STRATA_COLUMNS = [
    "by",
    "stratum",
    *SETTING,
    "method",
    "metric",
    "value",
    "ci_low",
    "ci_high",
    "chance",
    "n_compounds",
    "n_queries",
    "library_size",
]


def similarity_strata(similarity: "pd.Series[float]", edges: Sequence[float]) -> pd.Series:
    """Bins of a similarity, 0 to 1: ordered categories like "0.3 to 0.4"; an edge belongs to the bin above."""
    bounds = [0.0, *sorted(edges), 1.0]
    names = [f"{low:g} to {high:g}" for low, high in pairwise(bounds)]
    place = np.searchsorted(bounds[1:-1], similarity.to_numpy(np.float64), side="right")
    return pd.Series(pd.Categorical([names[each] for each in place], names, ordered=True), index=similarity.index)


def third_strata(values: "pd.Series[float]") -> pd.Series:
    """Thirds of a measure over all rows, as ordered categories; rows without a value are "one well only"."""
    known = values.dropna()
    bounds = np.quantile(known, [1 / 3, 2 / 3]) if len(known) else np.zeros(2)
    names = pd.Series(
        [THIRDS[each] for each in np.searchsorted(bounds, known, side="right")], known.index, dtype=object
    )
    filled = names.reindex(values.index, fill_value=ONE_WELL)
    return pd.Series(pd.Categorical(filled, [*THIRDS, ONE_WELL], ordered=True), index=values.index)


def assign_strata(described: pd.DataFrame, edges: Sequence[float]) -> Iterator[tuple[str, pd.Series]]:
    """Strata of described compounds by every measure that most of them have, as ordered categories."""
    yield SIMILARITY, similarity_strata(described[SIMILARITY], edges)
    if ACTIVITY in described and described[ACTIVITY].notna().any():
        names = described[ACTIVITY].map({True: "active", False: "inactive"}).astype(object).fillna("not assessed")
        order = ["active", "inactive", "not assessed"]
        yield ACTIVITY, pd.Series(pd.Categorical(names, order, ordered=True), index=described.index)
    if described[CORRELATION].notna().mean() >= REPLICATED:
        yield CORRELATION, third_strata(described[CORRELATION])
    yield LENGTH, third_strata(described[LENGTH])


def summarize_strata(
    queries: pd.DataFrame,
    described: pd.DataFrame,
    doses: pd.DataFrame,
    edges: Sequence[float],
    n_bootstrap: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Retrieval at the compound level in strata of compounds, and at the treatment level by dose.

    A stratum chooses queries; the library that they are ranked in stays whole, so that strata can be compared. Mean,
    chance and interval are those of `dssl.evaluation.statistics.summarize`; a stratum with fewer than `FEWEST`
    compounds has no interval, and compounds are drawn alike for all methods. Doses are those of phenotypes, hence of
    the direction phenotype_to_molecule only.

    Parameters
    ----------
    queries : of all folds (`dssl.evaluation.retrieval.evaluate_embedding`).
    described : a row per fold and tested compound: fold, compound_id, nearest_training_similarity,
        replicate_correlation (missing for one well), profile_length and, where known, active.
    doses : a row per fold and treatment: fold, query, dose_um.
    edges : of the bins of similarity.

    Returns
    -------
    DataFrame
        STRATA_COLUMNS, in the order of the strata.
    """
    compounds = queries[queries["level"] == "compound"]
    parts = []
    for by, strata in assign_strata(described, edges):
        parts.append(_summarize(compounds, described[UNIT].assign(by=by, stratum=strata), UNIT, n_bootstrap, rng))
    known = doses.dropna(subset=[DOSE])
    if known[DOSE].nunique() > 1:
        order = [f"{dose:g} uM" for dose in sorted(known[DOSE].unique())]
        names = pd.Categorical(known[DOSE].map(lambda dose: f"{dose:g} uM"), order, ordered=True)
        treatments = queries[(queries["level"] == "treatment") & (queries["direction"] == PHENOTYPE_TO_MOLECULE)]
        at = ["fold", "query"]
        parts.append(_summarize(treatments, known[at].assign(by=DOSE, stratum=names), at, n_bootstrap, rng))
    return pd.concat(parts, ignore_index=True)


def _summarize(
    queries: pd.DataFrame, strata: pd.DataFrame, at: list[str], n_bootstrap: int, rng: np.random.Generator
) -> pd.DataFrame:
    chances = [f"chance_{name}" for name in METRICS]
    columns = [*METRICS, *chances, "library_size"]
    joined = queries.merge(strata, on=at, how="inner", validate="many_to_one")
    pieces = []
    for names, group in joined.groupby(["by", "stratum", *SETTING], observed=True, sort=True):
        in_folds = group.groupby(["method", *UNIT], observed=True)[columns].mean()
        means = in_folds.groupby(level=["method", keys.COMPOUND_ID], observed=True).mean()
        # a row per compound, columns by method within column: one draw of compounds serves all methods
        wide = means.unstack("method")
        low, high = bootstrap_interval(wide[list(METRICS)].to_numpy(np.float64), n_bootstrap, rng)
        if len(wide) < FEWEST:
            low, high = np.full_like(low, np.nan), np.full_like(high, np.nan)
        table = pd.DataFrame({"ci_low": low, "ci_high": high}, index=wide[list(METRICS)].columns)
        table["value"] = wide[list(METRICS)].to_numpy(np.float64).mean(axis=0)
        table["chance"] = wide[chances].to_numpy(np.float64).mean(axis=0)
        table = table.rename_axis(["metric", "method"]).reset_index()
        head = dict(zip(["by", "stratum", *SETTING], map(str, names), strict=True))
        n_queries = len(group) // group["method"].nunique()
        sizes = {"n_compounds": len(wide), "n_queries": n_queries, "library_size": group["library_size"].mean()}
        pieces.append(table.assign(**head, **sizes)[STRATA_COLUMNS])
    return pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame(columns=STRATA_COLUMNS)
