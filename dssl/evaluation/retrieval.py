"""Cross-modal retrieval of held-out compounds: one row of scores for every query, and the permutation null."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from dssl import keys
from dssl.errors import PairingError, first_few
from dssl.evaluation.candidates import candidate_counts, target_counts
from dssl.evaluation.libraries import BATCH, LIBRARIES, WHOLE, Pairings, as_sets, incidence, is_closed
from dssl.evaluation.ranking import CHUNK_CELLS, Side, cosine_chunks, rank_counts
from dssl.evaluation.ranks import (
    METRICS,
    Floats,
    Mask,
    TieCounts,
    chance,
    expected_metrics,
    tie_counts,
)

PHENOTYPE_TO_MOLECULE = "phenotype_to_molecule"
MOLECULE_TO_PHENOTYPE = "molecule_to_phenotype"
DIRECTIONS = (PHENOTYPE_TO_MOLECULE, MOLECULE_TO_PHENOTYPE)
LEVELS = ("compound", "treatment", "well")


class RetrievalScores(NamedTuple):
    """Result of `evaluate_embedding`; concatenate both tables over methods, folds and levels for `summarize`.

    Attributes
    ----------
    queries : one row per query (see `query_table`), with the columns method and fold.
    null : one row per permutation and method, fold, level, direction, library: for each metric the mean over compounds
        under that permuted pairing, and n_compounds.
    """

    queries: pd.DataFrame
    null: pd.DataFrame


class _Named(NamedTuple):
    """Rows of one modality, and their names."""

    side: Side
    names: NDArray[Any]


def retrieval_metrics(
    similarity: NDArray[Any], is_match: Mask | None = None, allowed: Mask | None = None
) -> dict[str, float]:
    """Mean expected metrics of a similarity matrix (queries x items); rows and columns correspond if no match is given.

    Raises
    ------
    PairingError
        If a score is NaN, a query has no hit, or the matrix is not square and `is_match` is left out.
    """
    if is_match is None:
        if similarity.ndim != 2 or similarity.shape[0] != similarity.shape[1]:
            raise PairingError(
                f"retrieval: expected a square similarity matrix, found shape {similarity.shape}\nGive is_match."
            )
        is_match = np.eye(len(similarity), dtype=bool)
    found = expected_metrics(tie_counts(similarity, is_match, allowed))
    return {name: float(values.mean()) for name, values in found.items()}


def unit_rows(vectors: NDArray[Any]) -> Floats:
    """Rows of length one; zero rows stay zero."""
    wide = np.ascontiguousarray(vectors, dtype=np.float64)
    length = np.sqrt((wide**2).sum(axis=1, keepdims=True))
    return np.asarray(wide / np.where(length > 0, length, 1.0))


def query_table(counts: TieCounts, compounds: NDArray[Any], queries: NDArray[Any], **labels: str) -> pd.DataFrame:
    """Scores of every query from the counts of its ranking.

    Parameters
    ----------
    counts : arrays (q,).
    compounds, queries : compound_id and name of each query.
    labels : constant columns, e.g. direction, library, level.

    Returns
    -------
    DataFrame
        query, compound_id, the labels, n_greater, n_equal, library_size, n_hits, every metric, and chance_<metric>.
    """
    columns: dict[str, Any] = {"query": queries, keys.COMPOUND_ID: compounds, **labels}
    columns |= {"n_greater": counts.n_greater, "n_equal": counts.n_equal}
    columns |= {"library_size": counts.n_items, "n_hits": counts.n_hits}
    columns |= expected_metrics(counts)
    columns |= {f"chance_{name}": value for name, value in chance(counts.n_items, counts.n_hits).items()}
    return pd.DataFrame(columns)


def evaluate_embedding(
    phenotype: NDArray[Any],
    phenotype_obs: pd.DataFrame,
    molecule: NDArray[Any],
    molecule_ids: Sequence[str],
    level: str,
    *,
    method: str,
    fold: str,
    pairings: Pairings,
    library_column: str = keys.BATCH,
    libraries: Sequence[str] = LIBRARIES,
) -> RetrievalScores:
    """Score one method's embedding of one fold's held-out compounds in both directions and in every library.

    Scores are cosines, rounded to seven decimals (what single precision carries), so that equal vectors tie; a zero
    vector has cosine 0 with everything. Items of direction molecule_to_phenotype are the rows of `phenotype`: any row
    of the molecule's compound is a hit, the best one counts, and the others leave the ranking. In library "batch" a
    query is ranked against the items that share a batch with it; a molecule has the batches of its compound's rows.

    Parameters
    ----------
    phenotype : (rows, d) vectors of held-out profiles, pooled at `level` before they were encoded.
    phenotype_obs : a row for each of them: compound_id and `library_column` (a batch, or a collection of batches where
        the pooled wells come from several); its index names the queries.
    molecule : (compounds, d) vectors of the same compounds' molecules.
    molecule_ids : their compound_id, each once.
    level : "compound", "treatment" or "well"; copied into the tables.
    method, fold : copied into the tables.
    pairings : permuted pairings of compounds within the library, the same for all methods. Each is scored exactly, a
        slice of queries at a time: time grows with queries x items, memory with permutations x compounds and, in
        library "batch", compounds x compounds.
    library_column : "batch" or "plate": the column of `phenotype_obs` that makes the small library.
    libraries : which libraries.

    Raises
    ------
    PairingError
        If vectors and tables differ in length, a compound is missing or repeated, or a vector is not finite.
    """
    _check(phenotype, phenotype_obs, molecule, molecule_ids)
    ids = np.asarray(molecule_ids, dtype=object)
    code = pd.Index(ids).get_indexer(phenotype_obs[keys.COMPOUND_ID]).astype(np.int64)
    row_batches = (
        as_sets(phenotype_obs[library_column].tolist()) if BATCH in libraries else [frozenset[str]()] * len(code)
    )
    own: list[set[str]] = [set() for _ in ids]
    for compound, batches in zip(code, row_batches, strict=True):
        own[compound] |= batches
    names = sorted(set().union(*own))
    rows = _Named(Side(unit_rows(phenotype), code, incidence(row_batches, names)), phenotype_obs.index.to_numpy())
    molecules = _Named(Side(unit_rows(molecule), np.arange(len(ids)), incidence(own, names)), ids)
    queries, nulls = [], []
    for direction, query, item in (
        (PHENOTYPE_TO_MOLECULE, rows, molecules),
        (MOLECULE_TO_PHENOTYPE, molecules, rows),
    ):
        for library in libraries:
            labels = {"method": method, "fold": fold, "level": level, "direction": direction, "library": library}
            scored, null = _score_side(query, item.side, ids, library, pairings, labels)
            queries.append(scored)
            nulls.append(null)
    return RetrievalScores(pd.concat(queries, ignore_index=True), pd.concat(nulls, ignore_index=True))


def _score_side(
    queries: _Named,
    item: Side,
    ids: NDArray[Any],
    library: str,
    pairings: Pairings,
    labels: dict[str, str],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    query, n = queries.side, len(ids)
    if library == WHOLE:
        query, item = query._replace(batches=None), item._replace(batches=None)
    counts = rank_counts(query, item)
    scored = query_table(counts, ids[query.compound], queries.names, **labels)
    drawn, totals = _permuted(query, item, n, pairings, labels["direction"])
    null = pd.DataFrame(totals / n, columns=list(METRICS))
    first = {**labels, "permutation": np.arange(len(drawn)), "n_compounds": n}
    return scored, pd.concat([pd.DataFrame(first), null], axis=1)


def _permuted(query: Side, item: Side, n: int, pairings: Pairings, direction: str) -> tuple[NDArray[np.int64], Floats]:
    """Permuted pairings, and for each the sums over compounds of every metric."""
    candidate = _candidates(query, item, n)
    drawn = pairings.of(n, candidate)
    own_library = None
    if candidate is not None and direction == MOLECULE_TO_PHENOTYPE:
        # batches belong to profiles: a molecule that takes another's place is ranked in that one's library
        shared = _libraries(query, item)
        own_library = None if is_closed(shared, candidate) else shared
    n_queries = np.bincount(query.compound, minlength=n)
    totals = np.zeros((len(drawn), len(METRICS)))
    # in a large library the compounds that were drawn for a query are fewer than all of them
    is_large = own_library is None and len(drawn) < n
    for chunk, similarity, allowed in _chunks(query, item):
        compounds = query.compound[chunk]
        wanted = drawn[:, compounds].T
        if own_library is None:
            counts = candidate_counts(similarity, item.compound, allowed, wanted if is_large else None)
        else:
            counts = target_counts(similarity, item.compound, own_library)
        values = expected_metrics(TieCounts(*(np.broadcast_to(count, counts.n_hits.shape) for count in counts)))
        for column, name in enumerate(METRICS):
            weighted = values[name] / n_queries[compounds][:, None]
            totals[:, column] += (weighted if is_large else np.take_along_axis(weighted, wanted, axis=1)).sum(axis=0)
    return drawn, totals


def _chunks(query: Side, item: Side) -> Iterator[tuple[slice, Floats, Mask | None]]:
    """Slices of queries with their similarities and, where libraries are batches, their masks."""
    for chunk, similarity in cosine_chunks(query.vectors, item.vectors):
        allowed = None if query.batches is None else _share(query.batches[chunk], item.batches)
        yield chunk, similarity, allowed


def _share(one: csr_matrix, other: csr_matrix) -> Mask:
    """Whether rows of two sparse memberships have a batch in common."""
    return np.asarray((one @ other.T).toarray() > 0)


def _libraries(query: Side, item: Side) -> Mask:
    """Items in the library of every query: (q, n), a byte each; counts of common batches for a slice at a time."""
    shape = len(query.compound), len(item.compound)
    shared, step = np.empty(shape, dtype=bool), max(1, CHUNK_CELLS // shape[1])
    for start in range(0, len(shared), step):
        shared[start : start + step] = _share(query.batches[start : start + step], item.batches)
    return shared


def _candidates(query: Side, item: Side, n: int) -> Mask | None:
    """Whether the column's compound has an item in the library of every query of the row's compound."""
    if query.batches is None:
        return None
    row_of = csr_matrix((np.ones(len(item.compound), dtype=np.int32), (item.compound, np.arange(len(item.compound)))))
    compound_batches = row_of @ item.batches
    candidate = np.ones((n, n), dtype=bool)
    for start in range(0, len(query.compound), max(1, CHUNK_CELLS // n)):
        chunk = slice(start, start + max(1, CHUNK_CELLS // n))
        present = _share(query.batches[chunk], compound_batches)
        np.logical_and.at(candidate, query.compound[chunk], present)
    return candidate


def _check(
    phenotype: NDArray[Any], phenotype_obs: pd.DataFrame, molecule: NDArray[Any], molecule_ids: Sequence[str]
) -> None:
    if len(phenotype) != len(phenotype_obs) or len(molecule) != len(molecule_ids):
        raise PairingError(
            f"retrieval: expected a row of obs and an id for every vector; found {len(phenotype)} phenotype vectors "
            f"and {len(phenotype_obs)} rows, {len(molecule)} molecule vectors and {len(molecule_ids)} ids"
        )
    ids = pd.Index(molecule_ids)
    repeated = ids[ids.duplicated()].unique()
    unpaired = ids.symmetric_difference(pd.Index(phenotype_obs[keys.COMPOUND_ID].unique()))
    if len(repeated) or len(unpaired):
        raise PairingError(
            f"retrieval: every held-out compound needs one molecule vector and at least one profile; "
            f"{len(repeated)} repeated ({first_few(repeated)}), {len(unpaired)} unpaired ({first_few(unpaired)})"
        )
    for name, vectors in ((keys.PHENOTYPE, phenotype), (keys.MOLECULE, molecule)):
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if bad.size:
            raise PairingError(
                f"retrieval: {bad.size} of {len(vectors)} {name} vectors hold NaN or infinite values "
                f"(rows {first_few(bad)})\nLook at the model's training log."
            )
