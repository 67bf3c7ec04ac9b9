"""The page in which the codes of a screen are explored."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import __version__, keys
from dssl.io import read_anndata, read_table, write_text
from dssl.settings.explorer import ExplorerSettings
from dssl.steps.arrays import read_pairs
from dssl.steps.counterfactuals import TEXT
from dssl.steps.describe import label_of, read_compounds
from dssl.steps.registry import Input, Inputs, Output, step

if TYPE_CHECKING:
    from anndata import AnnData

    from dssl.report.explorer.content import Code, Nearest, Retrieval


@step
def explorer(
    *,
    settings: ExplorerSettings,
    title: str,
    screen: str,
    other: str,
    simulated: bool,
    fold: str,
    table: Input,
    pairs: Input,
    compounds: Input,
    molecules: Input,
    fold_compounds: Inputs,
    fold_molecules: Inputs,
    predicted: Input,
    counterfactuals: Input,
    counterfactual_tests: Input,
    html: Output,
) -> None:
    """Write the explorer: one HTML page that needs no network, to look at the codes compound by compound."""
    from dssl.report.explorer.content import explorer_content
    from dssl.report.explorer.counterfactuals import counterfactuals as predicted_profiles
    from dssl.report.explorer.page import render

    described = read_compounds(table)
    ids = pd.Index(described[keys.COMPOUND_ID].astype(str))
    phenotype = read_anndata(compounds)
    wells = read_pairs(pairs)[keys.PHENOTYPE]
    rows = rows_of(phenotype, ids)
    shown = phenotype.obs.iloc[rows]
    origins = {name: shown[name].astype(str).to_numpy() for name in (keys.PLATE, keys.BATCH) if name in shown}
    about = {
        "title": title,
        "screen": screen,
        "version": __version__,
        "simulated": simulated,
        "fold": fold,
        "other": other,
        "label": label_of(described, settings.color_by),
    }
    content = explorer_content(
        about,
        described.assign(**{name: values for name, values in origins.items() if name not in described}),
        settings.color_by,
        screen_codes(phenotype, read_anndata(molecules), ids, other, settings.n_neighbors),
        retrievals(fold_compounds, fold_molecules, described, settings.n_hits),
        wells.obs,
        wells.X,
        wells.var,
        predicted_profiles(
            read_table(predicted, text_columns=TEXT),
            read_table(counterfactuals),
            read_table(counterfactual_tests),
            ids,
            settings.n_predicted,
            other,
        ),
    )
    write_text(html, render(content))


def rows_of(adata: "AnnData", ids: "pd.Index[str]") -> NDArray[np.intp]:
    """The first row of every compound; a compound has one for each of its roles in a fold."""
    from dssl.steps.strata import original_ids

    names = pd.Series(np.arange(adata.n_obs), index=original_ids(adata.obs, adata.obs_names))
    return np.asarray(names[~names.index.duplicated()].loc[ids].to_numpy(), dtype=np.intp)


def screen_codes(phenotype: "AnnData", molecule: "AnnData", ids: "pd.Index[str]", other: str, k: int) -> list["Code"]:
    """Both codes of both sides by the model that is handed over, with their maps and nearest other compounds."""
    from dssl.report.explorer.content import Code

    sides = {keys.PHENOTYPE: phenotype[rows_of(phenotype, ids)], keys.MOLECULE: molecule[rows_of(molecule, ids)]}
    words = {keys.PHENOTYPE: keys.PHENOTYPE, keys.MOLECULE: other}
    return [
        Code(name, words[side], adata.obsm[place], nearest_others(adata.obsm[codes], k))
        for name, codes, place in (
            ("shared", keys.X_SHARED, keys.X_UMAP),
            ("specific", keys.X_SPECIFIC, keys.X_UMAP_SPECIFIC),
        )
        for side, adata in sides.items()
    ]


def nearest_others(codes: NDArray[np.floating], k: int) -> "Nearest":
    """The k nearest other rows of every row by cosine, ties in their order; fewer where there are fewer."""
    from dssl.evaluation.retrieval import unit_rows
    from dssl.report.explorer.content import Nearest

    units = unit_rows(codes)
    places, cosines, _ = ranked(units, units, min(k, len(units) - 1), own_apart=True)
    return Nearest(places, cosines)


def ranked(
    queries: NDArray[np.float64], items: NDArray[np.float64], k: int, own_apart: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Places and cosines (n, k) of the best items of every query, and the cosine (n,) of the item of the same place.

    With `own_apart`, the item of the same place is not among the best.
    """
    from dssl.evaluation.ranking import cosine_chunks
    from dssl.steps.hits import best_items

    n = len(queries)
    places, cosines, own = np.empty((n, k), dtype=np.int64), np.empty((n, k)), np.empty(n)
    for chunk, scores in cosine_chunks(queries, items):
        diagonal = np.arange(len(scores)), np.arange(chunk.start, chunk.stop)
        own[chunk] = scores[diagonal]
        if own_apart:
            scores[diagonal] = -np.inf
        best = best_items(scores, k)
        places[chunk], cosines[chunk] = best.places, best.scores
    return places, cosines, own


def retrievals(compounds: list[Path], molecules: list[Path], table: pd.DataFrame, k: int) -> list["Retrieval"]:
    """Best items of every compound among those held out with it, in both directions.

    Of several folds that a compound was held out in, the one that the compound table names counts.
    """
    from dssl.evaluation.retrieval import DIRECTIONS, PHENOTYPE_TO_MOLECULE, unit_rows
    from dssl.report.explorer.content import Nearest, Retrieval
    from dssl.steps.report import wildcards_of
    from dssl.steps.retrieval import tested_ids
    from dssl.steps.strata import original_ids

    ids = pd.Index(table[keys.COMPOUND_ID].astype(str))
    of_fold = table[keys.FOLD].astype(str).to_numpy()
    found = {
        each: Retrieval(
            each,
            Nearest(np.full((len(ids), k), -1, dtype=np.int64), np.full((len(ids), k), np.nan)),
            np.full(len(ids), np.nan),
        )
        for each in DIRECTIONS
    }
    for compounds_path, molecules_path in zip(compounds, molecules, strict=True):
        fold = wildcards_of(compounds_path)["fold"]
        phenotype, molecule = read_anndata(compounds_path), read_anndata(molecules_path)
        names = tested_ids(molecule, fold)
        place = ids.get_indexer(pd.Index(original_ids(molecule.obs.loc[names], pd.Index(names))))
        rows = pd.Index(phenotype.obs[keys.COMPOUND_ID].astype(str)).get_indexer(pd.Index(names))
        sides = unit_rows(phenotype.obsm[keys.X_SHARED][rows]), unit_rows(molecule[names].obsm[keys.X_SHARED])
        counted = of_fold[place] == fold
        for direction, retrieval in found.items():
            queries, items = sides if direction == PHENOTYPE_TO_MOLECULE else sides[::-1]
            best, cosines, own = ranked(queries, items, min(k, len(names)))
            filled = np.ix_(place[counted], np.arange(best.shape[1]))
            retrieval.hits.places[filled] = place[best[counted]]
            retrieval.hits.cosines[filled] = cosines[counted]
            retrieval.own[place[counted]] = own[counted]
    return list(found.values())
