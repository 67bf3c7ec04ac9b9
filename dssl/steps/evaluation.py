"""Controls, held-out retrieval, and what each code knows."""

from pathlib import Path

import numpy as np
import pandas as pd

from dssl import keys
from dssl.io import read_anndata, read_table, write_anndata, write_table
from dssl.provenance import stamp
from dssl.settings.evaluation import EvaluateDisentanglementSettings, EvaluateRetrievalSettings
from dssl.settings.learning import TrainBaselineSettings
from dssl.steps.arrays import read_pairs
from dssl.steps.registry import Input, Inputs, OptionalInput, Output, step


@step
def train_baseline(
    *, settings: TrainBaselineSettings, pairs: Input, inputs: Input, molecules: Output, tuning: Output
) -> None:
    """Predict every molecule's profile by the classical controls, tuned on validation compounds."""
    from dssl.steps.baselines import predict_all

    mdata = read_pairs(pairs)
    predicted, tried = predict_all(mdata[keys.MOLECULE], read_pairs(inputs), settings)
    write_table(tuning, tried)
    write_anndata(molecules, predicted, stamp("train_baseline", settings.model_dump(mode="json")))


@step
def evaluate_retrieval(
    *,
    settings: EvaluateRetrievalSettings,
    inputs: Input,
    wells: Input,
    treatments: Input,
    compounds: Input,
    molecules: Input,
    baselines: Input,
    fold: str,
    queries: Output,
    permutations: Output,
) -> None:
    """Rank held-out compounds by the model and by every control, in both directions and both libraries."""
    from dssl.steps.retrieval import score_fold

    embeddings = {"well": wells, "treatment": treatments, "compound": compounds}
    scored, null = score_fold(
        {level: read_anndata(path) for level, path in embeddings.items()},
        read_anndata(molecules),
        read_anndata(baselines),
        fold,
        settings,
    )
    write_table(queries, scored)
    write_table(permutations, null)


@step
def evaluate_disentanglement(
    *,
    settings: EvaluateDisentanglementSettings,
    pairs: Input,
    state: Input,
    models: Inputs,
    well_table: OptionalInput,
    compound_table: OptionalInput,
    fold: str,
    probes: Output,
    dependence: Output,
) -> None:
    """Probe held-out codes, drawn from their distributions, for every known column; measure their dependence."""
    from dssl.preprocessing.state import load_state
    from dssl.steps.disentanglement import measure_dependence, probe_codes
    from dssl.steps.embeddings import encode_level, load_models, prepare_levels

    rng = np.random.default_rng(settings.seed)
    loaded, levels = load_models(models), prepare_levels(read_pairs(pairs), load_state(state), fold)
    names = {"well": "wells", "compound": "compounds", "molecule": "molecules"}
    codes = {level: encode_level(levels[name], loaded, draw_seed=settings.seed) for level, name in names.items()}
    mean_codes = {level: encode_level(levels[names[level]], loaded) for level in ("compound", "molecule")}
    extra = {
        "well": None if well_table is None else read_table(well_table, text_columns=[keys.PLATE, keys.WELL]),
        "compound": None if compound_table is None else read_table(compound_table, text_columns=[keys.COMPOUND_ID]),
    }
    found = probe_codes(codes, extra, settings, rng)
    write_table(probes, found.assign(fold=fold))
    write_table(dependence, measure_dependence(codes, mean_codes, settings, rng).assign(fold=fold))


@step
def summarize_folds(
    *,
    settings: EvaluateRetrievalSettings,
    queries: Inputs,
    permutations: Inputs,
    probes: Inputs,
    dependence: Inputs,
    retrieval: Output,
    comparisons: Output,
    all_probes: Output,
    all_dependence: Output,
) -> None:
    """Bring the folds together: retrieval with intervals and p-values, paired tests, probes, dependence."""
    from dssl.evaluation.statistics import summarize
    from dssl.steps.retrieval import compare_methods

    rng = np.random.default_rng(settings.seed)
    scored, null = _all_folds(queries), _all_folds(permutations)
    write_table(retrieval, summarize(scored, null, settings.n_bootstrap, rng))
    write_table(comparisons, compare_methods(scored, settings, rng))
    write_table(all_probes, _all_folds(probes))
    write_table(all_dependence, _all_folds(dependence))


def _all_folds(paths: list[Path]) -> pd.DataFrame:
    return pd.concat([read_table(path, text_columns=["fold"]) for path in paths], ignore_index=True)
