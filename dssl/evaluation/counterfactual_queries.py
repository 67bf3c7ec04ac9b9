"""Which profile of which treatment is predicted from what: units, sources, references."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from dssl import keys
from dssl.evaluation.ranks import Floats

CONTEXT = "context"
UNIT_COLUMNS = [keys.COMPOUND_ID, keys.TREATMENT, CONTEXT, keys.SPLIT]
NO_SOURCE = "measured in no other context"
FEW_REFERENCES = "fewer than {} training treatments are measured in both contexts"
LEFT_OUT_COLUMNS = [keys.TREATMENT, CONTEXT, "reason"]
Pair = tuple[str, str]  # treatment, context


@dataclass(frozen=True, eq=False)
class Units:
    """Treatments in contexts: the mean profile of a treatment's wells in a context is one row.

    Attributes
    ----------
    obs : DataFrame
        Columns UNIT_COLUMNS, one row for each treatment in each context.
    profiles : (n, p) in standard deviations of training wells about their mean.
    inputs : (n, k) what the encoders see of them.
    shared, specific : (n, d1), (n, d2) codes of the profiles.
    molecule, structure : (n, d1), (n, q) shared code of the row's molecule, and the molecule's inputs.
    """

    obs: pd.DataFrame
    profiles: Floats
    inputs: Floats
    shared: Floats
    specific: Floats
    molecule: Floats
    structure: Floats

    def rows(self, role: str) -> NDArray[np.int64]:
        """Rows of a role."""
        return np.flatnonzero((self.obs[keys.SPLIT] == role).to_numpy())


@dataclass(frozen=True, eq=False)
class Queries:
    """Profiles to predict; sparse matrices (n, units) average the rows of `Units`.

    Attributes
    ----------
    obs : DataFrame
        compound_id, treatment, context, n_sources, n_references.
    target : (n,) the unit that is predicted, or -1 where it was not measured.
    own : (n,) some unit of the same compound.
    source : the treatment in its other contexts.
    reference : training treatments of other compounds in the query's context.
    origin : the same training treatments in the source's contexts; empty rows where there is no source.
    """

    obs: pd.DataFrame
    target: NDArray[np.int64]
    own: NDArray[np.int64]
    source: sparse.csr_matrix
    reference: sparse.csr_matrix
    origin: sparse.csr_matrix

    def __len__(self) -> int:
        return len(self.obs)


def measured_pairs(obs: pd.DataFrame, role: str, per_treatment: int, rng: np.random.Generator) -> list[Pair]:
    """Treatments and contexts of a role that were measured: of each treatment at most so many contexts, drawn."""
    of_role = obs[obs[keys.SPLIT] == role]
    drawn = of_role.iloc[rng.permutation(len(of_role))].groupby(keys.TREATMENT, sort=False).head(per_treatment)
    return list(drawn.sort_index()[[keys.TREATMENT, CONTEXT]].itertuples(index=False, name=None))


def transfer_queries(obs: pd.DataFrame, pairs: Sequence[Pair], fewest: int) -> tuple[Queries, pd.DataFrame]:
    """Predict a treatment in a context from its profiles in other contexts.

    Context q is compared with the source's contexts P by the training treatments that were measured in q and in any of
    P; those of the query's own compound do not count, and neither does anything measured of it in q.

    Parameters
    ----------
    obs : the units' obs.
    pairs : treatments and contexts to predict.
    fewest : references that are needed.

    Returns
    -------
    Queries
    DataFrame
        Columns LEFT_OUT_COLUMNS: pairs without a query.
    """
    found = _Rows(obs)
    kept, left_out = [], []
    for treatment, context in pairs:
        source = [row for other, row in found.of_treatment[treatment].items() if other != context]
        if not source:
            left_out.append((treatment, context, NO_SOURCE))
            continue
        matched = found.matched(context, frozenset(found.context[row] for row in source))
        compound = found.compound[source[0]]
        used = [(row, origins) for row, origins in matched if found.compound[row] != compound]
        if len(used) < fewest:
            left_out.append((treatment, context, FEW_REFERENCES.format(fewest)))
            continue
        kept.append(_Query(treatment, context, source, [row for row, _ in used], [rows for _, rows in used]))
    return found.queries(kept), pd.DataFrame(left_out, columns=LEFT_OUT_COLUMNS)


def structure_queries(obs: pd.DataFrame, pairs: Sequence[Pair], fewest: int) -> tuple[Queries, pd.DataFrame]:
    """Predict a treatment in a context from its molecule alone; the references are all training treatments there."""
    found = _Rows(obs)
    kept, left_out = [], []
    for treatment, context in pairs:
        own = next(iter(found.of_treatment[treatment].values()))
        used = [row for row in found.training_in.get(context, []) if found.compound[row] != found.compound[own]]
        if len(used) < fewest:
            left_out.append((treatment, context, f"fewer than {fewest} training treatments are measured there"))
            continue
        kept.append(_Query(treatment, context, [], used, []))
    return found.queries(kept), pd.DataFrame(left_out, columns=LEFT_OUT_COLUMNS)


@dataclass(frozen=True)
class _Query:
    treatment: str
    context: str
    source: list[int]
    reference: list[int]
    origin: list[list[int]]


class _Rows:
    """Rows of the units by treatment and context."""

    def __init__(self, obs: pd.DataFrame) -> None:
        self.compound = obs[keys.COMPOUND_ID].tolist()
        self.treatment = obs[keys.TREATMENT].tolist()
        self.context = obs[CONTEXT].tolist()
        self.of_treatment: dict[str, dict[str, int]] = {}
        self.training_in: dict[str, list[int]] = {}
        for row, split in enumerate(obs[keys.SPLIT]):
            self.of_treatment.setdefault(self.treatment[row], {})[self.context[row]] = row
            if split == keys.TRAIN:
                self.training_in.setdefault(self.context[row], []).append(row)
        self._matched: dict[tuple[str, frozenset[str]], list[tuple[int, list[int]]]] = {}

    def matched(self, context: str, sources: frozenset[str]) -> list[tuple[int, list[int]]]:
        """Training rows of a context with the same treatment's rows in the sources; those without are left out."""
        key = (context, sources)
        if key not in self._matched:
            rows = self.training_in.get(context, [])
            elsewhere = [
                [at for other, at in self.of_treatment[self.treatment[row]].items() if other in sources] for row in rows
            ]
            self._matched[key] = [(row, found) for row, found in zip(rows, elsewhere, strict=True) if found]
        return self._matched[key]

    def queries(self, kept: list[_Query]) -> Queries:
        own = [next(iter(self.of_treatment[query.treatment].values())) for query in kept]
        obs = pd.DataFrame(
            {
                keys.COMPOUND_ID: [self.compound[row] for row in own],
                keys.TREATMENT: [query.treatment for query in kept],
                CONTEXT: [query.context for query in kept],
                "n_sources": [len(query.source) for query in kept],
                "n_references": [len(query.reference) for query in kept],
            }
        )
        target = [self.of_treatment[query.treatment].get(query.context, -1) for query in kept]
        n = len(self.compound)
        return Queries(
            obs,
            np.array(target, dtype=np.int64),
            np.array(own, dtype=np.int64),
            _averages(([query.source] if query.source else [] for query in kept), n),
            _averages(([[row] for row in query.reference] for query in kept), n),
            _averages((query.origin for query in kept), n),
        )


def _averages(groups: Iterable[Sequence[Sequence[int]]], n: int) -> sparse.csr_matrix:
    """Rows that average means: each entry of a group weighs the same, and so do the rows inside it."""
    data: list[float] = []
    columns: list[int] = []
    starts = [0]
    for entries in groups:
        for entry in entries:
            data += [1 / (len(entries) * len(entry))] * len(entry)
            columns += entry
        starts.append(len(data))
    return sparse.csr_matrix((data, columns, starts), shape=(len(starts) - 1, n))


def mean_of(weights: sparse.csr_matrix, values: NDArray[Any]) -> Floats:
    """Averaged rows, (queries, columns)."""
    return np.asarray(weights @ values, dtype=np.float64)
