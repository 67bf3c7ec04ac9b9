"""How far predicted profiles are from measured ones: per query, and summarised over compounds and folds."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.evaluation.attribution import ALL_FEATURES, groupings
from dssl.evaluation.counterfactual_queries import CONTEXT, Queries
from dssl.evaluation.ranking import CHUNK_CELLS
from dssl.evaluation.ranks import Floats
from dssl.evaluation.statistics import bootstrap_samples, holm, paired_test, per_compound, percentile_interval

COLUMN, TASK, METHOD = "context_column", "task", "method"
SCORES = ("cosine", "pearson", "squared_error")
NOMINAL, Z = 0.95, 1.959963984540054
COVERED = ("covered", "covered_by_members", "predicted_sd", "member_sd")
SUMMARY_COLUMNS = [
    COLUMN,
    TASK,
    METHOD,
    "metric",
    "value",
    "ci_low",
    "ci_high",
    "chance",
    "n_queries",
    "n_compounds",
    "n_folds",
]
COMPARED = ("squared_error", "cosine")
SMALLEST = 1e-12


def score_queries(queries: Queries, profiles: Floats, predicted: Floats) -> pd.DataFrame:
    """Score predicted profiles of measured queries.

    Parameters
    ----------
    queries : all of them with a target.
    profiles : (units, p) measured, in standard deviations of training wells about their mean.
    predicted : (n, p).

    Returns
    -------
    DataFrame
        The queries' obs; cosine and Pearson correlation over features, squared error per feature; the same for the
        measured profiles of all other compounds that are asked in the query's context (chance_<score>, missing where
        there is no other); truth_square: mean square of the measured profile.
    """
    truth = profiles[queries.target]
    obs = queries.obs.reset_index(drop=True)
    scores = {name: np.empty(len(obs)) for name in SCORES}
    scores |= {f"chance_{name}": np.full(len(obs), np.nan) for name in SCORES}
    compounds = pd.factorize(obs[keys.COMPOUND_ID])[0]
    for rows in obs.groupby(CONTEXT, sort=False).indices.values():
        step = max(1, CHUNK_CELLS // len(rows))
        for start in range(0, len(rows), step):
            asked = rows[start : start + step]
            other = compounds[asked, None] != compounds[rows]
            n_other = other.sum(axis=1)
            for name, table in _score_tables(predicted[asked], truth[rows]).items():
                scores[name][asked] = np.diagonal(table, start)
                with np.errstate(invalid="ignore", divide="ignore"):
                    scores[f"chance_{name}"][asked] = (table * other).sum(axis=1) / n_other
    return obs.assign(**scores, truth_square=(truth**2).mean(axis=1))


def coverage(truth: Floats, predicted: Floats, spread: Floats, member_sd: Floats) -> dict[str, Floats]:
    """Share of a query's features within 1.96 standard deviations, by the validation spread and by the members alone."""
    error = np.abs(truth - predicted)
    known = np.isfinite(member_sd)
    by_members = np.where(known, error <= Z * member_sd, np.nan)
    return {
        "covered": (error <= Z * spread).mean(axis=1),
        "covered_by_members": by_members.mean(axis=1),
        "predicted_sd": np.full(len(truth), float(np.sqrt((spread**2).mean()))),
        "member_sd": np.sqrt((member_sd**2).mean(axis=1)),
    }


def summarize_counterfactuals(queries: pd.DataFrame, n_bootstrap: int, rng: np.random.Generator) -> pd.DataFrame:
    """Summarise over compounds (each the mean of its queries) and folds; 95 % intervals resample compounds.

    r2 = 1 - squared error / mean square of the measured profiles, both averaged over compounds: the share of what
    distinguishes profiles from the mean training profile. cosine and pearson are means; coverage is that of the 95 %
    intervals, where there are any.
    """
    lines = []
    for (column, task, method), group in queries.groupby([COLUMN, TASK, METHOD], sort=False, observed=True):
        columns = [*SCORES, *(f"chance_{name}" for name in SCORES), "truth_square", *COVERED]
        compounds = per_compound(group, columns)
        head = {COLUMN: column, TASK: task, METHOD: method}
        tail = {"n_queries": len(group), "n_compounds": len(compounds), "n_folds": group["fold"].nunique()}
        for metric, value, low, high, chance in _metrics(compounds, n_bootstrap, rng):
            numbers = {"metric": metric, "value": value, "ci_low": low, "ci_high": high, "chance": chance}
            lines.append({**head, **numbers, **tail})
    return pd.DataFrame(lines, columns=SUMMARY_COLUMNS)


