"""Ranked hits of queries in a library, with what their scores are worth."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.evaluation.applicability import APPLICABILITY
from dssl.evaluation.calibration import worth
from dssl.evaluation.ranking import cosine_chunks
from dssl.evaluation.retrieval import unit_rows
from dssl.steps.streaming import table_writer

if TYPE_CHECKING:
    from anndata import AnnData

SHOWN = (keys.NAME, keys.SMILES, keys.SPLIT, APPLICABILITY)
WORTH = ("percentile_match", "percentile_other", "precision", "precision_low", "precision_high")


class Side(NamedTuple):
    """One side of a ranking: codes and description of its rows, and which modality they are of."""

    adata: "AnnData"
    modality: str


class Ranked(NamedTuple):
    """Best items of a chunk of queries: places among the items, scores and expected ranks, each (queries, k)."""

    places: NDArray[np.int64]
    scores: NDArray[np.float64]
    ranks: NDArray[np.float64]


def best_items(similarity: NDArray[np.float64], k: int) -> Ranked:
    """The k items with the highest score of each query, best first.

    Tied items have their expected rank under random order, and stand in the order of the library.
    """
    k = min(k, similarity.shape[1])
    places = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    scores = np.take_along_axis(similarity, places, axis=1)
    ordered = np.sort(-similarity, axis=1)
    ranks = np.empty(scores.shape)
    for row, values in enumerate(scores):
        first, last = (np.searchsorted(ordered[row], -values, side) for side in ("left", "right"))
        ranks[row] = (first + last + 1) / 2
    return Ranked(places, scores, ranks)


def write_hits(path: Path, queries: Side, items: Side, calibration: pd.DataFrame, n_hits: int) -> None:
    """Write the best items of every query.

    Columns: query, rank, item, score (cosine of the shared codes); percentile_match and percentile_other (shares of
    held-out matches and of other held-out pairs that score lower); precision with its 95 % interval (chance that the
    item is the match if exactly one item of the library is; see `dssl.evaluation.calibration.worth`), empty where
    the query's or the item's compound was in training, whose scores no held-out pair tells about; library_size; and
    name, smiles, split and applicability of both.

    Parameters
    ----------
    path : Path
        A .tsv.
    queries, items : Side
        Of different modalities.
    calibration : DataFrame
        Of the profiles' level.
    n_hits : int
        Items listed for each query.
    """
    with table_writer(path) as table:
        for frame in _hits(queries, items, calibration, n_hits):
            table.append(frame)


def _hits(queries: Side, items: Side, calibration: pd.DataFrame, n_hits: int) -> Iterator[pd.DataFrame]:
    codes, library = (unit_rows(side.adata.obsm[keys.X_SHARED]) for side in (queries, items))
    described = {"query": _described(queries), "item": _described(items)}
    for chunk, scores in cosine_chunks(codes, library):
        found = best_items(scores, n_hits)
        k = found.places.shape[1]
        rows = {"query": np.repeat(np.arange(chunk.start, chunk.stop), k), "item": found.places.ravel()}
        of_query, of_item = (described[role].iloc[place].reset_index(drop=True) for role, place in rows.items())
        frame = pd.DataFrame(
            {
                "query": queries.adata.obs_names.to_numpy()[rows["query"]],
                "rank": found.ranks.ravel(),
                "item": items.adata.obs_names.to_numpy()[rows["item"]],
                "score": found.scores.ravel(),
            }
        )
        values = worth(calibration, found.scores.ravel(), len(library))
        seen = (of_query[keys.SPLIT] == keys.TRAIN) | (of_item[keys.SPLIT] == keys.TRAIN)
        values.loc[seen.to_numpy(), ["precision", "precision_low", "precision_high"]] = np.nan
        described_rows = [of_item.add_prefix("item_"), of_query.add_prefix("query_")]
        yield pd.concat([frame, values.round(6), *described_rows], axis=1).assign(library_size=len(library))


def _described(side: Side) -> pd.DataFrame:
    present = [column for column in SHOWN if column in side.adata.obs]
    described: pd.DataFrame = side.adata.obs[present].astype(object).reset_index(drop=True)
    return described
