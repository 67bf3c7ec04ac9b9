"""What a fold's held-out compounds give: scores, explained features, predicted groups of features, asked profiles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.errors import ConfigError, first_few
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
    Z,
    coverage,
    group_matrix,
    score_queries,
)
from dssl.settings.counterfactuals import AskedProfile, EvaluateCounterfactualsSettings, TrainDecoderSettings
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
        compound_of = dict(zip(units.obs[keys.TREATMENT], units.obs[keys.COMPOUND_ID], strict=True))
        tables.add("left_out", missing.assign(compound_id=missing[keys.TREATMENT].map(compound_of)), **head)
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


def predict_asked(
    tables: FoldTables,
    units: Units,
    fitted: "FittedContext",
    members: Members,
    column: str,
    errors: Mapping[str, HeldOutError],
    decoding: TrainDecoderSettings,
    settings: EvaluateCounterfactualsSettings,
) -> None:
    """Predict the profiles that were asked, of compounds held out in this fold, in the profiles' own units."""
    pairs = asked_pairs(units.obs, column, settings.asked, decoding.contexts)
    for task, fit in fitted.tasks.items():
        head = {COLUMN: column, TASK: task}
        queries, missing = queries_of(task, units, pairs, decoding)
        if task in errors:
            predicted, member_sd = predict_task(units, queries, task, fit, fitted.reconstructions[BOTH], members)
            for row in range(len(queries)):
                profile = _profile(tables.scaling, units, queries, row, predicted[row], member_sd[row], fit.spread)
                held_out = errors[task].of_feature * tables.scaling.scale
                known = profile.assign(held_out_rmse=held_out, n_held_out=errors[task].n_compounds)
                tables.add("asked", known, **head)
        compound_of = dict(zip(units.obs[keys.TREATMENT], units.obs[keys.COMPOUND_ID], strict=True))
        tables.add("left_out", missing.assign(compound_id=missing[keys.TREATMENT].map(compound_of)), **head)


def asked_pairs(obs: pd.DataFrame, column: str, asked: Sequence[AskedProfile], contexts: Sequence[str]) -> list[Pair]:
    """Treatments and contexts that are asked of compounds held out in this fold: every treatment of such a compound.

    Raises
    ------
    ConfigError
        If there is no such compound or context, or the column is not among `contexts`.
    """
    pairs: dict[Pair, None] = {}
    for each in asked:
        if (each.column or contexts[0]) not in contexts:
            raise ConfigError(
                f"evaluate_counterfactuals.asked: column {each.column!r} is not among train_decoder.contexts "
                f"({', '.join(contexts)})\nAdd it there, or correct its name."
            )
        if (each.column or contexts[0]) != column:
            continue
        for name, value, known in (
            ("compound", each.compound, obs[keys.COMPOUND_ID]),
            ("context", each.context, obs[CONTEXT]),
        ):
            if value not in set(known):
                raise ConfigError(
                    f"evaluate_counterfactuals.asked: no {name} {value!r} in this screen; there are "
                    f"{first_few(sorted(set(known)))}\nCorrect its name; contexts here are values of {column}."
                )
        held_out = (obs[keys.COMPOUND_ID] == each.compound) & (obs[keys.SPLIT] == keys.TEST)
        pairs |= dict.fromkeys((treatment, each.context) for treatment in obs.loc[held_out, keys.TREATMENT])
    return list(pairs)


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


def _profile(
    scaling: "Scaling", units: Units, queries: Queries, row: int, predicted: Floats, member_sd: Floats, spread: Floats
) -> pd.DataFrame:
    """One predicted profile in its own units, feature by feature."""
    target = int(queries.target[row])
    measured = units.profiles[target] if target >= 0 else np.full(len(predicted), np.nan)
    values = {
        "predicted": predicted,
        "low": predicted - Z * spread,
        "high": predicted + Z * spread,
        "measured": measured,
    }
    widths = {"sd": spread, "member_sd": member_sd, "error": measured - predicted}
    return pd.DataFrame(
        {
            **{str(name): value for name, value in queries.obs.iloc[row].items()},
            "feature": scaling.names,
            **{name: value * scaling.scale + scaling.center for name, value in values.items()},
            **{name: value * scaling.scale for name, value in widths.items()},
            "training_mean": scaling.center,
            "training_sd": scaling.scale,
        }
    )
