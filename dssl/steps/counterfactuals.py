"""Decoders from codes to profiles, and the counterfactual profiles made with them."""

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.io import read_table, write_table
from dssl.provenance import stamp
from dssl.settings.counterfactuals import EvaluateCounterfactualsSettings, TrainDecoderSettings
from dssl.steps.arrays import read_pairs
from dssl.steps.registry import Input, Inputs, Output, step

if TYPE_CHECKING:
    from dssl.evaluation.counterfactual_queries import Units
    from dssl.training.decoder_file import FittedContext

logger = logging.getLogger(__name__)
TEXT = ["fold", keys.COMPOUND_ID, keys.TREATMENT, "context", "reason"]


@step
def train_decoder(
    *,
    settings: TrainDecoderSettings,
    pairs: Input,
    state: Input,
    models: Inputs,
    fold: str,
    decoder: Output,
    trials: Output,
) -> None:
    """Fit decoders from codes to profiles on training compounds, chosen on validation compounds."""
    from dssl.pairs.rows import of_fold
    from dssl.preprocessing.state import load_state
    from dssl.steps.counterfactual_units import build_units, fit_scaling, member_columns
    from dssl.steps.embeddings import load_models
    from dssl.training.decoder_file import save_decoders

    fold_pairs, loaded = of_fold(read_pairs(pairs), fold), load_models(models)
    scaling, prepared = fit_scaling(fold_pairs), load_state(state)
    contexts, tables = {}, []
    for column in settings.contexts:
        units = build_units(fold_pairs, prepared, loaded, scaling, column)
        contexts[column], tried = _fit_context(units, member_columns(loaded), settings)
        tables.append(tried.assign(context_column=column))
    record = stamp("train_decoder", {"fold": fold, "settings": settings.model_dump(mode="json")})
    save_decoders(decoder, scaling, contexts, {**record, "decoding": settings.to_json()})
    write_table(trials, pd.concat(tables, ignore_index=True))


def _fit_context(
    units: "Units", members: list[NDArray[np.int64]], settings: TrainDecoderSettings
) -> tuple["FittedContext", pd.DataFrame]:
    from dssl.evaluation.counterfactual_queries import measured_pairs
    from dssl.steps.counterfactual_tables import queries_of
    from dssl.training.counterfactuals import FEWEST_QUERIES, TASKS, TRANSFER, Parts, fit_structure, fit_transfer
    from dssl.training.decoder_file import FittedContext
    from dssl.training.reconstruction import BOTH, fit_reconstructions

    decoders, strength, axes, trials = fit_reconstructions(
        units, max(map(len, members)), settings.kernel_rows, settings.seed
    )
    rng = np.random.default_rng(settings.seed)
    asked = [
        measured_pairs(units.obs, role, settings.targets_per_treatment, rng) for role in (keys.TRAIN, keys.VALIDATION)
    ]
    tasks, unfitted = {}, {}
    for task in TASKS:
        train, validation = (queries_of(task, units, pairs, settings)[0] for pairs in asked)
        if len(train) < FEWEST_QUERIES or not len(validation):
            unfitted[task] = (
                f"{len(train)} profiles of training and {len(validation)} of validation compounds can be predicted; "
                f"{FEWEST_QUERIES} and 1 are needed"
            )
            logger.warning("%s: %s; left out", task, unfitted[task])
            continue
        parts = Parts(units, train, validation, members, settings.kernel_rows, settings.seed, trials)
        tasks[task] = fit_transfer(parts, (strength, decoders[BOTH])) if task == TRANSFER else fit_structure(parts)
        logger.info("%s: %s", task, tasks[task].choice)
    return FittedContext(decoders, strength, axes, tasks, unfitted), pd.DataFrame(trials)


@step
def evaluate_counterfactuals(
    *,
    settings: EvaluateCounterfactualsSettings,
    pairs: Input,
    state: Input,
    models: Inputs,
    decoder: Input,
    fold: str,
    queries: Output,
    explained: Output,
    groups: Output,
    asked: Output,
    left_out: Output,
) -> None:
    """Predict profiles of held-out compounds in contexts, beside the controls and the measured profiles."""
    from dssl.pairs.rows import of_fold
    from dssl.preprocessing.state import load_state
    from dssl.steps.counterfactual_asked import predict_asked
    from dssl.steps.counterfactual_tables import FoldTables, predict_held_out
    from dssl.steps.counterfactual_units import build_units, member_columns
    from dssl.steps.embeddings import load_models
    from dssl.training.decoder_file import load_decoders

    fold_pairs, loaded = of_fold(read_pairs(pairs), fold), load_models(models)
    scaling, contexts, metadata = load_decoders(decoder)
    decoding = TrainDecoderSettings(**json.loads(metadata["decoding"]))
    prepared, columns = load_state(state), member_columns(loaded)
    var = fold_pairs[keys.PHENOTYPE].var.loc[list(scaling.names)]
    tables = FoldTables(scaling, var, fold)
    for column, fitted in contexts.items():
        units = build_units(fold_pairs, prepared, loaded, scaling, column)
        known = predict_held_out(tables, units, fitted, columns, column, decoding, settings)
        predict_asked(tables, units, fitted, columns, column, known, decoding, settings)
    paths = {"queries": queries, "explained": explained, "groups": groups, "asked": asked, "left_out": left_out}
    for name, table in tables.joined().items():
        write_table(paths[name], table)


@step
def summarize_counterfactuals(
    *,
    settings: EvaluateCounterfactualsSettings,
    queries: Inputs,
    explained: Inputs,
    groups: Inputs,
    asked: Inputs,
    left_out: Inputs,
    summary: Output,
    comparisons: Output,
    all_explained: Output,
    explained_groups: Output,
    predicted_groups: Output,
    predicted: Output,
    all_left_out: Output,
) -> None:
    """Bring the folds together: errors beside controls, explained variance, predicted feature groups and profiles."""
    from dssl.evaluation.attribution import MAX_GROUPS
    from dssl.evaluation.counterfactuals import compare_with_controls, summarize_explained
    from dssl.evaluation.counterfactuals import summarize_counterfactuals as summarize
    from dssl.report.handover.formulas import safe_frame
    from dssl.training.counterfactuals import MODEL

    rng = np.random.default_rng(settings.seed)
    scored, parts = _all_folds(queries), _all_folds(explained)
    write_table(summary, summarize(scored, settings.n_bootstrap, rng))
    write_table(comparisons, compare_with_controls(scored, MODEL, settings.n_bootstrap, settings.n_permutations, rng))
    write_table(all_explained, parts)
    write_table(explained_groups, summarize_explained(parts, MAX_GROUPS))
    write_table(predicted_groups, _all_folds(groups))
    answered, missing = _all_folds(asked), _all_folds(left_out)
    found = set(answered[keys.COMPOUND_ID])
    unanswered = [each.compound for each in settings.asked if each.compound not in found]
    for compound in dict.fromkeys(unanswered):
        logger.warning("%s: its profile is not predicted; see left_out.tsv", compound)
    never = pd.DataFrame(
        {keys.COMPOUND_ID: list(dict.fromkeys(unanswered)), "reason": "asked, but predicted in no fold"}
    )
    write_table(predicted, safe_frame(answered))
    write_table(all_left_out, pd.concat([missing, never.assign(fold="all")], ignore_index=True))


def _all_folds(paths: list[Path]) -> pd.DataFrame:
    tables = [read_table(path, text_columns=TEXT) for path in paths]
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)
