"""Held-out retrieval in each pair of molecule, phenotype and second assay, by models and controls."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.errors import PairingError
from dssl.plan import ALL_COMPOUNDS, ASSAY_PAIRS, COMPLETE_COMPOUNDS, pair_name
from dssl.settings.baselines import TrainBaselineSettings
from dssl.settings.evaluation import EvaluateRetrievalSettings
from dssl.steps.arrays import features_in_rows
from dssl.steps.joined_assays import compounds_with, profiles_of
from dssl.steps.retrieval import COMPARED_METRICS, MODEL

if TYPE_CHECKING:
    from anndata import AnnData
    from mudata import MuData

    from dssl.model.multimodal import MultimodalModel
    from dssl.preprocessing.state import PreprocessingState

Floats = NDArray[np.float32]
Pair = tuple[str, str]
# the methods of the tables, named after what a model was trained on
ALL, COMPLETE, ALONE = "all_compounds", "complete_compounds", "pair_alone"
BOTH_DIRECTIONS = "both"
LEVEL = "compound"


@dataclass(frozen=True)
class Fold:
    """One test fold: raw features, preprocessed inputs, and what was fitted (see `dssl.steps.joined_assays.prepare`)."""

    name: str
    assays: "MuData"
    inputs: "MuData"
    state: "PreprocessingState"
    second_state: "PreprocessingState"


@dataclass(frozen=True)
class PairScores:
    """Scores of all pairs and methods in one fold; `tuning` holds the trials of the controls."""

    queries: pd.DataFrame
    null: pd.DataFrame
    tuning: pd.DataFrame


def score_pairs(
    fold: Fold,
    models: Sequence[Path],
    screen_queries: pd.DataFrame,
    settings: EvaluateRetrievalSettings,
    controls: TrainBaselineSettings,
) -> PairScores:
    """Rank the held-out compounds of every pair in both directions, among all held-out compounds of the pair.

    Methods: all_compounds (the models of all seeds, trained on all modalities and compounds), complete_compounds (on
    the compounds that have all modalities; in the pair of the two assays, whose compounds these are), pair_alone (two
    modalities, on the compounds that have both), dssl (the screen's own model of the two assays), and the controls of
    `train_baseline` that the pair has features for.

    Returns
    -------
    PairScores
        Tables as of `dssl.evaluation.retrieval.evaluate_embedding`, with the column pair; direction is
        "<modality>_to_<modality>".
    """
    from dssl.evaluation.libraries import WHOLE, Pairings
    from dssl.evaluation.retrieval import evaluate_embedding

    pairings = Pairings(settings.n_permutations, np.random.default_rng(settings.seed))
    loaded = _by_subset(models)
    queries, nulls, tunings = [], [], []
    for pair in ASSAY_PAIRS:
        tested = compounds_with(fold.inputs, pair, keys.TEST)
        if not tested:
            raise PairingError(
                f"fold {fold.name}: no held-out compound has both {' and '.join(pair)}\nLower pair_and_split.n_folds."
            )
        fitted, tuning = _controls(fold, pair, controls)
        obs = pd.DataFrame({keys.COMPOUND_ID: tested}, index=pd.Index(tested))
        for method, first, second in (*_codes(fold, pair, tested, loaded), *_predicted(fold, pair, tested, fitted)):
            scores = evaluate_embedding(
                first, obs, second, tested, LEVEL, method=method, fold=fold.name, pairings=pairings, libraries=[WHOLE]
            )
            queries.append(_in_pair(scores.queries, pair))
            nulls.append(_in_pair(scores.null, pair))
        tunings.append(tuning.assign(pair=pair_name(pair)))
    own = screen_queries[
        (screen_queries["method"] == MODEL) & (screen_queries["level"] == LEVEL) & (screen_queries["library"] == WHOLE)
    ]
    queries.append(_in_pair(own, ASSAY_PAIRS[-1]))
    return PairScores(*(pd.concat(tables, ignore_index=True) for tables in (queries, nulls, tunings)))


def _by_subset(paths: Sequence[Path]) -> dict[str, list["MultimodalModel"]]:
    import torch

    from dssl.training.saved_multimodal import load_multimodal

    loaded: dict[str, list[MultimodalModel]] = {}
    for path in paths:
        model, metadata = load_multimodal(path, torch.device("cpu"))
        loaded.setdefault(metadata["subset"], []).append(model)
    return loaded


def _codes(
    fold: Fold, pair: Pair, tested: Sequence[str], models: dict[str, list["MultimodalModel"]]
) -> Iterator[tuple[str, Floats, Floats]]:
    subsets = {ALL_COMPOUNDS: ALL, pair_name(pair): ALONE}
    if keys.MOLECULE not in pair:
        subsets[COMPLETE_COMPOUNDS] = COMPLETE
    inputs = [profiles_of(fold.inputs, modality, tested)[0] for modality in pair]
    for subset, method in subsets.items():
        first, second = (
            encode_pair(models[subset], modality, values, pair) for modality, values in zip(pair, inputs, strict=True)
        )
        yield method, first, second


def encode_pair(models: Sequence["MultimodalModel"], modality: str, inputs: Floats, pair: Pair) -> Floats:
    """A modality's codes in a pair, model after model: their cosine is the mean of the models', each by its spread."""
    import torch

    from dssl.training.encode import side_by_side

    number = next(number for number, known in enumerate(models[0].pairs) if set(known) == set(pair))
    with torch.no_grad():
        codes = [model.code(modality, torch.from_numpy(inputs), model.pairs[number]).numpy() for model in models]
    return side_by_side(codes, [float(model.spreads[number]) for model in models])


def _controls(fold: Fold, pair: Pair, settings: TrainBaselineSettings) -> tuple["AnnData", pd.DataFrame]:
    """The controls of a pair, its first modality in the place of the phenotype, the second in that of the molecule."""
    from dssl.pairs.storage import as_mudata
    from dssl.preprocessing.state import PreprocessingState
    from dssl.steps.baselines import fit_fold

    compounds = compounds_with(fold.inputs, pair)
    first, second = (fold.inputs[modality] for modality in pair)
    rows = first[first.obs[keys.COMPOUND_ID].astype(str).isin(set(compounds))].copy()
    items = second[compounds].copy()
    features = features_in_rows(fold.assays[pair[1]], items.obs)
    states = {keys.SECOND_ASSAY: fold.second_state}
    fitted = PreprocessingState(
        states.get(pair[0], fold.state).phenotype, states.get(pair[1], fold.state).molecule, fold.state.metadata
    )
    return fit_fold(features, as_mudata(rows, items), fitted, settings)


def _predicted(
    fold: Fold, pair: Pair, tested: Sequence[str], controls: "AnnData"
) -> Iterator[tuple[str, Floats, Floats]]:
    from dssl.baselines.vectors import phenotype_vectors

    values, obs = profiles_of(fold.inputs, pair[0], tested)
    for method in controls.obsm:
        yield method, phenotype_vectors(method, values, obs, controls.uns), controls[list(tested)].obsm[method]


def _in_pair(table: pd.DataFrame, pair: Pair) -> pd.DataFrame:
    """With the pair, and directions named after its modalities."""
    first, second = pair
    names = {"phenotype_to_molecule": f"{first}_to_{second}", "molecule_to_phenotype": f"{second}_to_{first}"}
    return table.assign(pair=pair_name(pair), direction=table["direction"].astype(str).map(names))


def summarize_pairs(
    queries: Sequence[pd.DataFrame],
    permutations: Sequence[pd.DataFrame],
    settings: EvaluateRetrievalSettings,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """`dssl.evaluation.statistics.summarize` of every pair; the screen's own model has its p-value elsewhere."""
    from dssl.evaluation.statistics import summarize

    null = dict(iter(pd.concat(permutations).groupby("pair")))
    pieces = []
    for pair, group in pd.concat(queries).groupby("pair", sort=False):
        own = group["method"] == MODEL
        pieces.append(summarize(group[~own], null[pair], settings.n_bootstrap, rng).assign(pair=pair))
        if own.any():
            pieces.append(summarize(group[own], None, settings.n_bootstrap, rng).assign(pair=pair))
    return pd.concat(pieces, ignore_index=True)


def compare_subsets(
    queries: Sequence[pd.DataFrame], settings: EvaluateRetrievalSettings, rng: np.random.Generator
) -> pd.DataFrame:
    """Paired tests over the compounds of all folds, both directions of a compound together.

    In every pair: the model of all compounds against every other method, and in the pair of the assays the model of
    complete compounds against the pair alone, which is trained on the same compounds without the molecules.

    Returns
    -------
    DataFrame
        pair, method_a, method_b, direction ("both"), metric, the fields of `PairedTest`, and p_holm: corrected for all
        comparisons of the pair by the same metric.
    """
    from dssl.evaluation.statistics import holm, paired_test

    rows: list[dict[str, Any]] = []
    for pair, group in pd.concat(queries).groupby("pair", sort=False):
        methods = {str(name): part.drop(columns="direction") for name, part in group.groupby("method", sort=True)}
        compared = [(ALL, other) for other in methods if other != ALL]
        if COMPLETE in methods:
            compared.append((COMPLETE, ALONE))
        for metric in COMPARED_METRICS:
            tests = [
                paired_test(methods[a], methods[b], metric, rng, settings.n_bootstrap, settings.n_permutations)
                for a, b in compared
            ]
            corrected = holm(np.array([test.p_value for test in tests]))
            setting = {"pair": pair, "direction": BOTH_DIRECTIONS, "metric": metric}
            rows += [
                {**setting, "method_a": a, "method_b": b, **test._asdict(), "p_holm": p_holm}
                for (a, b), test, p_holm in zip(compared, tests, corrected, strict=True)
            ]
    return pd.DataFrame(rows)
