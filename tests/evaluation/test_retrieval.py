import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dssl.errors import PairingError
from dssl.evaluation.candidates import candidate_counts, target_counts
from dssl.evaluation.libraries import LIBRARIES, Pairings
from dssl.evaluation.ranks import METRICS, chance, expected_metrics, tie_counts
from dssl.evaluation.retrieval import DIRECTIONS, evaluate_embedding, query_table, retrieval_metrics


def screen(rng, n_compounds=12, wells=(1, 4), d=6):
    """Wells of compounds on plates; every compound on its own random plates."""
    n_wells = rng.integers(*wells, size=n_compounds)
    compound = np.repeat([f"c{i:02d}" for i in range(n_compounds)], n_wells)
    obs = pd.DataFrame({"compound_id": compound, "batch": rng.choice(["p", "q", "r"], size=len(compound))})
    obs.index = pd.Index([f"w{i}" for i in range(len(obs))])
    ids = [f"c{i:02d}" for i in range(n_compounds)]
    return rng.normal(size=(len(obs), d)), obs, rng.normal(size=(n_compounds, d)), ids


class Fixed(Pairings):
    """Pairings that are given, not drawn."""

    def __init__(self, orders):
        super().__init__(len(orders), np.random.default_rng())
        self.orders = orders

    def of(self, n_compounds, candidate):
        return self.orders


def evaluate(phenotype, obs, molecule, ids, n_permutations=20, seed=0, pairings=None, **more):
    labels = {"method": "m", "fold": "0"} | more
    return evaluate_embedding(
        phenotype,
        obs,
        molecule,
        ids,
        "well",
        pairings=pairings or Pairings(n_permutations, np.random.default_rng(seed)),
        **labels,
    )


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def test_small_example_by_hand():
    similarity = np.array([[0.9, 0.1, 0.2], [0.8, 0.7, 0.1], [0.5, 0.5, 0.5]])
    found = retrieval_metrics(similarity)
    assert found["top_1"] == pytest.approx((1 + 0 + 1 / 3) / 3)
    assert found["mrr"] == pytest.approx((1 + 1 / 2 + 11 / 18) / 3)
    assert found["mean_normalized_rank"] == pytest.approx((0 + 1 / 2 + 1 / 2) / 3)
    assert found["top_5"] == 1


def test_random_scores_are_near_chance():
    found = retrieval_metrics(np.random.default_rng(0).normal(size=(1500, 1500)))
    assert found["mrr"] == pytest.approx(float(chance(1500)["mrr"]), abs=0.0025)
    assert found["mean_normalized_rank"] == pytest.approx(0.5, abs=0.02)
    assert found["top_1pct"] == pytest.approx(0.01, abs=0.008)


