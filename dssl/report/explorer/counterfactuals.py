"""Predicted profiles of the compounds in other contexts, with the error that such predictions had."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.evaluation.counterfactual_queries import CONTEXT
from dssl.evaluation.counterfactuals import COLUMN, TASK
from dssl.report.content import number
from dssl.report.counterfactuals import NAMES, TASK_NAMES, TRANSFER, Verdict, context_words, verdicts
from dssl.report.explorer.container import smallest_unsigned
from dssl.report.explorer.profiles import grouping_words
from dssl.report.names import in_sentence

STEP = 0.01  # standard deviations of training wells
MISSING = np.iinfo(np.int16).min
QUESTION = [COLUMN, TASK]
PROFILE = [*QUESTION, keys.TREATMENT, CONTEXT]
MODEL_OF = [*QUESTION, "fold"]
TEXTS = [*MODEL_OF, keys.COMPOUND_ID, keys.TREATMENT, CONTEXT, "group"]


def counterfactuals(
    groups: pd.DataFrame, summary: pd.DataFrame, comparisons: pd.DataFrame, ids: "pd.Index[str]", n: int, other: str
) -> dict[str, Any]:
    """What the page shows of predicted profiles: of questions that a simple control does not answer better.

    Parameters
    ----------
    groups : predicted and measured means of feature groups (summarize_counterfactuals/predicted_groups).
    summary, comparisons : the errors of the model and of the controls, and their paired tests.
    ids : the compounds, in the order of the page.
    n : profiles of a compound: those that the settings ask for, then one of every question in turn.
    other : what stands on the other side of a phenotype.

    Returns
    -------
    dict
        questions: their titles, errors in words, whether profiles are shown, and if not, why. by, groups, sizes: the groups of
        features. starts: where each compound's profiles
        begin (compounds + 1); and of each profile: question, model, treatment, context.
        predicted, measured: int16 (profiles x groups),
        steps of `step`, -32768 where missing. Of each model: folds, n_held_out, and sd, rmse: float32 (models x groups), the
        errors of validation and of held-out compounds.
    """
    judged = verdicts(summary, comparisons)
    questions = [_question(each, other) for each in judged]
    numbers = {(each.column, each.task): place for place, each in enumerate(judged)}
    by = str(groups["grouping"].iloc[0]) if len(groups) else ""
    # a large screen has millions of rows, whose texts recur
    rows = groups[groups["grouping"] == by].astype(dict.fromkeys(TEXTS, "category"))
    rows = rows.assign(place=ids.get_indexer(pd.Index(rows[keys.COMPOUND_ID])))
    rows = rows[rows["place"] >= 0].sort_values("asked", ascending=False, kind="stable")
    first = rows.drop_duplicates(PROFILE)
    question = np.array([numbers.get(key, -1) for key in zip(first[COLUMN], first[TASK], strict=True)], dtype=np.int64)
    first = first.assign(question=question)
    first = first[first["question"].isin([place for place, each in enumerate(questions) if each["shown"]])]
    # what is asked, then one of every question in turn
    first = first.assign(later=~first["asked"], turn=first.groupby(["place", "question"], sort=False).cumcount())
    first = first.sort_values(["place", "later", "turn", "question"], kind="stable").groupby("place").head(n)
    rows = rows[pd.MultiIndex.from_frame(rows[PROFILE]).isin(pd.MultiIndex.from_frame(first[PROFILE]))]
    models = rows.drop_duplicates(MODEL_OF)
    names = list(dict.fromkeys(rows["group"].astype(str)))
    sizes = rows.drop_duplicates("group").set_index("group")["n_features"]

    def wide(values: str, of: list[str], wanted: pd.DataFrame) -> NDArray[np.float64]:
        table = rows.drop_duplicates([*of, "group"]).set_index([*of, "group"])[values].unstack("group")
        found = table.reindex(index=pd.MultiIndex.from_frame(wanted[of]), columns=names)
        return np.asarray(found.to_numpy(np.float64).ravel())

    return {
        "questions": questions,
        "by": grouping_words(by),
        "groups": names,
        "sizes": sizes.reindex(names).astype(int).tolist(),
        "starts": np.searchsorted(first["place"], np.arange(len(ids) + 1)).astype(np.uint32),
        "question": smallest_unsigned(first["question"].to_numpy(np.int64)),
        "model": smallest_unsigned(_index(models).get_indexer(_index(first))),
        "treatments": first[keys.TREATMENT].astype(str).tolist(),
        "contexts": first[CONTEXT].astype(str).tolist(),
        "step": STEP,
        "predicted": _steps(wide("predicted", PROFILE, first)),
        "measured": _steps(wide("measured", PROFILE, first)),
        "folds": models["fold"].astype(str).tolist(),
        "n_held_out": models["n_held_out"].astype(int).tolist(),
        "sd": wide("sd", MODEL_OF, models).astype(np.float32),
        "rmse": wide("held_out_rmse", MODEL_OF, models).astype(np.float32),
    }


def _index(rows: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(rows[MODEL_OF])


def _steps(values: NDArray[np.float64]) -> NDArray[np.int16]:
    highest = np.iinfo(np.int16).max
    steps = np.clip(np.round(np.nan_to_num(values) / STEP), -highest, highest)
    return np.where(np.isfinite(values), steps, MISSING).astype(np.int16)


def _question(found: Verdict, other: str) -> dict[str, Any]:
    column = in_sentence(found.column)
    way = (
        TASK_NAMES[found.task]
        if found.task == TRANSFER
        else f"from its {'structure' if other == keys.MOLECULE else other}"
    )
    why = ""
    if found.is_worse:
        why = f"a simple control, {NAMES[str(found.best['method'])]}, is better (R² {number(found.best['value'])})"
    elif not found.own["value"] > 0:
        why = "predictions are no better than the mean training profile"
    return {
        "column": column,
        "title": f"{context_words(found.column, found.task)}, {way}",
        "error": found.words,
        "shown": not why,
        "why": why,
        "transfer": found.task == TRANSFER,
    }