def compare_with_controls(
    queries: pd.DataFrame, model: str, n_bootstrap: int, n_permutations: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Paired tests over compounds of the model against every control; Holm's correction in each task and metric."""
    lines = []
    for (column, task), group in queries.groupby([COLUMN, TASK], sort=False, observed=True):
        methods = dict(iter(group.groupby(METHOD, sort=False)))
        own = methods.pop(model)
        for metric in COMPARED:
            tests = {
                name: paired_test(own, other, metric, rng, n_bootstrap, n_permutations)
                for name, other in methods.items()
            }
            corrected = holm(np.array([test.p_value for test in tests.values()]))
            for (name, test), p_holm in zip(tests.items(), corrected, strict=True):
                head = {COLUMN: column, TASK: task, "method_a": model, "method_b": name, "metric": metric}
                lines.append({**head, **test._asdict(), "p_holm": p_holm})
    columns = [COLUMN, TASK, "method_a", "method_b", "metric", "difference", "ci_low", "ci_high", "p_value"]
    return pd.DataFrame(lines, columns=[*columns, "n_compounds", "p_holm"])


def summarize_explained(table: pd.DataFrame, max_groups: int) -> pd.DataFrame:
    """R2 of groups of features (`dssl.evaluation.attribution.groupings`) and of all, mean over folds.

    A group's R2 in a fold is 1 - sum of squared errors / sum of squares over its features; features are in standard
    deviations of training wells.
    """
    scores = [name for name in table.columns if name.startswith("r2_")]
    described = table.drop(columns=["feature", "fold", COLUMN, "variance", *scores])
    columns = {"all": pd.Series(ALL_FEATURES, index=table.index), **groupings(described, max_groups)}
    lines = []
    for grouping, names in columns.items():
        for (column, name), rows in table.groupby([table[COLUMN], names], sort=True):
            folds = [_pooled(part, scores) for _, part in rows.groupby("fold", sort=True)]
            head = {COLUMN: column, "grouping": grouping, "group": name}
            n_features = round(len(rows) / len(folds))
            lines.append({**head, "n_features": n_features, "n_folds": len(folds), **pd.DataFrame(folds).mean()})
    return pd.DataFrame(lines, columns=[COLUMN, "grouping", "group", "n_features", "n_folds", *scores])


def group_matrix(var: pd.DataFrame, max_groups: int) -> tuple[pd.DataFrame, Floats]:
    """Groups of features: columns grouping, group, n_features; and the matrix (p, groups) that averages features."""
    heads, columns = [], []
    for grouping, names in groupings(var, max_groups).items():
        for group, rows in pd.Series(np.arange(len(var))).groupby(names.to_numpy(), sort=True):
            column = np.zeros(len(var))
            column[rows] = 1 / len(rows)
            heads.append({"grouping": grouping, "group": group, "n_features": len(rows)})
            columns.append(column)
    matrix = np.stack(columns, axis=1) if columns else np.zeros((len(var), 0))
    return pd.DataFrame(heads, columns=["grouping", "group", "n_features"]), matrix


def _score_tables(predicted: Floats, truth: Floats) -> dict[str, Floats]:
    """Every score of every prediction (rows) with every measured profile (columns)."""
    square = (predicted**2).mean(axis=1)[:, None] + (truth**2).mean(axis=1)[None, :]
    products = predicted @ truth.T / truth.shape[1]
    return {
        "cosine": _unit(predicted) @ _unit(truth).T,
        "pearson": _unit(predicted - predicted.mean(axis=1, keepdims=True))
        @ _unit(truth - truth.mean(axis=1, keepdims=True)).T,
        "squared_error": np.maximum(square - 2 * products, 0),
    }


def _unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), SMALLEST))


def _metrics(
    compounds: pd.DataFrame, n_bootstrap: int, rng: np.random.Generator
) -> Iterator[tuple[str, float, float, float, float]]:
    values = compounds[["squared_error", "truth_square", "cosine", "pearson", "covered"]].to_numpy(np.float64)
    drawn = bootstrap_samples(values, n_bootstrap, rng)
    chance = compounds[["chance_squared_error", "truth_square"]].dropna().mean()
    by_chance = 1 - chance["chance_squared_error"] / chance["truth_square"] if len(chance.dropna()) else np.nan
    mean = values.mean(axis=0)
    low, high = percentile_interval((1 - drawn[:, 0] / drawn[:, 1])[:, None])
    yield "r2", 1 - mean[0] / mean[1], float(low[0]), float(high[0]), float(by_chance)
    for place, metric in ((2, "cosine"), (3, "pearson")):
        low, high = percentile_interval(drawn[:, [place]])
        yield metric, mean[place], float(low[0]), float(high[0]), float(compounds[f"chance_{metric}"].mean())
    if np.isfinite(mean[4]):
        low, high = percentile_interval(drawn[:, [4]])
        yield "coverage", mean[4], float(low[0]), float(high[0]), np.nan
        for name in COVERED[1:]:
            yield name, float(compounds[name].mean()), np.nan, np.nan, np.nan


def _pooled(rows: pd.DataFrame, scores: list[str]) -> Mapping[str, Any]:
    """R2 of several features together, in one fold."""
    weight: NDArray[np.float64] = rows["variance"].to_numpy(np.float64)
    return {name: 1 - float(np.nansum(weight * (1 - rows[name])) / weight.sum()) for name in scores}
