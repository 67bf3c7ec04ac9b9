"""Whose neighbours moved: the nearest common compounds in the codes of both runs."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from dssl import keys
from dssl.compare.results import Results
from dssl.evaluation.enrichment import nearest
from dssl.evaluation.retrieval import unit_rows
from dssl.evaluation.statistics import bootstrap_interval

LEVELS = {"compounds": keys.PHENOTYPE, "molecules": keys.MOLECULE}
CODES = {keys.X_SHARED: "shared", keys.X_SPECIFIC: "specific"}
FEWEST = 3
ROUNDING = 1e-9
Vectors = NDArray[np.float64]


class Side(NamedTuple):
    """Codes (n, d) of named compounds."""

    names: list[str]
    codes: Vectors


def compare_neighbors(
    a: Results, b: Results, k: int, n_moved: int, n_bootstrap: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Overlap of the k nearest common compounds in each code of the handed-over models.

    Overlap is the share of a compound's k neighbours that it keeps, Jaccard the overlap over all neighbours in either
    run; among n compounds, k / (n - 1) is expected of unrelated codes. Yardsticks stand beside it, as far as the runs
    have them: two seeds of one run, and two folds of one run.

    Returns
    -------
    overlaps : DataFrame
        code, compared ("a with b", ...), n, k, overlap, ci_low, ci_high (95 %, bootstrap over compounds), jaccard, chance.
    moved : DataFrame
        The `n_moved` compounds that kept the fewest neighbours in each code: code, compound, overlap, lost, gained.
    """
    rows, moved = [], []
    for level, modality in LEVELS.items():
        loaded = {run.name: run.codes(run.folds("embed_screen")[-1], level) for run in (a, b)}
        for key, code in CODES.items():
            named = {"code": f"{code} code of the {modality}"}
            sides = {name: Side(list(adata.obs_names), adata.obsm[key]) for name, adata in loaded.items()}
            pairs = {"a with b": (sides[a.name], sides[b.name])} | _yardsticks(a, b, level, key)
            for compared, pair in pairs.items():
                if (found := overlap(*pair, k)) is not None:
                    low, high = bootstrap_interval(found.kept[:, None], n_bootstrap, rng)
                    measured = {"overlap": found.kept.mean(), "ci_low": low[0], "ci_high": high[0]}
                    others = len(found.names) - 1
                    sizes = {"n": len(found.names), "k": found.k, "chance": found.k / others}
                    jaccard = float((found.kept / (2 - found.kept)).mean())
                    rows.append(named | {"compared": compared} | sizes | measured | {"jaccard": jaccard})
                    if compared == "a with b":
                        moved += [named | row for row in _most_moved(found, a, b, n_moved)]
    columns = ["code", "compared", "n", "k", "overlap", "ci_low", "ci_high", "jaccard", "chance"]
    return pd.DataFrame(rows, columns=columns), pd.DataFrame(
        moved, columns=["code", "compound", "overlap", "lost", "gained"]
    )


class Overlap(NamedTuple):
    """Of n common compounds: the share of neighbours kept (n,), and who is whose neighbour in either run (n, n)."""

    names: list[str]
    kept: Vectors
    k: int
    in_a: csr_matrix
    in_b: csr_matrix


def overlap(a: Side, b: Side, k: int) -> Overlap | None:
    """Neighbours that the compounds of both sides keep; None where fewer than three are common."""
    at = {name: row for row, name in enumerate(b.names)}
    names = [name for name in a.names if name in at]
    if len(names) < FEWEST:
        return None
    rows = {name: row for row, name in enumerate(a.names)}
    k = min(k, len(names) - 1)
    shares = []
    for side, index in ((a, rows), (b, at)):
        units = unit_rows(side.codes[[index[name] for name in names]])
        found = nearest(units, units, k)
        shares.append(csr_matrix((found.share, (found.query, found.item)), shape=(len(names), len(names))))
    kept = np.asarray(shares[0].minimum(shares[1]).sum(axis=1)).ravel() / k
    return Overlap(names, kept, k, *shares)


def _yardsticks(a: Results, b: Results, level: str, key: str) -> dict[str, tuple[Side, Side]]:
    found: dict[str, tuple[Side, Side]] = {}
    for run in (a, b):
        folds = run.folds("embed_screen")
        adata = run.codes(folds[-1], level)
        sizes, kinds = list(map(int, adata.uns[keys.CODE_SIZES])), list(adata.uns[keys.CODE_KINDS])
        names, codes = list(adata.obs_names), adata.obsm[key]
        if kinds.count(0) > 1 and codes.shape[1] == sum(sizes):
            seeds = codes[:, : sizes[0]], codes[:, sizes[0] : sizes[0] + sizes[1]]
            found[f"two seeds of {run.name}"] = (Side(names, seeds[0]), Side(names, seeds[1]))
        tested = [fold for fold in folds if fold != keys.FULL_FOLD][:2]
        if len(tested) > 1:
            two = [run.codes(fold, level) for fold in tested]
            first, second = (Side(list(each.obs_names), each.obsm[key]) for each in two)
            found[f"two folds of {run.name}"] = (first, second)
    return found


def _most_moved(found: Overlap, a: Results, b: Results, n_moved: int) -> list[dict[str, object]]:
    difference = (found.in_b - found.in_a).tocsr()
    rows = []
    for row in np.argsort(found.kept, kind="stable")[:n_moved]:
        if found.kept[row] >= 1 - ROUNDING:
            break
        of_row = difference[row]
        changes = sorted(zip(of_row.data, of_row.indices, strict=True), key=lambda each: (-abs(each[0]), each[1]))
        lost = [a.ids[found.names[item]] for change, item in changes if change < 0]
        gained = [b.ids[found.names[item]] for change, item in changes if change > 0]
        name = found.names[row]
        described = {"compound": a.screened.get(name, a.ids[name]), "overlap": float(found.kept[row])}
        rows.append(described | {"lost": "; ".join(lost), "gained": "; ".join(gained)})
    return rows
