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
    score_queries,
)
from dssl.settings.counterfactuals import EvaluateCounterfactualsSettings, TrainDecoderSettings
from dssl.steps.counterfactual_groups import QUERY, HeldOutError, Residuals, group_rows
from dssl.training.counterfactuals import MODEL, TASKS, TRANSFER, predict_controls, predict_task
from dssl.training.reconstruction import BOTH, SOURCES, explained_variance

if TYPE_CHECKING:
    from dssl.training.decoder_file import FittedContext, Scaling

Floats = NDArray[np.float64]
Members = Sequence[NDArray[np.int64]]
HEAD = ["fold", COLUMN, TASK]
CHANCES = [f"chance_{name}" for name in SCORES]
COLUMNS = {
    "queries": [*HEAD, METHOD, *QUERY, "n_sources", "n_references", *SCORES, *CHANCES, "truth_square", *COVERED],
    "explained": ["feature", "fold", COLUMN, *(f"r2_{name}" for name in SOURCES), "variance"],
    "groups": [
        *HEAD,
        *QUERY,
        *(
            "grouping",
            "group",
            "n_features",
            "predicted",
            "sd",
            "measured",
            "rmse",
            "held_out_rmse",
            "n_held_out",
            "asked",
        ),
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
        validation = queries_of(task, units, validated, decoding)[0]
        left = (
            units.profiles[validation.target]
            - predict_task(units, validation, task, fitted.tasks[task], reconstruct, members)[0]
        )
        errors[task] = HeldOutError(
            Residuals(left, compound_weights(validation)),
            Residuals(truth - predicted, compound_weights(queries)),
            int(queries.obs[keys.COMPOUND_ID].nunique()),
        )
        of_treatment = queries.obs.groupby(keys.TREATMENT, sort=False).cumcount().to_numpy()
        shown = np.flatnonzero(of_treatment < settings.n_contexts)
        listed = queries.obs.iloc[shown], truth[shown], predicted[shown]
        tables.add("groups", group_rows(*listed, errors[task], tables.var, asked=False), **head)
    return errors
