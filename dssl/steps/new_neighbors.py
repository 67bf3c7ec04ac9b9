"""Nearest training compounds of new data, as tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.steps.held_out import is_role

if TYPE_CHECKING:
    from anndata import AnnData

    from dssl.steps.bundle import Bundle

OWN_COLUMNS = {
    keys.SMILES,
    keys.INCHIKEY,
    keys.SKELETON,
    keys.SCAFFOLD,
    keys.GROUP,
    keys.SPLIT,
    keys.COMPOUND_ID,
    keys.NAME,
    "n_inputs",
}


@dataclass(frozen=True)
class Reference:
    """Training compounds: their description (the user's kept columns) and their codes by the name of the code."""

    obs: pd.DataFrame
    codes: dict[str, NDArray[np.float32]]


def reference_molecules(bundle: "Bundle") -> Reference:
    """Molecules that the model was trained on."""
    return _reference(bundle.molecules, bundle.molecules.obs)


def reference_profiles(bundle: "Bundle") -> Reference:
    """Compounds whose profiles the model was trained on."""
    return _reference(bundle.compounds, bundle.molecules.obs)


def _reference(adata: "AnnData", molecules: pd.DataFrame) -> Reference:
    rows = is_role(adata, keys.TRAIN)
    kept = [column for column in molecules.columns if column not in OWN_COLUMNS]
    named = molecules.loc[adata.obs_names[rows], [keys.NAME, *kept]]
    return Reference(named, {name: adata.obsm[name][rows] for name in (keys.X_SHARED, keys.X_SPECIFIC)})


def nearest_by_code(
    codes: NDArray[np.float32], items: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Places and cosines (queries, k) of the items whose codes are nearest, best first; ties in the order of items."""
    from dssl.evaluation.ranking import cosine_chunks
    from dssl.evaluation.retrieval import unit_rows

    shape = len(codes), min(k, len(items))
    places, cosines = np.empty(shape, dtype=np.int64), np.empty(shape)
    for rows, similarity in cosine_chunks(unit_rows(codes), unit_rows(items)):
        places[rows] = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
        cosines[rows] = np.take_along_axis(similarity, places[rows], axis=1)
    return places, cosines


def neighbor_table(
    queries: Sequence[str],
    by: str,
    places: NDArray[np.int64],
    similarities: NDArray[np.float64],
    described: pd.DataFrame,
) -> pd.DataFrame:
    """One row per query and neighbour: query, by, rank, neighbor, similarity, and what is known of the neighbour."""
    n, k = places.shape
    found = described.iloc[places.ravel()].reset_index(drop=True).astype(object)
    head = pd.DataFrame(
        {
            "query": np.repeat(np.asarray(queries, dtype=object), k),
            "by": by.removeprefix("X_"),
            "rank": np.tile(np.arange(1, k + 1), n),
            "neighbor": described.index.to_numpy()[places.ravel()],
            "similarity": np.round(similarities.ravel(), 6),
        }
    )
    return pd.concat([head, found.add_prefix("neighbor_")], axis=1)
