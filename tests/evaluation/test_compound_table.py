import numpy as np
import pandas as pd
import pytest

from dssl import keys
from dssl.errors import TableError
from dssl.evaluation.compound_columns import TEXT, YES_NO, compound_columns
from dssl.evaluation.compound_table import compound_table, held_out_ranks, measured, prioritized
from dssl.evaluation.libraries import Pairings
from dssl.evaluation.retrieval import evaluate_embedding

IDS = ["a", "b", "c", "d"]


def queries(phenotype: np.ndarray, molecule: np.ndarray, ids: list[str], fold: str) -> pd.DataFrame:
    obs = pd.DataFrame({keys.COMPOUND_ID: ids, keys.BATCH: "1"}, index=ids)
    pairings = Pairings(100, np.random.default_rng(0))
    return evaluate_embedding(
        phenotype, obs, molecule, ids, "compound", method="dssl", fold=fold, pairings=pairings
    ).queries


def naive_rank(scores: np.ndarray, own: int) -> float:
    """Mean place of `own` over all orders of the tied."""
    others = np.delete(scores, own)
    return 1 + (others > scores[own]).sum() + (others == scores[own]).sum() / 2


def test_ranks_and_percentiles_are_those_of_sorting_by_hand() -> None:
    rng = np.random.default_rng(1)
    n = 30
    ids = [f"c{one}" for one in range(n)]
    # few distinct directions, so that many scores tie
    phenotype, molecule = (np.eye(4)[rng.integers(4, size=n)] + np.eye(4)[rng.integers(4, size=n)] for _ in range(2))
    found = held_out_ranks(queries(phenotype, molecule, ids, "1")).loc[ids]
    cosines = np.round(
        (phenotype / np.linalg.norm(phenotype, axis=1, keepdims=True))
        @ (molecule / np.linalg.norm(molecule, axis=1, keepdims=True)).T,
        7,
    )
    for name, scores in (("phenotype_to_molecule", cosines), ("molecule_to_phenotype", cosines.T)):
        ranks = np.array([naive_rank(row, one) for one, row in enumerate(scores)])
        np.testing.assert_allclose(found[f"rank_{name}"], ranks, atol=1e-5)
        np.testing.assert_allclose(found[f"percentile_{name}"], 1 - (ranks - 1) / (n - 1), atol=1e-5)
    assert set(found[keys.FOLD]) == {"1"}
    assert set(found[keys.LIBRARY_SIZE]) == {n}
    assert set(found[keys.CHANCE_RANK]) == {15.5}


def test_the_first_fold_counts_and_other_methods_levels_and_libraries_do_not() -> None:
    perfect = queries(np.eye(4), np.eye(4), IDS, "0")
    reverse = queries(np.eye(4), 1 - np.eye(4), IDS, "1")
    others = pd.concat([reverse.assign(method="cca"), reverse.assign(level="well"), reverse.assign(library="batch")])
    found = held_out_ranks(pd.concat([others, perfect, reverse]))
    assert found[keys.RANK_MOLECULE_TO_PHENOTYPE].tolist() == [1, 1, 1, 1]
    assert found[keys.FOLD].tolist() == ["0"] * 4


def test_a_library_of_one_is_rank_one_of_one_and_has_no_percentile() -> None:
    found = held_out_ranks(queries(np.ones((1, 3)), np.ones((1, 3)), ["only"], "0"))
    assert found.loc["only", [keys.LIBRARY_SIZE, keys.CHANCE_RANK, keys.RANK_PHENOTYPE_TO_MOLECULE]].tolist() == [
        1,
        1,
        1,
    ]
    assert found[list(keys.PERCENTILES)].isna().all(axis=None)


def test_wells_plates_doses_and_cells_are_counted_also_where_wells_were_pooled() -> None:
    wells = pd.DataFrame(
        {
            "compound_id": ["a", "a", "b", "a"],
            "plate": ["P1", "P1|P2", "P3", "P2"],
            "dose_um": [10.0, 0.5, np.nan, 10.0],
            "cell_count": [100.0, 40.0, np.nan, np.nan],
            "n_wells": [1, 3, 1, 2],
        }
    )
    found = measured(wells)
    assert found.loc["a"].to_dict() == {"n_wells": 6, "n_plates": 2, "doses_um": "0.5;10", "cell_count": 55.0}
    assert found.loc["b", ["n_wells", "n_plates", "doses_um"]].tolist() == [1, 1, ""]
    assert np.isnan(found.loc["b", "cell_count"])
    plain = measured(wells[["compound_id", "plate"]])
    assert plain["n_wells"].to_dict() == {"a": 3, "b": 1}


