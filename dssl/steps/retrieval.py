"""Retrieval of one fold's held-out compounds by every method, and comparisons over all folds."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.errors import PairingError, first_few
from dssl.settings.evaluation import EvaluateRetrievalSettings
from dssl.steps.neighbors import Sides
from dssl.steps.strata import original_ids

if TYPE_CHECKING:
    from anndata import AnnData

MODEL, TRAINED, CLOSED_FORM, ONE_MODEL = "dssl", "dssl_trained", "dssl_closed_form", "dssl_one_model"
SPECIFIC, PROFILES, STRUCTURES, RANDOM = "dssl_specific", "profiles", "structures", "random"
COMPARED_METRICS = ("mrr", "mean_normalized_rank")


def score_fold(
    phenotypes: dict[str, "AnnData"],
    molecules: "AnnData",
    baselines: "AnnData",
    learned: Sequence[pd.DataFrame],
    fold: str,
    settings: EvaluateRetrievalSettings,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score every method at every level, on test compounds only.

    Methods: "dssl" (the whole ensemble), its parts (see `parts_of_ensemble`), the controls in `baselines.obsm`, and the
    learned baselines, whose codes are in `learned`: a table for each, with the columns method, level, id, shared_1,
    shared_2, ...

    Returns
    -------
    queries, null : DataFrame
        As `dssl.evaluation.retrieval.evaluate_embedding` gives them, for all methods and levels; compound_id is that
        of the screen, also where a compound occurs once for each of its roles.

    Raises
    ------
    PairingError
        If the fold has no test compounds, or a learned baseline has no code of one of its rows.
    """
    from dssl.evaluation.libraries import Pairings
    from dssl.evaluation.retrieval import evaluate_embedding
    from dssl.pairs.levels import origins

    pairings = Pairings(settings.n_permutations, np.random.default_rng(settings.seed))
    ids = tested_ids(molecules, fold)
    queries, nulls = [], []
    for level, adata in phenotypes.items():
        rows = tested_rows(adata)
        obs = adata.obs.loc[rows, [keys.COMPOUND_ID]].astype(str)
        obs[settings.library_of] = pd.Series(origins(adata.obs.loc[rows, settings.library_of]), index=obs.index)
        vectors = (*_vectors(adata[rows], molecules[ids], baselines[ids]), *_learned(learned, level, obs.index, ids))
        for method, phenotype, molecule in vectors:
            scores = evaluate_embedding(
                phenotype,
                obs,
                molecule,
                ids,
                level,
                method=method,
                fold=fold,
                pairings=pairings,
                library_column=settings.library_of,
            )
            queries.append(scores.queries)
            nulls.append(scores.null)
    scored = pd.concat(queries, ignore_index=True)
    names = pd.Series(original_ids(molecules.obs, pd.Index(ids)), index=ids)
    scored[keys.COMPOUND_ID] = scored[keys.COMPOUND_ID].map(names)
    return scored, pd.concat(nulls, ignore_index=True)


def tested_rows(adata: "AnnData") -> NDArray[np.bool_]:
    """Which rows are tested."""
    return np.asarray(adata.obs[keys.SPLIT].astype(str) == keys.TEST, dtype=bool)


def tested_ids(molecules: "AnnData", fold: str) -> list[str]:
    """Names of the tested molecules.

    Raises
    ------
    PairingError
        If there are none.
    """
    ids = list(molecules.obs_names[tested_rows(molecules)])
    if not ids:
        raise PairingError(f"fold {fold}: no test compounds; only folds with a test set can be evaluated")
    return ids


def neighbor_sides(
    compounds: "AnnData", molecules: "AnnData", baselines: "AnnData", learned: Sequence[pd.DataFrame], fold: str
) -> tuple[dict[str, Sides], list[str]]:
    """Vectors of the tested compounds by every method, rows in the order of the names that are given too.

    Beside the methods of `score_fold`: "dssl_specific" (the model's specific codes), and what goes into all of them,
    "profiles" and "structures" (preprocessed). The random control has no phenotypes of its own.
    """
    ids = tested_ids(molecules, fold)
    tested = compounds[pd.Index(compounds.obs[keys.COMPOUND_ID].astype(str)).get_indexer(pd.Index(ids))]
    molecule = molecules[ids]
    found = {MODEL: Sides(tested.obsm[keys.X_SHARED], molecule.obsm[keys.X_SHARED])}
    found[SPECIFIC] = Sides(tested.obsm[keys.X_SPECIFIC], molecule.obsm[keys.X_SPECIFIC], comparable=False)
    found[PROFILES], found[STRUCTURES] = Sides(tested.X, None), Sides(None, molecule.X)
    vectors = (*_vectors(tested, molecule, baselines[ids]), *_learned(learned, "compound", tested.obs_names, ids))
    for method, one, other in vectors:
        if method not in (MODEL, TRAINED, CLOSED_FORM, ONE_MODEL):
            found[method] = Sides(None if method == RANDOM else one, other)
    return found, ids


