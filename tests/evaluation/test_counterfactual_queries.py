"""Which rows a profile is predicted from, against plain loops; nothing of the predicted well is among them."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from dssl import keys
from dssl.evaluation.counterfactual_queries import (
    CONTEXT,
    NO_SOURCE,
    Queries,
    mean_of,
    measured_pairs,
    structure_queries,
    transfer_queries,
)

N_CONTEXTS, FEWEST = 3, 2


@pytest.fixture
def obs() -> pd.DataFrame:
    """Compounds at two doses, each in some of three contexts; the last compound in one context only."""
    rng, rows = np.random.default_rng(0), []
    for number in range(12):
        split = keys.TRAIN if number < 8 else keys.TEST
        for dose in (1, 2):
            found = rng.permutation(N_CONTEXTS)[: 1 if number == 11 else rng.integers(2, N_CONTEXTS + 1)]
            rows += [(f"C{number}", f"C{number}@{dose}", f"P{context}", split) for context in found]
    return pd.DataFrame(rows, columns=[keys.COMPOUND_ID, keys.TREATMENT, CONTEXT, keys.SPLIT])


def naive(obs: pd.DataFrame, values: np.ndarray, treatment: str, context: str) -> dict[str, list[np.ndarray]]:
    """Rows that are averaged for one query, found by looking at every row."""
    rows = obs.to_dict("records")
    compound = next(row[keys.COMPOUND_ID] for row in rows if row[keys.TREATMENT] == treatment)
    source = [k for k, row in enumerate(rows) if row[keys.TREATMENT] == treatment and row[CONTEXT] != context]
    elsewhere = {rows[k][CONTEXT] for k in source}
    found: dict[str, list[np.ndarray]] = {"source": [values[k] for k in source], "reference": [], "origin": []}
    for k, row in enumerate(rows):
        if row[CONTEXT] == context and row[keys.SPLIT] == keys.TRAIN and row[keys.COMPOUND_ID] != compound:
            same = [
                values[j]
                for j, other in enumerate(rows)
                if other[keys.TREATMENT] == row[keys.TREATMENT] and other[CONTEXT] in elsewhere
            ]
            if same:
                found["reference"].append(values[k])
                found["origin"].append(np.mean(same, axis=0))
    return found


@pytest.mark.parametrize("role", [keys.TRAIN, keys.TEST])
def test_averages_are_those_of_a_plain_loop(obs: pd.DataFrame, role: str) -> None:
    values = np.random.default_rng(1).normal(size=(len(obs), 4))
    queries, left_out = transfer_queries(obs, measured_pairs(obs, role, 9, np.random.default_rng(0)), FEWEST)
    assert len(queries) + len(left_out) == (obs[keys.SPLIT] == role).sum()
    assert len(queries) > 10
    for row, (treatment, context) in enumerate(zip(queries.obs[keys.TREATMENT], queries.obs[CONTEXT], strict=True)):
        expected = naive(obs, values, treatment, context)
        for name, weights in (
            ("source", queries.source),
            ("reference", queries.reference),
            ("origin", queries.origin),
        ):
            np.testing.assert_allclose(mean_of(weights, values)[row], np.mean(expected[name], axis=0), atol=1e-12)
        assert queries.obs["n_references"][row] == len(expected["reference"])
        assert tuple(obs.loc[queries.target[row], [keys.TREATMENT, CONTEXT]]) == (treatment, context)


Build = Callable[[pd.DataFrame, list[tuple[str, str]], int], tuple[Queries, pd.DataFrame]]


@pytest.mark.parametrize("build", [transfer_queries, structure_queries])
def test_no_row_of_the_compound_in_the_context_and_no_held_out_reference_is_used(
    obs: pd.DataFrame, build: Build
) -> None:
    pairs = measured_pairs(obs, keys.TEST, 9, np.random.default_rng(0))
    queries, _ = build(obs, pairs, FEWEST)
    for row in range(len(queries)):
        compound, context = queries.obs.loc[row, [keys.COMPOUND_ID, CONTEXT]]
        source, others = queries.source[[row]].indices, queries.reference[[row]].indices
        assert not (obs.loc[source, CONTEXT] == context).any()
        assert (obs.loc[source, keys.COMPOUND_ID] == compound).all()
        used = obs.loc[[*others, *queries.origin[[row]].indices]]
        assert (used[keys.SPLIT] == keys.TRAIN).all()
        assert not (used[keys.COMPOUND_ID] == compound).any()


def test_what_cannot_be_predicted_is_listed_with_its_reason(obs: pd.DataFrame) -> None:
    pairs = measured_pairs(obs, keys.TEST, 9, np.random.default_rng(0))
    left_out = transfer_queries(obs, pairs, FEWEST)[1]
    assert set(left_out.loc[left_out["reason"] == NO_SOURCE, keys.TREATMENT]) == {"C11@1", "C11@2"}
    queries, left_out = transfer_queries(obs, pairs, 99)
    assert len(queries) == 0
    assert left_out["reason"].str.contains("fewer than 99 training treatments").sum() == len(pairs) - 2


def test_a_context_that_was_not_measured_is_asked_all_the_same(obs: pd.DataFrame) -> None:
    here = obs.loc[obs[keys.TREATMENT] == "C11@1", CONTEXT].item()
    other = next(name for name in ("P0", "P1", "P2") if name != here)
    queries, _ = transfer_queries(obs, [("C11@1", other)], 1)
    assert queries.target.tolist() == [-1]
    assert queries.obs["n_sources"].tolist() == [1]


def test_much_repeated_treatments_are_drawn_from(obs: pd.DataFrame) -> None:
    pairs = measured_pairs(obs, keys.TRAIN, 2, np.random.default_rng(0))
    assert len(set(pairs)) == len(pairs)
    assert pd.Series([treatment for treatment, _ in pairs]).value_counts().tolist() == [2] * 16
    assert pairs == measured_pairs(obs, keys.TRAIN, 2, np.random.default_rng(0))