def test_priority_is_active_then_confident_then_novel_then_the_worse_direction() -> None:
    rows = {
        # active, one percentile, the other, similarity
        "inactive": (False, 1.0, 1.0, 0.1),
        "known structure": (True, 1.0, 0.9, 0.4),
        "better": (True, 1.0, 0.95, 0.39),
        "worse": (True, 0.91, 1.0, 0.1),
        "one direction": (True, 1.0, 0.89, 0.1),
        "never held out": (True, np.nan, np.nan, np.nan),
        "not called": (pd.NA, 1.0, 1.0, 0.1),
    }
    columns = [keys.ACTIVE, *keys.PERCENTILES, keys.TRAINING_SIMILARITY]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns).astype({keys.ACTIVE: "boolean"})
    found = prioritized(table, novel_below=0.4, confident_above=0.9)
    expected = ["better", "worse", "known structure", "never held out", "one direction", "not called", "inactive"]
    assert found.sort_values(keys.PRIORITY).index.tolist() == expected
    assert sorted(found[keys.PRIORITY]) == list(range(1, 8))
    assert found.loc["better", keys.PRIORITY_REASON] == "active; found in both directions; novel structure"
    assert found.loc["never held out", keys.PRIORITY_REASON] == "active; never held out; similarity not known"
    assert pd.isna(found.loc["never held out", keys.NOVEL])
    assert not found.loc["known structure", keys.NOVEL]  # the bound itself is not below


def make(kept: list[str], ids: list[str] = IDS, **columns: list[str]) -> pd.DataFrame:
    molecules = pd.DataFrame({"name": IDS, "smiles": "C", "inchikey": "K", **columns}, index=IDS)
    wells = pd.DataFrame({"compound_id": IDS, "plate": "P"})
    found = held_out_ranks(queries(np.eye(3), np.eye(3), IDS[:3], "0")).assign(training_similarity=0.2)
    activity = pd.DataFrame({"activity_map": 1.0, "activity_p_fdr": 0.01, "active": [True, False]}, index=["a", "b"])
    seen = pd.Series([True, True, False, True], IDS)
    return compound_table(ids, molecules, wells, kept, found, activity, seen, 0.4, 0.9)


def test_every_compound_has_a_row_in_the_given_order_and_every_column_is_in_the_dictionary() -> None:
    table = make(["moa"], ["d", "b", "a", "c"], moa=["x", "y", "", "z"])
    assert table[keys.COMPOUND_ID].tolist() == ["d", "b", "a", "c"]
    assert table.columns.tolist() == [column.name for column in compound_columns(["moa"])]
    assert table["moa"].tolist() == ["z", "y", "x", ""]
    of_d = table.iloc[0]
    assert of_d[[keys.FOLD, keys.RANK_PHENOTYPE_TO_MOLECULE, keys.ACTIVE, keys.CONFIDENT]].isna().all()
    assert table[keys.SEEN_IN_HANDOVER_MODEL].tolist() == [True, True, True, False]
    assert table[keys.PRIORITY].tolist() == [3, 4, 1, 2]
    dictionary = compound_columns([])
    assert all(column.meaning for column in dictionary)
    assert {*TEXT, *YES_NO} <= {column.name for column in dictionary}


def test_a_kept_column_with_the_name_of_another_is_told_apart() -> None:
    table = make(["fold"], fold=["p", "q", "r", "s"])
    assert table["molecules.fold"].tolist() == ["p", "q", "r", "s"]
    assert table["fold"].tolist()[:3] == ["0", "0", "0"]


def test_an_embedding_of_other_pairs_is_refused() -> None:
    with pytest.raises(TableError, match=r"1 of 2 compounds have no molecule: z\nThe embedding is of other pairs"):
        make([], ["a", "z"])