def test_a_matrix_that_is_not_square_needs_its_matches():
    with pytest.raises(PairingError, match=r"square similarity matrix, found shape \(2, 3\)"):
        retrieval_metrics(np.zeros((2, 3)))
    assert retrieval_metrics(np.zeros((2, 3)), np.eye(2, 3, dtype=bool))["top_1"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("which", ["phenotype", "molecule", "both"])
def test_a_collapsed_embedding_scores_exactly_chance(which):
    phenotype, obs, molecule, ids = screen(np.random.default_rng(1))
    phenotype = np.ones_like(phenotype) if which != "molecule" else phenotype
    molecule = np.full_like(molecule, 0.3) if which != "phenotype" else molecule
    found = evaluate(phenotype, obs, molecule, ids).queries
    if which != "both":  # one side collapsed: the queries that see only equal items
        found = found[found["direction"] == DIRECTIONS[which == "phenotype"]]
    for name in METRICS:
        np.testing.assert_allclose(found[name], found[f"chance_{name}"], atol=1e-12)


def test_random_embeddings_average_to_the_stated_chance():
    sums = {name: [] for name in METRICS}
    for seed in range(100):
        found = evaluate(*screen(np.random.default_rng(seed)), n_permutations=1).queries
        found = found[found["direction"] == DIRECTIONS[1]]
        for name in METRICS:
            sums[name].append((found[name] - found[f"chance_{name}"]).mean())
    for name, differences in sums.items():
        assert abs(np.mean(differences)) < 4 * np.std(differences) / np.sqrt(100) + 1e-12, name


def test_queries_equal_a_loop_over_items():
    phenotype, obs, molecule, ids = screen(np.random.default_rng(2))
    found = evaluate(phenotype, obs, molecule, ids).queries
    batches = {c: set(obs.loc[obs["compound_id"] == c, "batch"]) for c in ids}
    for line in found.itertuples():
        batch = line.library == "batch"
        if line.direction == "phenotype_to_molecule":
            row = obs.index.get_loc(line.query)
            scores = {(c,): cosine(phenotype[row], molecule[i]) for i, c in enumerate(ids)
                      if not batch or obs["batch"].iloc[row] in batches[c]}  # fmt: skip
        else:
            query = molecule[ids.index(line.query)]
            scores = {(c, i): cosine(phenotype[i], query) for i, c in enumerate(obs["compound_id"])
                      if not batch or obs["batch"].iloc[i] in batches[line.query]}  # fmt: skip
        best = max(score for item, score in scores.items() if item[0] == line.compound_id)
        others = [score for item, score in scores.items() if item[0] != line.compound_id]
        assert line.library_size == len(others) + 1
        rank = 1 + sum(score > best for score in others)
        assert line.mrr == pytest.approx(1 / rank)
        assert line.top_5 == (rank <= 5)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_candidates_equal_declaring_each_compound_the_right_one(seed):
    rng = np.random.default_rng(seed)
    compound = np.concatenate([np.arange(5), rng.integers(0, 5, size=4)])
    similarity = rng.integers(0, 4, size=(3, 9)).astype(float)
    allowed = rng.random((3, 9)) < 0.7 if seed % 2 else None
    found = candidate_counts(similarity, compound, allowed)
    inside = np.ones((3, 9), bool) if allowed is None else allowed
    for q in range(3):
        for c in range(5):
            if not (inside[q] & (compound == c)).any():
                assert found.n_hits[q, c] == 0
                continue
            truth = tie_counts(similarity[[q]], (compound == c)[None], inside[[q]])
            assert [int(np.broadcast_to(v, (3, 5))[q, c]) for v in found] == [int(v[0]) for v in truth]


@given(st.integers(0, 10_000))
def test_targets_equal_ranking_in_each_compounds_library(seed):
    rng = np.random.default_rng(seed)
    compound = np.concatenate([np.arange(4), rng.integers(0, 4, size=5)])
    similarity = rng.integers(0, 4, size=(3, 9)).astype(float)
    library = (rng.random((4, 9)) < 0.5) | (compound == np.arange(4)[:, None])
    found = target_counts(similarity, compound, library)
    for c in range(4):
        truth = tie_counts(similarity, np.tile(compound == c, (3, 1)), np.tile(library[c], (3, 1)))
        for values, expected in zip(found, truth, strict=True):
            assert values[:, c].tolist() == expected.tolist()


def test_null_of_overlapping_batches_starts_at_the_observed_scores():
    inputs = screen(np.random.default_rng(9))
    found = evaluate(*inputs, pairings=Fixed(np.arange(12)[None]))
    keys, names = ["direction", "library"], list(METRICS)
    observed = found.queries.groupby([*keys, "compound_id"])[names].mean().groupby(keys).mean()
    np.testing.assert_allclose(found.null.set_index(keys)[names].sort_index(), observed.sort_index(), atol=1e-12)


def test_null_equals_scoring_relabelled_molecules():
    phenotype, obs, molecule, ids = screen(np.random.default_rng(3))
    orders = np.stack([np.arange(12), np.random.default_rng(4).permutation(12)])
    found = evaluate(phenotype, obs, molecule, ids, pairings=Fixed(orders), libraries=["whole"])
    names = list(METRICS)
    means = found.queries.groupby(["direction", "compound_id"])[names].mean().groupby("direction")[names].mean()
    null = found.null.set_index(["direction", "permutation"])[names]
    for direction in DIRECTIONS:  # the observed pairing, through the other path
        np.testing.assert_allclose(null.loc[(direction, 0)], means.loc[direction], atol=1e-12)
    # wells of compound c find molecule orders[c]: the same as handing molecule orders[c] the name c
    relabelled = evaluate(phenotype, obs, molecule[orders[1]], ids, n_permutations=2, libraries=["whole"]).queries
    relabelled = relabelled[relabelled["direction"] == DIRECTIONS[0]].groupby("compound_id")[names].mean().mean()
    np.testing.assert_allclose(null.loc[(DIRECTIONS[0], 1)], relabelled, atol=1e-12)


@pytest.mark.parametrize("library", LIBRARIES)
def test_few_permutations_of_a_large_library_are_scored_like_many(library):
    phenotype, obs, molecule, ids = screen(np.random.default_rng(10))
    obs["batch"] = obs["compound_id"].map(dict(zip(ids, "pq" * 6, strict=True)))  # libraries that do not overlap
    block = np.arange(12) % 2
    orders = Pairings(30, np.random.default_rng(0)).of(12, block[:, None] == block)
    many, few = (
        evaluate(phenotype, obs, molecule, ids, pairings=Fixed(drawn), libraries=[library]).null.set_index(
            ["direction", "permutation"]
        )
        for drawn in (orders, orders[:5])
    )
    pd.testing.assert_frame_equal(few[list(METRICS)], many.loc[few.index, list(METRICS)])


def test_scores_do_not_depend_on_scale_or_on_the_order_of_rows():
    rng = np.random.default_rng(5)
    phenotype, obs, molecule, ids = screen(rng)
    keys = ["direction", "library", "query"]
    base = evaluate(phenotype, obs, molecule, ids).queries.set_index(keys).sort_index()
    scaled = evaluate(phenotype * rng.uniform(0.1, 9, (len(obs), 1)), obs, molecule * 7, ids).queries
    pd.testing.assert_frame_equal(base, scaled.set_index(keys).sort_index())
    rows, molecules = rng.permutation(len(obs)), rng.permutation(len(ids))
    shuffled = evaluate(phenotype[rows], obs.iloc[rows], molecule[molecules], [ids[i] for i in molecules]).queries
    pd.testing.assert_frame_equal(base, shuffled.set_index(keys).sort_index())


def test_chunks_do_not_change_the_result(monkeypatch):
    inputs = screen(np.random.default_rng(6))
    whole = evaluate(*inputs)
    for module in ("ranking", "retrieval"):
        monkeypatch.setattr(f"dssl.evaluation.{module}.CHUNK_CELLS", 30)
    chunked = evaluate(*inputs)
    pd.testing.assert_frame_equal(whole.queries, chunked.queries)
    pd.testing.assert_frame_equal(whole.null, chunked.null)
    assert len(whole.null) == 20 * len(DIRECTIONS) * len(LIBRARIES)


def test_a_perfect_embedding_and_batches_of_pooled_rows():
    rng = np.random.default_rng(7)
    molecule = rng.normal(size=(6, 4))
    ids = list("abcdef")
    obs = pd.DataFrame({"compound_id": ids, "plate": [{"p", "q"}, {"p"}, {"q"}, {"r"}, {"r"}, {"s"}]}, index=ids)
    found = evaluate(molecule * 2, obs, molecule, ids, library_column="plate").queries
    assert (found["top_1"] == 1).all()
    sizes = found[found["library"] == "batch"].groupby("query")["library_size"].first()
    assert sizes.to_dict() == {"a": 3, "b": 2, "c": 2, "d": 2, "e": 2, "f": 1}
    alone = found[(found["query"] == "f") & (found["library"] == "batch")]
    assert (alone["mean_normalized_rank"] == 0.5).all()


def test_a_table_of_queries_holds_counts_scores_and_chance():
    hits = np.array([[False, True, True]])
    counts = tie_counts(np.array([[0.1, 0.3, 0.2]]), hits)
    found = query_table(counts, np.array(["b"]), np.array(["b"]), level="compound")
    assert found.loc[0, ["query", "compound_id", "level"]].tolist() == ["b", "b", "compound"]
    assert found.loc[0, ["library_size", "n_hits", "mrr"]].tolist() == [2, 2, 1.0]
    assert found["chance_top_1"][0] == pytest.approx(2 / 3)
    assert set(expected_metrics(tie_counts(np.zeros((1, 1)), np.ones((1, 1), bool)))) <= set(found)


def test_wrong_inputs_are_errors():
    phenotype, obs, molecule, ids = screen(np.random.default_rng(8))
    with pytest.raises(PairingError, match="a row of obs and an id for every vector"):
        evaluate(phenotype[1:], obs, molecule, ids)
    with pytest.raises(PairingError, match=r"1 repeated \(c00\), 1 unpaired \(c01\)"):
        evaluate(phenotype, obs, molecule, ["c00", "c00", *ids[2:]])
    molecule[3] = np.nan
    with pytest.raises(PairingError, match=r"1 of 12 molecule vectors hold NaN or infinite values \(rows 3\)"):
        evaluate(phenotype, obs, molecule, ids)
