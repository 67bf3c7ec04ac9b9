"""Molecule, phenotype and second assay together: all three pairs from one screen, on compounds that may lack an assay."""

from pathlib import Path

import numpy as np

from dssl import keys
from dssl.io import read_anndata, read_table, write_table
from dssl.launch import is_first_process
from dssl.provenance import stamp
from dssl.settings.baselines import TrainBaselineSettings
from dssl.settings.evaluation import EvaluateRetrievalSettings
from dssl.settings.learning import TrainAssaysSettings, TrainSharedSettings
from dssl.settings.preparation import FitPreprocessingSettings, PairAndSplitSettings
from dssl.steps.arrays import read_pairs, write_pairs
from dssl.steps.registry import Input, Inputs, Output, step
from dssl.steps.runs import log_epoch, own_checkpoint, write_run


@step
def join_assays(
    *,
    settings: PairAndSplitSettings,
    profiles: Input,
    features: Input,
    second: Input,
    aliases: Input,
    pairs: Input,
    assays: Output,
    counts: Output,
    excluded_compounds: Output,
) -> None:
    """Put all compounds with a structure and one of the assays into one file, in the folds of those that have both."""
    from dssl.steps.joined_assays import join

    names = read_table(aliases, text_columns=["input_id", keys.COMPOUND_ID])
    both = read_pairs(pairs)[keys.MOLECULE].obs
    joined = join(read_anndata(profiles), read_anndata(features), read_anndata(second), names, both, settings)
    write_table(counts, joined.counts)
    write_table(excluded_compounds, joined.excluded_compounds)
    write_pairs(assays, joined.mdata, stamp("join_assays", settings.model_dump(mode="json")))


@step
def fit_assays(
    *,
    settings: FitPreprocessingSettings,
    assays: Input,
    fold: str,
    state: Output,
    second_state: Output,
    inputs: Output,
) -> None:
    """Fit the preprocessing of the three modalities on the fold's training rows; apply it to all rows."""
    from dssl.preprocessing.state import save_state
    from dssl.steps.joined_assays import prepare

    prepared = prepare(read_pairs(assays), fold, settings)
    record = stamp("fit_assays", {"fold": fold, "settings": settings.model_dump(mode="json")})
    save_state(state, prepared.phenotype, prepared.molecule, record)
    save_state(second_state, prepared.second, prepared.second_as_descriptors, record)
    write_pairs(inputs, prepared.inputs, record)


@step
def train_assays(
    *,
    settings: TrainAssaysSettings,
    shared_settings: TrainSharedSettings,
    inputs: Input,
    subset: str,
    seed: int,
    checkpoint: Path,
    model: Output,
    history: Output,
    metrics: Output,
) -> None:
    """Train the shared codes of all modalities on all compounds ("all"), on those that have all, or of one pair alone."""
    from dssl.steps.joined_assays import multimodal_data
    from dssl.training.multimodal import train_multimodal
    from dssl.training.saved_multimodal import save_multimodal

    prepared = read_pairs(inputs)
    trained, records, found = train_multimodal(
        multimodal_data(prepared, subset, keys.TRAIN),
        multimodal_data(prepared, subset, keys.VALIDATION),
        shared_settings,
        settings.beta,
        seed,
        settings.sharing,
        own_checkpoint(checkpoint, shared_settings, [inputs]),
        log_epoch(shared_settings.optimizer.epochs),
    )
    if not is_first_process():
        return
    identity = {"subset": subset, "seed": seed, "beta": settings.beta}
    save_multimodal(model, trained, {**identity, **stamp("train_assays", settings.model_dump(mode="json"))})
    write_run(records, found, identity, (history, metrics))


@step
def evaluate_assays(
    *,
    settings: EvaluateRetrievalSettings,
    controls: TrainBaselineSettings,
    assays: Input,
    state: Input,
    second_state: Input,
    inputs: Input,
    models: Inputs,
    screen_queries: Input,
    fold: str,
    queries: Output,
    permutations: Output,
    tuning: Output,
) -> None:
    """Rank held-out compounds in each pair of modalities, by all models that know the pair and by its controls."""
    from dssl.preprocessing.state import load_state
    from dssl.steps.assay_pairs import Fold, score_pairs

    read = Fold(fold, read_pairs(assays), read_pairs(inputs), load_state(state), load_state(second_state))
    of_screen = read_table(screen_queries, text_columns=["fold", keys.COMPOUND_ID, "query"])
    found = score_pairs(read, models, of_screen, settings, controls)
    write_table(queries, found.queries)
    write_table(permutations, found.null)
    write_table(tuning, found.tuning)


@step
def summarize_assays(
    *,
    settings: EvaluateRetrievalSettings,
    queries: Inputs,
    permutations: Inputs,
    retrieval: Output,
    comparisons: Output,
) -> None:
    """Bring the folds together: retrieval in each pair of modalities, and whether the third one and more compounds help."""
    from dssl.steps.assay_pairs import compare_subsets, summarize_pairs

    rng = np.random.default_rng(settings.seed)
    text = ["fold", keys.COMPOUND_ID, "query"]
    scored, null = ([read_table(path, text_columns=text) for path in paths] for paths in (queries, permutations))
    write_table(retrieval, summarize_pairs(scored, null, settings, rng))
    write_table(comparisons, compare_subsets(scored, settings, rng))
