"""From scores of queries to a table: means over compounds, bootstrap intervals, permutation p-values, paired tests."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.errors import PairingError, first_few
from dssl.evaluation.null import pooled_null
from dssl.evaluation.ranks import LOWER_IS_BETTER, METRICS, Floats

ALL_FOLDS = "all"
SUMMARY_KEYS = ["method", "fold", "level", "direction", "library"]
SUMMARY_COLUMNS = [
    *SUMMARY_KEYS,
    "metric",
    "value",
    "ci_low",
    "ci_high",
    "chance",
    "p_value",
    "n_queries",
    "n_compounds",
    "library_size",
]
UNIT = ["fold", keys.COMPOUND_ID]
CONFIDENCE = 0.95
BOOTSTRAP_CELLS = 4_000_000
ROUNDING = 1e-12


class PairedTest(NamedTuple):
    """Mean difference a - b over compounds, its bootstrap interval, and the two-sided sign-flip p-value."""

    difference: float
    ci_low: float
    ci_high: float
    p_value: float
    n_compounds: int


def summarize(
    queries: pd.DataFrame, null: pd.DataFrame | None, n_bootstrap: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Summarise scores of queries per method, fold, level, direction and library.

    The value is the mean over compounds of the compound's mean over its queries, so that compounds with many wells do
    not count more; fold "all" pools the compounds of all folds, of which one that is tested in several (repeated folds)
    is averaged over them first. Chance and library size are averaged in the same way. The interval resamples compounds,
    each with all its queries of all folds (95 % percentile bootstrap): repeats make a figure steadier, not the sample
    larger. The p-value is (1 + #{permutations at least as good}) / (1 + #permutations); for fold "all" the folds'
    permutations are brought together by `dssl.evaluation.null.pooled_null`.

    Parameters
    ----------
    queries : the queries of `dssl.evaluation.retrieval.evaluate_embedding`, concatenated.
    null : its null tables, concatenated; None leaves p_value missing (NaN).
    n_bootstrap : bootstrap samples.
    rng : draws them.

    Returns
    -------
    DataFrame
        Columns SUMMARY_COLUMNS; one row per group and metric.
    """
    chances = [f"chance_{name}" for name in METRICS]
    setting = [name for name in SUMMARY_KEYS if name != "fold"]
    permuted = None if null is None else dict(iter(null.groupby(setting, observed=True)))
    pieces = []
    for names, group in _with_all_folds(queries):
        compounds = per_compound(group, [*METRICS, *chances, "library_size"])
        values = compounds[list(METRICS)].to_numpy(dtype=np.float64)
        mean = values.mean(axis=0)
        low, high = bootstrap_interval(values, n_bootstrap, rng)
        head = dict(zip(SUMMARY_KEYS, names, strict=True))
        pieces.append(
            pd.DataFrame(
                {
                    **head,
                    "metric": list(METRICS),
                    "value": mean,
                    "ci_low": low,
                    "ci_high": high,
                    "chance": compounds[chances].to_numpy(dtype=np.float64).mean(axis=0),
                    "p_value": np.nan if permuted is None else _p_values(mean, permuted, head, group),
                    "n_queries": len(group),
                    "n_compounds": len(compounds),
                    "library_size": compounds["library_size"].mean(),
                }
            )
        )
    return pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame(columns=SUMMARY_COLUMNS)


