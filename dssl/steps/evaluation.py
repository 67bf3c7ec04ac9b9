"""Controls, held-out retrieval, and what each code knows."""

from pathlib import Path

import numpy as np
import pandas as pd

from dssl import keys
from dssl.io import read_anndata, read_table, write_anndata, write_table
from dssl.provenance import stamp
from dssl.settings.baselines import TrainBaselineSettings
from dssl.settings.evaluation import EvaluateDisentanglementSettings, EvaluateRetrievalSettings
from dssl.steps.arrays import features_of, read_pairs
from dssl.steps.registry import Input, Inputs, OptionalInput, OptionalInputs, Output, step

FOLD_TEXT = ["fold", keys.COMPOUND_ID, "query"]


@step
def train_baseline(
    *, settings: TrainBaselineSettings, pairs: Input, state: Input, inputs: Input, molecules: Output, tuning: Output
) -> None:
    """Fit the classical controls on training compounds, chosen on validation compounds."""
    from dssl.preprocessing.state import load_state
    from dssl.steps.baselines import fit_fold

    prepared = read_pairs(inputs)
    controls, tried = fit_fold(features_of(read_pairs(pairs), prepared), prepared, load_state(state), settings)
    write_table(tuning, tried)
    write_anndata(molecules, controls, stamp("train_baseline", settings.model_dump(mode="json")))


@step
def evaluate_retrieval(
    *,
    settings: EvaluateRetrievalSettings,
    pairs: Input,
    inputs: Input,
    wells: Input,
    treatments: Input,
    compounds: Input,
    molecules: Input,
    baselines: Input,
    learned: OptionalInputs,
    activity: Input,
    fold: str,
    queries: Output,
    permutations: Output,
    neighbors: Output,
    neighbor_permutations: Output,
    described: Output,
    doses: Output,
) -> None:
    """Rank held-out compounds and look at their neighbours, by the model, by every control and by every learned baseline."""
    from dssl.steps.neighbors import score_neighbors
    from dssl.steps.retrieval import neighbor_sides, score_fold
    from dssl.steps.strata import describe_compounds, original_ids, treatment_doses

    paths = {"well": wells, "treatment": treatments, "compound": compounds}
    embeddings = {level: read_anndata(path) for level, path in paths.items()}
    embedded = read_anndata(molecules)
    others = read_anndata(baselines), [read_table(path, text_columns=["id"]) for path in learned or []]
    scored, null = score_fold(embeddings, embedded, *others, fold, settings)
    write_table(queries, scored)
    write_table(permutations, null)
    sides, ids = neighbor_sides(embeddings["compound"], embedded, *others, fold)
    obs = embedded.obs.loc[ids]
    rates, dealt = score_neighbors(sides, obs, original_ids(obs, obs.index), fold, settings)
    write_table(neighbors, rates)
    write_table(neighbor_permutations, dealt)
    prepared = read_pairs(inputs)
    known = read_table(activity, text_columns=[keys.COMPOUND_ID])
    features = features_of(read_pairs(pairs), prepared)
    write_table(described, describe_compounds(features, prepared, embeddings["compound"], fold, known))
    write_table(doses, treatment_doses(embeddings["treatment"], fold))


@step
def evaluate_disentanglement(
    *,
    settings: EvaluateDisentanglementSettings,
    pairs: Input,
    state: Input,
    models: Inputs,
    sweep_models: Inputs,
    well_table: OptionalInput,
    compound_table: OptionalInput,
    fold: str,
    probes: Output,
    dependence: Output,
    information: Output,
    attribution: Output,
    leakage: Output,
) -> None:
    """Measure what held-out codes, drawn from their distributions, know, explain, and have in common."""
    from dssl.preprocessing.state import load_state
    from dssl.steps.disentanglement import attribute_profiles, measure_dependence, measure_leakage, probe_codes
    from dssl.steps.embeddings import draw_levels, encode_level, load_models, prepare_levels
    from dssl.steps.information import measure_information

    rng = np.random.default_rng(settings.seed)
    mdata = read_pairs(pairs)
    loaded, levels = load_models(models), prepare_levels(mdata, load_state(state), fold)
    names = {"well": "wells", "compound": "compounds", "molecule": "molecules"}
    codes = draw_levels({level: levels[name] for level, name in names.items()}, loaded, settings.seed)
    mean_codes = {level: encode_level(levels[names[level]], loaded) for level in ("compound", "molecule")}
    extra = {
        "well": None if well_table is None else read_table(well_table, text_columns=[keys.PLATE, keys.WELL]),
        "compound": None if compound_table is None else read_table(compound_table, text_columns=[keys.COMPOUND_ID]),
    }
    found = probe_codes(codes, extra, settings, rng)
    write_table(probes, found.assign(fold=fold))
    write_table(dependence, measure_dependence(codes, mean_codes, settings, rng).assign(fold=fold))
    write_table(information, measure_information(sweep_models, models, levels, settings.seed).assign(fold=fold))
    write_table(attribution, attribute_profiles(mdata, codes["compound"], fold, rng))
    write_table(leakage, measure_leakage(codes, fold, settings, rng))


@step
def summarize_folds(
    *,
    settings: EvaluateRetrievalSettings,
    queries: Inputs,
    permutations: Inputs,
    neighbors: Inputs,
    neighbor_permutations: Inputs,
    described: Inputs,
    doses: Inputs,
    probes: Inputs,
    dependence: Inputs,
    information: Inputs,
    attribution: Inputs,
    leakage: Inputs,
    retrieval: Output,
    comparisons: Output,
    enrichment: Output,
    strata: Output,
    all_probes: Output,
    all_dependence: Output,
    all_information: Output,
    information_curve: Output,
    all_attribution: Output,
    attribution_groups: Output,
    all_leakage: Output,
) -> None:
    """Bring the folds together: retrieval, paired tests, neighbours, strata, and what each code knows."""
    from dssl.evaluation.attribution import summarize_attribution
    from dssl.evaluation.enrichment import summarize_neighbors
    from dssl.evaluation.information import information_curve as curve
    from dssl.evaluation.statistics import summarize
    from dssl.evaluation.strata import summarize_strata
    from dssl.steps.retrieval import compare_methods

    rng = np.random.default_rng(settings.seed)
    scored, null = _all_folds(queries), _all_folds(permutations)
    write_table(retrieval, summarize(scored, null, settings.n_bootstrap, rng))
    write_table(comparisons, compare_methods(scored, settings, rng))
    near = _all_folds(neighbors), _all_folds(neighbor_permutations)
    write_table(enrichment, summarize_neighbors(*near, settings.n_bootstrap, rng))
    tested = _all_folds(described), _all_folds(doses)
    write_table(strata, summarize_strata(scored, *tested, settings.similarity_bins, settings.n_bootstrap, rng))
    write_table(all_probes, _all_folds(probes))
    write_table(all_dependence, _all_folds(dependence))
    bounds, parts = _all_folds(information), _all_folds(attribution)
    write_table(all_information, bounds)
    write_table(information_curve, curve(bounds))
    write_table(all_attribution, parts)
    write_table(attribution_groups, summarize_attribution(parts))
    write_table(all_leakage, _all_folds(leakage))


def _all_folds(paths: list[Path]) -> pd.DataFrame:
    return pd.concat([read_table(path, text_columns=FOLD_TEXT) for path in paths], ignore_index=True)
