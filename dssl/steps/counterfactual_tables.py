"""What a fold's held-out compounds give: scores, explained features, predicted groups of features."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.evaluation.counterfactual_parts import compound_weights
from dssl.evaluation.counterfactual_queries import (
    CONTEXT,
    LEFT_OUT_COLUMNS,
    Pair,
    Queries,
    Units,
    measured_pairs,
    structure_queries,
    transfer_queries,
)
from dssl.evaluation.counterfactuals import (
    COLUMN,
    COVERED,
    METHOD,
    SCORES,
    TASK,
    coverage,
    group_matrix,
    score_queries,
)
from dssl.settings.counterfactuals import EvaluateCounterfactualsSettings, TrainDecoderSettings
from dssl.training.counterfactuals import MODEL, TASKS, TRANSFER, predict_controls, predict_task
from dssl.training.reconstruction import BOTH, SOURCES, explained_variance

if TYPE_CHECKING:
    from dssl.training.decoder_file import FittedContext, Scaling

Floats = NDArray[np.float64]
Members = Sequence[NDArray[np.int64]]
HEAD = ["fold", COLUMN, TASK]
QUERY = [keys.COMPOUND_ID, keys.TREATMENT, CONTEXT]
CHANCES = [f"chance_{name}" for name in SCORES]
COLUMNS = {
    "queries": [*HEAD, METHOD, *QUERY, "n_sources", "n_references", *SCORES, *CHANCES, "truth_square", *COVERED],
    "explained": ["feature", "fold", COLUMN, *(f"r2_{name}" for name in SOURCES), "variance"],
    "groups": [
        *HEAD,
        *QUERY,
        *("grouping", "group", "n_features", "predicted", "sd", "measured", "rmse", "held_out_rmse", "n_held_out"),
    ],
    "asked": [
        *HEAD,
        *QUERY,
        *("n_sources", "n_references", "feature", "predicted", "sd", "low", "high", "member_sd", "measured", "error"),
        *("held_out_rmse", "n_held_out", "training_mean", "training_sd"),
    ],
    "left_out": [*HEAD, keys.COMPOUND_ID, *LEFT_OUT_COLUMNS],
}


@dataclass(frozen=True, eq=False)
class FoldTables:
    """Tables of one fold, filled column of contexts by column of contexts.

    Attributes
    ----------
    scaling : features, and how they are scaled.
    var : what describes them.
    fold : its name.
    parts : of every table; see COLUMNS.
    """

    scaling: "Scaling"
    var: pd.DataFrame
    fold: str
    parts: dict[str, list[pd.DataFrame]] = field(default_factory=lambda: {name: [] for name in COLUMNS})

    def add(self, table: str, rows: pd.DataFrame, **same: Any) -> None:
        """Add rows, with the same values in further columns."""
        self.parts[table].append(rows.assign(fold=self.fold, **same))

    def leave_out(self, missing: pd.DataFrame, units: Units, **same: Any) -> None:
        """List pairs without a query under their compounds."""
        compound_of = dict(zip(units.obs[keys.TREATMENT], units.obs[keys.COMPOUND_ID], strict=True))
        self.add("left_out", missing.assign(compound_id=missing[keys.TREATMENT].map(compound_of)), **same)

    def joined(self) -> dict[str, pd.DataFrame]:
        """The finished tables, their columns in order."""
        found = {}
        for name, columns in COLUMNS.items():
            table = pd.concat(self.parts[name], ignore_index=True) if self.parts[name] else pd.DataFrame()
            # whatever describes the features stands last
            found[name] = table.reindex(columns=[*columns, *(each for each in table.columns if each not in columns)])
        return found


@dataclass(frozen=True, eq=False)
class HeldOutError:
    """Root mean square error of every feature over a task's measured held-out queries, and how many compounds they are."""

    of_feature: Floats
    n_compounds: int


def queries_of(
    task: str, units: Units, pairs: Sequence[Pair], decoding: TrainDecoderSettings
) -> tuple[Queries, pd.DataFrame]:
    """Queries of a task, and the pairs without one."""
    build = transfer_queries if task == TRANSFER else structure_queries
    return build(units.obs, pairs, decoding.fewest_references)