def bootstrap_interval(values: NDArray[Any], n_bootstrap: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Percentile interval (95 %) of the column means of `values` (units x columns), units drawn with replacement."""
    return percentile_interval(bootstrap_samples(values, n_bootstrap, rng))


def bootstrap_samples(values: NDArray[Any], n_bootstrap: int, rng: np.random.Generator) -> Floats:
    """Column means (n_bootstrap, columns) of units (rows of `values`) drawn with replacement."""
    n = len(values)
    step = max(1, BOOTSTRAP_CELLS // n)
    parts = []
    for start in range(0, n_bootstrap, step):
        # how often each unit is drawn is multinomial, and a sample's mean is a product with these counts
        weights = rng.multinomial(n, np.full(n, 1 / n), size=min(step, n_bootstrap - start))
        parts.append(weights @ values / n)
    return np.asarray(np.concatenate(parts))


def percentile_interval(samples: NDArray[Any]) -> tuple[Floats, Floats]:
    """Percentiles of the columns between which 95 % of the samples lie; missing samples are left out."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.nanquantile(samples, [tail, 1 - tail], axis=0)
    return low, high


def permutation_p_value(observed: float, permuted: NDArray[Any], lower_is_better: bool = False) -> float:
    """(1 + number of permutations at least as good as observed) / (1 + number of permutations)."""
    sign = -1.0 if lower_is_better else 1.0
    as_good = sign * np.asarray(permuted) >= sign * observed - ROUNDING
    return float((1 + as_good.sum()) / (1 + as_good.size))


def paired_test(
    queries_a: pd.DataFrame,
    queries_b: pd.DataFrame,
    metric: str,
    rng: np.random.Generator,
    n_bootstrap: int = 2000,
    n_permutations: int = 2000,
) -> PairedTest:
    """Compare two methods on the same compounds.

    Both tables hold one method, level, direction and library, and the same compounds in the same folds. The difference
    a - b is averaged over compounds (each the mean over its queries, and over the folds of repeats); its sign is flipped
    at random, compound by compound, for the p-value.

    Raises
    ------
    PairingError
        If a table mixes settings, or the compounds differ.
    """
    a, b = (_in_folds(queries, metric) for queries in (queries_a, queries_b))
    unpaired = a.index.symmetric_difference(b.index)
    if len(unpaired):
        raise PairingError(
            f"paired_test: expected the same compounds in both tables; {len(unpaired)} are in one only "
            f"({first_few(unpaired)})\nCompare methods on the same split."
        )
    of_compounds = (a - b.reindex(a.index)).groupby(level=keys.COMPOUND_ID, sort=True, observed=True).mean()
    difference = of_compounds.to_numpy(dtype=np.float64)
    low, high = bootstrap_interval(difference[:, None], n_bootstrap, rng)
    step = max(1, BOOTSTRAP_CELLS // len(difference))
    flipped = [
        rng.choice([-1.0, 1.0], size=(min(step, n_permutations - start), len(difference))) @ difference
        for start in range(0, n_permutations, step)
    ]
    p_value = permutation_p_value(abs(float(difference.mean())), np.abs(np.concatenate(flipped)) / len(difference))
    return PairedTest(float(difference.mean()), float(low[0]), float(high[0]), p_value, len(difference))


def holm(p_values: NDArray[Any]) -> Floats:
    """P-values corrected for as many tests as there are: step-down Bonferroni (Holm, Scand. J. Statist. 1979)."""
    order = np.argsort(p_values, kind="stable")
    stepped = np.asarray(p_values, dtype=np.float64)[order] * np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1)
    return corrected


def _with_all_folds(queries: pd.DataFrame) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    """Every group of SUMMARY_KEYS, and after a method's folds the same for all folds together."""
    for names, group in queries.groupby(["method", "level", "direction", "library"], sort=True, observed=True):
        method, *rest = map(str, names)
        for fold, part in group.groupby("fold", sort=True, observed=True):
            yield (method, str(fold), *rest), part
        yield (method, ALL_FOLDS, *rest), group


def _p_values(
    mean: Floats, permuted: dict[Any, pd.DataFrame], head: dict[str, str], group: pd.DataFrame
) -> list[float]:
    """P-values of one row of SUMMARY_KEYS; `permuted` holds the null of every method, level, direction and library."""
    rows = permuted.get(tuple(value for name, value in head.items() if name != "fold"), pd.DataFrame())
    if not rows.empty:
        rows = rows[rows["fold"].isin(group["fold"].unique())]
    if rows.empty:
        raise PairingError(
            f"summarize: no permutations for {', '.join(map(str, head.values()))}\n"
            "Give the null tables of the same calls of evaluate_embedding as the queries."
        )
    means = pooled_null(rows, group, list(METRICS))
    return [
        permutation_p_value(float(value), column, name in LOWER_IS_BETTER)
        for name, value, column in zip(METRICS, mean, means.T, strict=True)
    ]


def per_compound(queries: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Mean of every compound over its queries in each fold, and then over folds."""
    in_folds = queries.groupby(UNIT, sort=True, observed=True)[columns].mean()
    return in_folds.groupby(level=keys.COMPOUND_ID, sort=True, observed=True).mean()


def _in_folds(queries: pd.DataFrame, metric: str) -> "pd.Series[float]":
    mixed = [name for name in SUMMARY_KEYS if name != "fold" and name in queries and queries[name].nunique() > 1]
    if mixed:
        raise PairingError(
            f"paired_test: expected one value each of method, level, direction and library; several in "
            f"{', '.join(mixed)}\nSelect the rows to compare first."
        )
    return queries.groupby(UNIT, sort=True, observed=True)[metric].mean()
