"""Probes: what a linear model, fitted on some compounds, reads from the codes of others."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from dssl.evaluation.discriminant import class_predictions
from dssl.evaluation.linear_probe import (
    N_OUTER,
    group_codes,
    nested_folds,
    over_columns,
    ridge_predictions,
    shuffled_targets,
)
from dssl.evaluation.ranks import Floats
from dssl.evaluation.statistics import CONFIDENCE, permutation_p_value
from dssl.settings.evaluation import EvaluateDisentanglementSettings

NUMERIC, CLASSES = "numeric", "classes"
SCORE_NAMES = {NUMERIC: "r2", CLASSES: "balanced_accuracy"}
PROBE_COLUMNS = [
    "code",
    "column",
    "kind",
    "score_name",
    "score",
    "ci_low",
    "ci_high",
    "chance",
    "p_value",
    "n_rows",
    "n_groups",
    "n_rows_left_out",
    "skipped_reason",
]
N_BOOTSTRAP = 1000
MIN_GROUPS_PER_CLASS = 3


class Probe(NamedTuple):
    """Out-of-fold score, its bootstrap interval over groups, the mean score of permuted targets, and the p-value."""

    score: float
    ci_low: float
    ci_high: float
    chance: float
    p_value: float


def probe_numeric(
    codes: NDArray[Any], target: NDArray[Any], groups: NDArray[Any], rng: np.random.Generator, n_permutations: int = 500
) -> Probe:
    """Out-of-fold R^2 of ridge regression; folds by group, the ridge chosen in nested folds by group.

    Chance and p-value: the same fit, choice of ridge included, on targets permuted by `shuffled_targets`.

    Parameters
    ----------
    codes : (n, d).
    target : (n,) finite numbers, not constant.
    groups : (n,) compounds; at least five.
    """
    group = group_codes(groups)
    folds = nested_folds(codes, group, rng)
    truth = np.asarray(target, dtype=np.float64)
    targets = np.column_stack([truth, shuffled_targets(truth, group, n_permutations, rng)])
    predicted = over_columns(lambda columns: ridge_predictions(folds, columns), targets, 1)
    spread = ((targets - targets.mean(axis=0)) ** 2).sum(axis=0)
    scores = 1 - ((targets - predicted) ** 2).sum(axis=0) / spread
    y, residual = targets[:, 0], targets[:, 0] - predicted[:, 0]
    sums = np.stack([np.bincount(group, weights=w) for w in (residual**2, y**2, y, np.ones_like(y))], axis=1)
    drawn = _group_weights(len(sums), rng) @ sums
    spreads = drawn[:, 1] - drawn[:, 2] ** 2 / drawn[:, 3]
    resampled = 1 - drawn[:, 0] / np.where(spreads > 1e-12 * spread[0], spreads, np.nan)
    return _probe(scores, resampled)


def probe_classes(
    codes: NDArray[Any], target: NDArray[Any], groups: NDArray[Any], rng: np.random.Generator, n_permutations: int = 500
) -> Probe:
    """Out-of-fold balanced accuracy of a regularised linear discriminant with equal priors; folds as in probe_numeric.

    The discriminant is closed form (see `dssl.evaluation.discriminant`), so that every permutation refits it, choice
    of ridge included; an iterative logistic regression would allow that for small screens only.

    Parameters
    ----------
    codes : (n, d).
    target : (n,) class labels; every class in at least three groups.
    groups : (n,) compounds; at least five.
    """
    group = group_codes(groups)
    folds = nested_folds(codes, group, rng)
    label = group_codes(target)
    n_classes = int(label.max()) + 1
    labels = np.column_stack([label, shuffled_targets(label, group, n_permutations, rng)])
    predicted = over_columns(lambda columns: class_predictions(folds, columns, n_classes), labels, n_classes)
    correct = predicted == labels
    scores = np.array(
        [
            np.mean(_recall(np.bincount(truth, hit, n_classes), np.bincount(truth, minlength=n_classes)))
            for truth, hit in zip(labels.T, correct.T, strict=True)
        ]
    )
    cell = group * n_classes + label
    shape = (int(group.max()) + 1, n_classes)
    weights = _group_weights(shape[0], rng)
    hits = weights @ np.bincount(cell, correct[:, 0], minlength=shape[0] * n_classes).reshape(shape)
    totals = weights @ np.bincount(cell, minlength=shape[0] * n_classes).reshape(shape)
    return _probe(scores, np.nanmean(_recall(hits, totals), axis=1))


def probe_table(
    codes: Mapping[str, NDArray[Any]],
    obs: pd.DataFrame,
    columns: Sequence[str],
    groups: NDArray[Any],
    settings: EvaluateDisentanglementSettings,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Probe every column of `obs` from every code.

    Numbers are probed by ridge regression, everything else by the discriminant. Rows without a value, and rows of
    classes found in fewer than three groups, are left out and counted; columns that cannot be probed are listed with
    the reason.

    Parameters
    ----------
    codes : name -> (n, d) code of the rows of `obs`.
    groups : (n,) compound of each row: never on both sides of a split.

    Returns
    -------
    DataFrame
        Columns PROBE_COLUMNS; a row for each column and code (skipped columns too, with missing scores).
    """
    found = []
    for column in columns:
        values = obs[column]
        kind = NUMERIC if is_numeric_dtype(values) and not is_bool_dtype(values) else CLASSES
        keep = _usable_rows(values, kind, groups)
        reason = _reason_to_skip(values[keep], kind, groups[keep], settings.max_classes)
        head = {"column": column, "kind": kind, "score_name": SCORE_NAMES[kind], "n_rows": int(keep.sum())}
        head |= {"n_groups": len(np.unique(groups[keep].astype(str))), "n_rows_left_out": int((~keep).sum())}
        probe_of = probe_numeric if kind == NUMERIC else probe_classes
        for name, rows in codes.items():
            line: dict[str, Any] = {"code": name, **head, "skipped_reason": reason}
            if not reason:
                target = values[keep].to_numpy(dtype=np.float64 if kind == NUMERIC else str)
                probe = probe_of(rows[keep], target, groups[keep], rng, settings.n_permutations)
                line |= probe._asdict()
            found.append(line)
    return pd.DataFrame(found, columns=PROBE_COLUMNS)