def predict_held_out(
    tables: FoldTables,
    units: Units,
    fitted: "FittedContext",
    members: Members,
    column: str,
    decoding: TrainDecoderSettings,
    settings: EvaluateCounterfactualsSettings,
) -> dict[str, HeldOutError]:
    """Predict the measured profiles of held-out compounds by every method; give the model's errors by task."""
    tested = units.rows(keys.TEST)
    if len(tested):
        table = explained_variance(units, fitted.reconstructions, fitted.axes, tested)
        named = pd.concat([table, tables.var.reset_index(drop=True)], axis=1)
        tables.add("explained", named.assign(feature=tables.scaling.names), **{COLUMN: column})
    errors = {}
    rng = np.random.default_rng(decoding.seed)
    roles = (keys.TEST, keys.VALIDATION)
    asked, validated = (measured_pairs(units.obs, role, decoding.targets_per_treatment, rng) for role in roles)
    for task in TASKS:
        head = {COLUMN: column, TASK: task}
        if task not in fitted.tasks:
            tables.add("left_out", pd.DataFrame({"reason": [fitted.unfitted[task]]}), **head)
            continue
        queries, missing = queries_of(task, units, asked, decoding)
        tables.leave_out(missing, units, **head)
        if not len(queries):
            continue
        reconstruct = fitted.reconstructions[BOTH]
        given = units, queries, task, fitted.tasks[task], reconstruct
        predicted, member_sd = predict_task(*given, members)
        truth = units.profiles[queries.target]
        own = score_queries(queries, units.profiles, predicted)
        covered = coverage(truth, predicted, fitted.tasks[task].spread, member_sd)
        tables.add("queries", own.assign(**covered), **head, method=MODEL)
        for name, profiles in predict_controls(*given).items():
            tables.add("queries", score_queries(queries, units.profiles, profiles), **head, method=name)
        weights = compound_weights(queries)
        rmse = np.sqrt(weights @ (truth - predicted) ** 2)
        errors[task] = HeldOutError(rmse, int(queries.obs[keys.COMPOUND_ID].nunique()))
        validation = queries_of(task, units, validated, decoding)[0]
        left = (
            units.profiles[validation.target]
            - predict_task(units, validation, task, fitted.tasks[task], reconstruct, members)[0]
        )
        spread = _Residuals(left, compound_weights(validation)), _Residuals(truth - predicted, weights)
        tables.add("groups", _groups(queries, truth, predicted, spread, tables.var, settings.n_contexts), **head)
    return errors


@dataclass(frozen=True, eq=False)
class _Residuals:
    """Measured less predicted profiles of queries, and the queries' weights."""

    values: Floats
    weights: Floats

    def rms(self, matrix: Floats) -> Floats:
        """Root mean square of sums of the features."""
        return np.asarray(np.sqrt(self.weights @ (self.values @ matrix) ** 2))


def _groups(
    queries: Queries,
    truth: Floats,
    predicted: Floats,
    spread: tuple[_Residuals, _Residuals],
    var: pd.DataFrame,
    n_contexts: int,
) -> pd.DataFrame:
    """Means of feature groups, of the first contexts of every treatment."""
    from dssl.evaluation.attribution import MAX_GROUPS

    heads, matrix = group_matrix(var, MAX_GROUPS)
    shown = np.flatnonzero(queries.obs.groupby(keys.TREATMENT, sort=False).cumcount().to_numpy() < n_contexts)
    n_groups = len(heads)
    rows = queries.obs.iloc[np.repeat(shown, n_groups)][QUERY].reset_index(drop=True)
    repeated = pd.concat([heads] * len(shown), ignore_index=True) if n_groups else heads
    squared = (truth[shown] - predicted[shown]) ** 2
    return pd.concat([rows, repeated], axis=1).assign(
        predicted=(predicted[shown] @ matrix).ravel(),
        sd=np.tile(spread[0].rms(matrix), len(shown)),
        measured=(truth[shown] @ matrix).ravel(),
        rmse=np.sqrt(squared @ matrix).ravel(),
        held_out_rmse=np.tile(spread[1].rms(matrix), len(shown)),
        n_held_out=int(queries.obs[keys.COMPOUND_ID].nunique()),
    )