def _vectors(
    phenotype: "AnnData", molecule: "AnnData", baselines: "AnnData"
) -> Iterator[tuple[str, NDArray[np.float32], NDArray[np.float32]]]:
    from dssl.baselines.vectors import phenotype_vectors

    shared = phenotype.obsm[keys.X_SHARED], molecule.obsm[keys.X_SHARED]
    yield MODEL, *shared
    for method, columns in parts_of_ensemble(phenotype.uns[keys.CODE_SIZES], phenotype.uns[keys.CODE_KINDS]).items():
        yield method, *(codes[:, columns] for codes in shared)
    for method in baselines.obsm:
        yield (
            method,
            phenotype_vectors(method, phenotype.X, phenotype.obs, baselines.uns),
            baselines.obsm[method],
        )


def parts_of_ensemble(sizes: Sequence[int], kinds: Sequence[int]) -> dict[str, slice]:
    """Columns of the shared codes that belong to parts of the ensemble which are scored by themselves.

    The trained models together and the closed form, where the ensemble has both; the first model, where several are
    trained. Their order is that of the members: seed after seed, then the closed form.
    """
    trained = int(sum(size for size, kind in zip(sizes, kinds, strict=True) if kind == 0))
    parts: dict[str, slice] = {}
    if max(kinds) > 0:
        parts |= {TRAINED: slice(0, trained), CLOSED_FORM: slice(trained, None)}
    if list(kinds).count(0) > 1:
        parts[ONE_MODEL] = slice(0, int(sizes[0]))
    return parts


def _learned(
    tables: Sequence[pd.DataFrame], level: str, rows: "pd.Index[str]", ids: list[str]
) -> Iterator[tuple[str, NDArray[np.float32], NDArray[np.float32]]]:
    for table in tables:
        method = str(table["method"].iloc[0])
        yield method, codes_of(table, level, list(rows)), codes_of(table, keys.MOLECULE, ids)


def codes_of(table: pd.DataFrame, level: str, names: Sequence[str]) -> NDArray[np.float32]:
    """Codes (n, d) of the rows `names` of one level of a learned baseline's table, in their order.

    Raises
    ------
    PairingError
        If a row has no code.
    """
    of_level = table[table["level"] == level].set_index("id")
    missing = sorted(set(names) - set(of_level.index))
    if missing:
        raise PairingError(
            f"{table['method'].iloc[0]}: no codes of {len(missing)} of {len(names)} rows of level {level}: "
            f"{first_few(missing)}\nThey are of another screen or fold: run select_learned_baseline again."
        )
    return of_level.loc[list(names)].filter(regex=r"^shared_\d+$").to_numpy(np.float32)


def compare_methods(
    queries: pd.DataFrame, settings: EvaluateRetrievalSettings, rng: np.random.Generator
) -> pd.DataFrame:
    """Paired tests of the model against every other method, at every level, over all folds.

    Returns
    -------
    DataFrame
        method_a, method_b, direction, library, level, metric, the fields of `PairedTest`, and p_holm: the p-value
        corrected (Holm) for the comparisons with all other methods in the same direction, library, level and metric.
    """
    from dssl.evaluation.statistics import holm, paired_test

    rows = []
    for (level, direction, library), group in queries.groupby(["level", "direction", "library"], observed=True):
        methods = dict(iter(group.groupby(group["method"].astype(str), sort=True)))
        model = methods.pop(MODEL)
        for metric in COMPARED_METRICS:
            tests = {
                method: paired_test(model, other, metric, rng, settings.n_bootstrap, settings.n_permutations)
                for method, other in methods.items()
            }
            corrected = holm(np.array([test.p_value for test in tests.values()]))
            setting = {"direction": direction, "library": library, "level": level, "metric": metric}
            rows += [
                {"method_a": MODEL, "method_b": method, **setting, **test._asdict(), "p_holm": p_holm}
                for (method, test), p_holm in zip(tests.items(), corrected, strict=True)
            ]
    return pd.DataFrame(rows)