def _usable_rows(values: "pd.Series[Any]", kind: str, groups: NDArray[Any]) -> NDArray[np.bool_]:
    if kind == NUMERIC:
        return np.asarray(np.isfinite(values.to_numpy(dtype=np.float64, na_value=np.nan)))
    keep = values.notna()
    text = values.astype(str)
    n_groups = pd.Series(groups, index=values.index)[keep].groupby(text[keep]).nunique()
    return np.asarray(keep & text.isin(n_groups.index[n_groups >= MIN_GROUPS_PER_CLASS]))


def _reason_to_skip(values: "pd.Series[Any]", kind: str, groups: NDArray[Any], max_classes: int) -> str:
    n_groups, n_values = len(np.unique(groups.astype(str))), values.astype(str).nunique()
    if n_groups < N_OUTER:
        return f"{n_groups} compounds with a value (classes: in {MIN_GROUPS_PER_CLASS} or more); {N_OUTER} are needed"
    if n_values < 2:
        return "constant"
    if kind == CLASSES and n_values > max_classes:
        return f"{n_values} classes, more than max_classes ({max_classes})"
    return ""


def _group_weights(n_groups: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=N_BOOTSTRAP)


def _recall(correct: NDArray[Any], total: NDArray[Any]) -> Floats:
    """Share of each class that is right; NaN for a class that was not drawn."""
    return np.asarray(np.where(total > 0, correct / np.maximum(total, 1), np.nan), dtype=np.float64)


def _probe(scores: Floats, resampled: Floats) -> Probe:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.nanquantile(resampled, [tail, 1 - tail])
    p_value = permutation_p_value(float(scores[0]), scores[1:])
    return Probe(float(scores[0]), float(low), float(high), float(scores[1:].mean()), p_value)
