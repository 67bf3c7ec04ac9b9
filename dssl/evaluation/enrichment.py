"""Whether neighbours in a code share what is known of the compounds (mechanism, target)."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from dssl import keys
from dssl.evaluation.libraries import incidence
from dssl.evaluation.null import pooled_null
from dssl.evaluation.ranking import rounded_cosines
from dssl.evaluation.ranks import Floats, Mask
from dssl.evaluation.statistics import bootstrap_samples, holm, percentile_interval, permutation_p_value

SEPARATOR = "|"  # between the values of a compound that has several
SHARING, EXPECTED, OTHERS = "sharing", "expected", "others"
RATES = [SHARING, EXPECTED, OTHERS]
GROUP_KEYS = ["space", "column", "method"]
CHUNK_CELLS = 4_000_000
FEWEST = 3


class Neighbors(NamedTuple):
    """Neighbours among n compounds: row, column and share of each pair; the shares of a row add up to its size."""

    query: NDArray[np.int64]
    item: NDArray[np.int64]
    share: Floats


def value_sets(column: pd.Series) -> list[frozenset[str]]:
    """Values of every row: several are separated by "|"; missing and empty ones are none."""
    return [
        frozenset(part.strip() for part in str(cell).split(SEPARATOR) if part.strip())
        if pd.notna(cell)
        else frozenset()
        for cell in column.astype(object)
    ]


def sharing_matrix(values: list[frozenset[str]]) -> Mask:
    """Whether two different rows have a value in common: (n, n), false on the diagonal."""
    held, n = _held(values), len(values)
    shared = np.empty((n, n), dtype=bool)
    step = max(1, CHUNK_CELLS // max(1, n))
    for start in range(0, n, step):
        shared[start : start + step] = (held[start : start + step] @ held.T).toarray() > 0
    np.fill_diagonal(shared, False)
    return shared


def nearest(queries: Floats, items: Floats, k: int) -> Neighbors:
    """The k rows of `items` nearest to every row of `queries` by rounded cosine, but for the row of the same place.

    Items that tie for the last places share them equally, so that a collapsed code has everybody as a neighbour.

    Parameters
    ----------
    queries, items : (n, d) unit vectors of the same n > 1 compounds.
    k : neighbours of each; all others where there are fewer.
    """
    n = len(queries)
    k = min(k, n - 1)
    parts = []
    step = max(1, CHUNK_CELLS // n)
    for start in range(0, n, step):
        scores = rounded_cosines(queries[start : start + step], items)
        scores[np.arange(len(scores)), start + np.arange(len(scores))] = -np.inf
        last = -np.partition(-scores, k - 1, axis=1)[:, k - 1 : k]
        above, tied = scores > last, scores == last
        share = above + tied * ((k - above.sum(axis=1)) / tied.sum(axis=1))[:, None]
        query, item = np.nonzero(share)
        parts.append((query + start, item, share[query, item]))
    return Neighbors(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def neighbor_rates(neighbors: Neighbors, shared: Mask) -> pd.DataFrame:
    """How many of a compound's neighbours, of all others, and of those that are no neighbours share a value with it.

    Returns
    -------
    DataFrame
        A row per compound: sharing, expected (by random neighbours), others.
    """
    n = len(shared)
    k = np.bincount(neighbors.query, neighbors.share, n)
    hits = np.bincount(neighbors.query, neighbors.share * shared[neighbors.query, neighbors.item], n)
    everybody = shared.sum(axis=1)
    rest = n - 1 - k
    others = np.divide(everybody - hits, rest, out=np.full(n, np.nan), where=rest > 1e-9)
    return pd.DataFrame({SHARING: hits / k, EXPECTED: everybody / (n - 1), OTHERS: others})


def permuted_sharing(neighbors: Neighbors, shared: Mask, orders: NDArray[np.int64]) -> Floats:
    """Mean over compounds of `sharing` where the values are dealt out anew: (permutations,) for `orders` (_, n)."""
    weight = neighbors.share / np.bincount(neighbors.query, neighbors.share, len(shared))[neighbors.query] / len(shared)
    found = np.empty(len(orders))
    step = max(1, CHUNK_CELLS // len(weight))
    for start in range(0, len(orders), step):
        dealt = orders[start : start + step]
        found[start : start + step] = shared[dealt[:, neighbors.query], dealt[:, neighbors.item]] @ weight
    return found


def summarize_neighbors(
    rates: pd.DataFrame, null: pd.DataFrame, n_bootstrap: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Bring folds together: how many times more often neighbours share a value than random pairs do.

    Parameters
    ----------
    rates : `neighbor_rates` of every fold, method, space and column, with compound_id, fold and n_neighbors.
    null : `permuted_sharing` of the same: fold, permutation, sharing and the columns GROUP_KEYS.

    Returns
    -------
    DataFrame
        A row per space, column and method: sharing and expected (means over compounds, each averaged over its folds),
        fold_enrichment (their ratio) and odds_ratio (neighbours against the others), each with its 95 % bootstrap
        interval over compounds, the permutation p-value, p_holm (corrected for the methods of the same space and
        column), n_compounds, n_neighbors.
    """
    permuted = dict(iter(null.groupby(GROUP_KEYS, observed=True)))
    lines = []
    for names, group in rates.groupby(GROUP_KEYS, sort=False, observed=True):
        values = group.groupby(keys.COMPOUND_ID, observed=True)[RATES].mean().to_numpy(np.float64)
        means = np.nanmean(values, axis=0, keepdims=True)
        drawn = bootstrap_samples(np.nan_to_num(values), n_bootstrap, rng)
        null_means = pooled_null(permuted[names], group, [SHARING])[:, 0]
        line: dict[str, Any] = dict(zip(GROUP_KEYS, names, strict=True))
        line |= {SHARING: means[0, 0], EXPECTED: means[0, 1]}
        for name, ratio in (("fold_enrichment", fold_enrichment), ("odds_ratio", odds_ratio)):
            low, high = percentile_interval(ratio(drawn))
            line |= {name: ratio(means)[0], f"{name}_low": low, f"{name}_high": high}
        line["p_value"] = permutation_p_value(float(means[0, 0]), null_means)
        lines.append(line | {"n_compounds": len(values), "n_neighbors": int(group["n_neighbors"].max())})
    table = pd.DataFrame(lines)
    if len(table):
        for _, rows in table.groupby(["space", "column"]).groups.items():
            table.loc[rows, "p_holm"] = holm(table.loc[rows, "p_value"].to_numpy())
    return table


def fold_enrichment(rates: Floats) -> Floats:
    """Ratio of sharing to expected, of rows of RATES; missing where nothing is expected."""
    return _ratio(rates[:, 0], rates[:, 1])


def odds_ratio(rates: Floats) -> Floats:
    """Odds of sharing among neighbours over the odds among the others, of rows of RATES; missing if undefined."""
    inside, outside = rates[:, 0], rates[:, 2]
    top, bottom = inside * (1 - outside), outside * (1 - inside)
    return _ratio(top, bottom)


def _ratio(top: Floats, bottom: Floats) -> Floats:
    return np.asarray(np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0), dtype=np.float64)


def usable(values: list[frozenset[str]]) -> NDArray[np.intp]:
    """Rows with a value, or none at all where they are too few or no two of them share one."""
    rows = np.flatnonzero([bool(each) for each in values])
    if len(rows) < FEWEST or _held(values).sum(axis=0).max() < 2:
        return np.empty(0, dtype=np.intp)
    return rows


def _held(values: list[frozenset[str]]) -> csr_matrix:
    """1 where a row has a value, of all values in alphabetical order."""
    return incidence(values, sorted(frozenset().union(*values)))
