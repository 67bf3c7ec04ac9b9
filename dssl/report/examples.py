"""Held-out compounds and the molecules nearest to their phenotypes."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.evaluation.ranking import CHUNK_CELLS
from dssl.report.content import Drawing, Example, Examples, Note, Part
from dssl.report.structures import structure_uri

if TYPE_CHECKING:
    from anndata import AnnData

N_NEIGHBOURS = 3


def example_parts(compounds: "AnnData", molecules: "AnnData", fold: str, n_examples: int) -> list[Part]:
    """A few test compounds, evenly spaced from the best to the worst rank, with their nearest molecules."""
    queries, library = (_held_out(adata) for adata in (compounds, molecules))
    ids = [
        one
        for one in queries.obs[keys.COMPOUND_ID].astype(str)
        if one in set(library.obs[keys.COMPOUND_ID].astype(str))
    ]
    if not ids or n_examples == 0:
        why = "report.n_examples is 0." if ids else f"Fold {fold} has no test compounds with a structure."
        return [Note(f"No examples are drawn: {why}")]
    queries = _by_id(queries, ids)
    library_ids = library.obs[keys.COMPOUND_ID].astype(str).to_numpy()
    codes = np.asarray(queries.obsm[keys.X_SHARED]), np.asarray(library.obsm[keys.X_SHARED])
    right = pd.Index(library_ids).get_indexer(pd.Index(ids))
    step = max(1, CHUNK_CELLS // len(library_ids))
    slices = [slice(start, start + step) for start in range(0, len(ids), step)]
    ranks = np.concatenate([expected_ranks(codes[0][rows] @ codes[1].T, right[rows]) for rows in slices])
    drawn = [
        _example(ids[row], ranks[row], codes[0][row] @ codes[1].T, library.obs)
        for row in spread_over(ranks, n_examples)
    ]
    caption = (
        f"Test compounds of fold {fold}, evenly spaced from the best rank to the worst, so that failures are shown "
        "as often as they occur. Left: the compound whose phenotype is asked about (its structure is not given to "
        f"the model). Right: the {min(N_NEIGHBOURS, len(library_ids))} of {len(library_ids)} test molecules whose "
        "shared code is nearest, by cosine; framed: the right one. Chance is a rank of "
        f"{(len(library_ids) + 1) / 2:.1f}."
    )
    return [Examples(caption, drawn)]


def expected_ranks(cosine: NDArray[np.floating], right: NDArray[np.intp]) -> NDArray[np.float64]:
    """Rank of the right column in every row, from 1; among equals the expected one."""
    own = cosine[np.arange(len(cosine)), right][:, None]
    return np.asarray(1 + (cosine > own).sum(axis=1) + ((cosine == own).sum(axis=1) - 1) / 2, dtype=np.float64)


def spread_over(ranks: NDArray[np.float64], n: int) -> list[int]:
    """Rows evenly spaced over the order of their ranks, the best and the worst among them."""
    order = np.argsort(ranks, kind="stable")
    places = np.linspace(0, len(order) - 1, min(n, len(order))).round().astype(int)
    return [int(order[place]) for place in places]


def _held_out(adata: "AnnData") -> "AnnData":
    return adata[(adata.obs[keys.SPLIT].astype(str) == keys.TEST).to_numpy()]


def _by_id(adata: "AnnData", ids: list[str]) -> "AnnData":
    return adata[pd.Index(adata.obs[keys.COMPOUND_ID].astype(str)).get_indexer(pd.Index(ids))]


def _example(compound: str, rank: float, cosine: NDArray[np.floating], library: pd.DataFrame) -> Example:
    rows = library.set_index(library[keys.COMPOUND_ID].astype(str).to_numpy())
    nearest = np.argsort(-cosine, kind="stable")[:N_NEIGHBOURS]
    query = rows.iloc[int(rows.index.get_indexer(pd.Index([compound]))[0])]
    return Example(
        Drawing(_name(query), structure_uri(str(query[keys.SMILES])), f"rank {rank:g} of {len(rows)}"),
        [
            Drawing(
                _name(rows.iloc[column]),
                structure_uri(str(rows.iloc[column][keys.SMILES])),
                f"cosine {cosine[column]:.2f}".replace("-", "\N{MINUS SIGN}"),
                bool(rows.index[column] == compound),
            )
            for column in nearest
        ],
    )


def _name(row: "pd.Series[Any]") -> str:
    return str(row.get(keys.NAME) or row[keys.COMPOUND_ID])
