"""Tables of the hand-over: held-out hits, neighbours in each code, the codes themselves, variance of the features."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.evaluation.calibration import worth
from dssl.evaluation.ranking import cosine_chunks
from dssl.evaluation.retrieval import DIRECTIONS, PHENOTYPE_TO_MOLECULE, unit_rows
from dssl.steps.arrays import numbered
from dssl.steps.hits import best_items
from dssl.steps.retrieval import tested_ids
from dssl.steps.strata import original_ids

if TYPE_CHECKING:
    from anndata import AnnData

CODES = {
    "shared_phenotype": (keys.PHENOTYPE, keys.X_SHARED),
    "shared_molecule": (keys.MOLECULE, keys.X_SHARED),
    "specific_phenotype": (keys.PHENOTYPE, keys.X_SPECIFIC),
    "specific_molecule": (keys.MOLECULE, keys.X_SPECIFIC),
}
SEEN = {
    (True, True): "both",
    (True, False): "only the compound",
    (False, True): "only the neighbour",
    (False, False): "neither",
}


class Embedded(NamedTuple):
    """Mean phenotypes and molecules of one fold's model, row by row of the same compounds.

    Attributes
    ----------
    phenotype, molecule : codes in obsm, roles in obs["split"]; the same names in the same order.
    ids : compound_id of every row; a compound has a row for each of its roles.
    """

    phenotype: "AnnData"
    molecule: "AnnData"
    ids: list[str]


def embedded(compounds: "AnnData", molecules: "AnnData") -> Embedded:
    """Bring the molecules into the order of the phenotypes."""
    names = compounds.obs[keys.COMPOUND_ID].astype(str)
    in_order = molecules[list(names)]
    return Embedded(compounds, in_order, original_ids(in_order.obs, in_order.obs_names))


def held_out_hits(
    fold: str, compounds: "AnnData", molecules: "AnnData", calibration: pd.DataFrame, known: pd.DataFrame, k: int
) -> pd.DataFrame:
    """The k best items of every held-out compound of a fold, in both directions, and its own item wherever it is.

    Parameters
    ----------
    fold : its name.
    compounds, molecules : embedding of the fold.
    calibration : of compounds (`dssl.evaluation.calibration.calibrate`).
    known : name and kept columns, by compound_id.
    k : items of each query.
    """
    found = embedded(compounds, molecules)
    tested = found.molecule.obs_names.isin(tested_ids(molecules, fold))
    ids = np.array(found.ids, dtype=object)[tested]
    phenotype, molecule = (unit_rows(side.obsm[keys.X_SHARED][tested]) for side in found[:2])
    parts = []
    for direction in DIRECTIONS:
        sides = (phenotype, molecule) if direction == PHENOTYPE_TO_MOLECULE else (molecule, phenotype)
        parts += [part.assign(direction=direction, fold=fold) for part in _best(*sides, k)]
    hits = pd.concat(parts, ignore_index=True)
    query, item = (ids[hits.pop(role)] for role in ("query", "item"))
    n = len(ids)
    of_item = known.reindex(item).reset_index(drop=True).add_prefix("item_")
    percentile = (1 - (hits["rank"] - 1) / (n - 1)).round(6) if n > 1 else np.nan
    values = worth(calibration, hits["cosine"].to_numpy(), n).round(6)
    names = known[keys.NAME].reindex(query).to_numpy()
    described = hits.assign(
        query_id=query,
        query_name=names,
        item_id=item,
        own=np.where(query == item, "true", "false"),
        percentile=percentile,
    )
    return pd.concat([described, of_item, values], axis=1).assign(library_size=n, chance_own=round(1 / n, 6))


def _best(queries: NDArray[np.float64], items: NDArray[np.float64], k: int) -> Iterator[pd.DataFrame]:
    for chunk, scores in cosine_chunks(queries, items):
        start = chunk.start
        best = best_items(scores, k)
        rows = np.repeat(np.arange(len(scores)), best.places.shape[1])
        frame = pd.DataFrame(
            {"query": rows, "item": best.places.ravel(), "rank": best.ranks.ravel(), "cosine": best.scores.ravel()}
        )
        own = scores[np.arange(len(scores)), start + np.arange(len(scores))][:, None]
        above, tied = (scores > own).sum(axis=1), (scores == own).sum(axis=1)
        right = pd.DataFrame(
            {
                "query": np.arange(len(scores)),
                "item": start + np.arange(len(scores)),
                "rank": above + (tied + 1) / 2,
                "cosine": own[:, 0],
            }
        )
        # listed already where it is among the best
        both = pd.concat([frame, right]).drop_duplicates(["query", "item"]).sort_values("query", kind="stable")
        yield both.assign(query=both["query"] + start)


def neighbors(rows: Embedded, known: pd.DataFrame, k: int) -> pd.DataFrame:
    """The k nearest other compounds of every compound in each of the four codes.

    Rows of the same compound in another role are no neighbours.
    """
    ids = np.array(rows.ids, dtype=object)
    number = pd.factorize(ids)[0]
    seen = (rows.molecule.obs[keys.SPLIT].astype(str) == keys.TRAIN).to_numpy()
    sides = {keys.PHENOTYPE: rows.phenotype, keys.MOLECULE: rows.molecule}
    parts = []
    for code, (modality, name) in CODES.items():
        parts += [part.assign(code=code) for part in _nearest(unit_rows(sides[modality].obsm[name]), number, k)]
    found = pd.concat(parts, ignore_index=True)
    query, item = (found.pop(role).to_numpy(np.int64) for role in ("query", "item"))
    of_neighbor = known.reindex(ids[item]).reset_index(drop=True).add_prefix("neighbor_")
    own = {keys.COMPOUND_ID: ids[query], keys.NAME: known[keys.NAME].reindex(ids[query]).to_numpy()}
    in_training = [SEEN[bool(one), bool(other)] for one, other in zip(seen[query], seen[item], strict=True)]
    described = found.assign(**own, neighbor_id=ids[item], in_training=in_training)
    return pd.concat([described, of_neighbor], axis=1)


def _nearest(codes: NDArray[np.float64], number: NDArray[np.intp], k: int) -> Iterator[pd.DataFrame]:
    for chunk, scores in cosine_chunks(codes, codes):
        same = number[chunk, None] == number[None, :]
        median = pd.DataFrame(np.where(same, np.nan, scores)).median(axis=1).to_numpy()
        best = best_items(np.where(same, -np.inf, scores), k)
        frame = pd.DataFrame(
            {
                "query": np.repeat(np.arange(chunk.start, chunk.stop), best.places.shape[1]),
                "item": best.places.ravel(),
                "rank": best.ranks.ravel(),
                "cosine": best.scores.ravel(),
                "median_cosine": np.repeat(median.round(6), best.places.shape[1]),
            }
        )
        yield frame[np.isfinite(frame["cosine"])]


def code_table(adata: "AnnData", ids: list[str], names: "pd.Series[str]", code: str) -> pd.DataFrame:
    """One code of every row, with its map.

    Parameters
    ----------
    adata : rows with obsm.
    ids : their compound_id.
    names : readable name by compound_id.
    code : "shared" or "specific".
    """
    codes, key = adata.obsm[f"X_{code}"], {"shared": keys.X_UMAP, "specific": keys.X_UMAP_SPECIFIC}[code]
    first = {
        "row": adata.obs_names.to_numpy(),
        keys.COMPOUND_ID: ids,
        keys.NAME: names.reindex(ids).to_numpy(),
        keys.SPLIT: adata.obs[keys.SPLIT].astype(str).to_numpy(),
    }
    places = pd.DataFrame(np.round(adata.obsm[key], 6), columns=["umap_1", "umap_2"])
    values = pd.DataFrame(np.round(codes, 6), columns=list(numbered(code, codes.shape[1]).index))
    return pd.concat([pd.DataFrame(first), places, values], axis=1)


def feature_variance(attribution: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Mean over folds of what each code explains of each feature, the spread over folds, and the annotation's columns."""
    measured = ["shared", "specific", "both", "neither", "chance_r2_shared", "chance_r2_specific"]
    others = ["fold", "feature", "r2_shared", "r2_specific", "r2_all", "chance_r2_all"]
    annotation = [str(name) for name in attribution.columns if name not in (*measured, *others)]
    grouped = attribution.groupby("feature", sort=False)
    table: pd.DataFrame = pd.concat([grouped[annotation].first(), grouped[measured].mean()], axis=1)
    for name in ("shared", "specific"):
        table[f"{name}_lowest"], table[f"{name}_highest"] = grouped[name].min(), grouped[name].max()
    table["n_folds"] = grouped["shared"].count()
    return table.round(6).reset_index(), annotation
