"""Profiles that the settings ask for: a compound in a context, by the model that has not seen the compound."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dssl import keys
from dssl.errors import ConfigError, first_few
from dssl.evaluation.counterfactual_queries import CONTEXT, Pair, Queries, Units
from dssl.evaluation.counterfactuals import COLUMN, TASK, Z
from dssl.settings.counterfactuals import AskedProfile, EvaluateCounterfactualsSettings, TrainDecoderSettings
from dssl.steps.counterfactual_groups import HeldOutError, group_rows
from dssl.steps.counterfactual_tables import Floats, FoldTables, Members, queries_of
from dssl.training.counterfactuals import predict_task
from dssl.training.reconstruction import BOTH

if TYPE_CHECKING:
    from dssl.training.decoder_file import FittedContext, Scaling


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
            measured = np.full_like(predicted, np.nan)
            known = queries.target >= 0
            measured[known] = units.profiles[queries.target[known]]
            groups = group_rows(queries.obs, measured, predicted, errors[task], tables.var, asked=True)
            tables.add("groups", groups, **head)
            held_out = errors[task].of_feature * tables.scaling.scale
            for row in range(len(queries)):
                profile = _profile(
                    tables.scaling, queries, row, measured[row], predicted[row], member_sd[row], fit.spread
                )
                known_error = profile.assign(held_out_rmse=held_out, n_held_out=errors[task].n_compounds)
                tables.add("asked", known_error, **head)
        tables.leave_out(missing, units, **head)


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


def _profile(
    scaling: "Scaling",
    queries: Queries,
    row: int,
    measured: Floats,
    predicted: Floats,
    member_sd: Floats,
    spread: Floats,
) -> pd.DataFrame:
    """One predicted profile in its own units, feature by feature."""
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
