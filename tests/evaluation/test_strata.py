import numpy as np
import pandas as pd
import pytest

from dssl.evaluation.ranks import METRICS
from dssl.evaluation.statistics import summarize
from dssl.evaluation.strata import STRATA_COLUMNS, similarity_strata, summarize_strata, third_strata

EDGES = [0.3, 0.5]


def queries(rng, n=30, folds=("0", "1"), methods=("a", "b")):
    """Compound and treatment queries of every method; score of a compound rises with its number."""
    rows = [
        {"method": method, "fold": fold, "level": level, "direction": direction, "library": "whole",
         "query": f"c{one}" + suffix, "compound_id": f"c{one}", "library_size": n}
        | {name: one / n + (method == "b") + rng.normal(0, 0.1) for name in METRICS}
        | {f"chance_{name}": 0.1 for name in METRICS}
        for method in methods
        for fold in folds
        for one in range(n)
        for direction in ("molecule_to_phenotype", "phenotype_to_molecule")
        for level, suffixes in (("compound", [""]), ("treatment", ["@1uM", "@10uM"]))
        for suffix in (suffixes if direction == "phenotype_to_molecule" else suffixes[:1])
    ]  # fmt: skip
    return pd.DataFrame(rows)


def described(n=30, folds=("0", "1"), **columns):
    parts = [
        pd.DataFrame(
            {
                "fold": fold,
                "compound_id": [f"c{one}" for one in range(n)],
                "nearest_training_similarity": np.linspace(0.1, 0.9, n),
                "replicate_correlation": np.nan,
                "profile_length": np.arange(n, dtype=float),
            }
            | columns
        )
        for fold in folds
    ]
    return pd.concat(parts, ignore_index=True)


def doses(n=30, folds=("0", "1")):
    rows = [(fold, f"c{one}@{dose}uM", float(dose)) for fold in folds for one in range(n) for dose in (1, 10)]
    return pd.DataFrame(rows, columns=["fold", "query", "dose_um"])


def test_bins_and_thirds_by_hand():
    found = similarity_strata(pd.Series([0.0, 0.3, 0.29, 0.5, 1.0]), EDGES)
    assert found.astype(str).tolist() == ["0 to 0.3", "0.3 to 0.5", "0 to 0.3", "0.5 to 1", "0.5 to 1"]
    assert list(found.cat.categories) == ["0 to 0.3", "0.3 to 0.5", "0.5 to 1"]
    thirds = third_strata(pd.Series([5.0, np.nan, 1.0, 3.0, 2.0, 6.0, 4.0]))
    assert thirds.value_counts().to_dict() == {
        "lowest third": 2, "middle third": 2, "highest third": 2, "one well only": 1
    }  # fmt: skip
    assert thirds[2] == thirds[4] == "lowest third"


def test_a_stratum_of_everybody_is_the_summary():
    rng = np.random.default_rng(0)
    table = queries(rng)
    found = summarize_strata(table, described(), doses(), [0.05], 400, np.random.default_rng(1))
    everybody = found[found["stratum"] == "0.05 to 1"]
    whole = summarize(table[table["level"] == "compound"], None, 400, np.random.default_rng(1)).query("fold == 'all'")
    keys = ["method", "direction", "library", "level", "metric"]
    both = everybody.merge(whole, on=keys, suffixes=("", "_whole"))
    assert len(both) == 2 * 2 * len(METRICS) == len(whole)
    for name in ("value", "chance", "library_size"):
        np.testing.assert_allclose(both[name], both[f"{name}_whole"])
    np.testing.assert_allclose(both["ci_low"], both["ci_low_whole"], atol=0.05)
    np.testing.assert_allclose(both["ci_high"], both["ci_high_whole"], atol=0.05)
    assert set(both["n_compounds"]) == {30}
    assert set(both["n_queries"]) == {60}


def test_strata_hold_their_own_compounds_and_follow_in_order():
    rng = np.random.default_rng(2)
    table = queries(rng)
    found = summarize_strata(table, described(active=pd.array([True] * 10 + [False] * 15 + [None] * 5, "boolean")),
                             doses(), EDGES, 100, rng)  # fmt: skip
    assert list(found.columns) == STRATA_COLUMNS
    assert list(dict.fromkeys(found["by"])) == ["nearest_training_similarity", "active", "profile_length", "dose_um"]
    active = found[found["by"] == "active"].groupby("stratum", sort=False)["n_compounds"].first()
    assert active.to_dict() == {"active": 10, "inactive": 15, "not assessed": 5}
    by_length = found[(found["by"] == "profile_length") & (found["metric"] == "mrr") & (found["method"] == "a")]
    assert by_length["stratum"].drop_duplicates().tolist() == ["lowest third", "middle third", "highest third"]
    compounds = table[(table["level"] == "compound") & (table["method"] == "a")]
    for line in by_length.itertuples():
        low = {"lowest third": 0, "middle third": 10, "highest third": 20}[line.stratum]
        members = compounds["compound_id"].str[1:].astype(int).between(low, low + 9)
        of_direction = compounds[members & (compounds["direction"] == line.direction)]
        assert line.value == pytest.approx(of_direction["mrr"].mean())
        assert line.ci_low < line.value < line.ci_high


def test_doses_are_those_of_treatments_asked_for_their_molecule():
    rng = np.random.default_rng(3)
    found = summarize_strata(queries(rng), described(), doses(), EDGES, 100, rng)
    dose = found[found["by"] == "dose_um"]
    assert dose["stratum"].drop_duplicates().tolist() == ["1 uM", "10 uM"]
    assert set(dose["direction"]) == {"phenotype_to_molecule"}
    assert set(dose["level"]) == {"treatment"}
    one = doses().assign(dose_um=5.0)
    assert "dose_um" not in set(summarize_strata(queries(rng), described(), one, EDGES, 100, rng)["by"])


@pytest.mark.parametrize(("known", "there"), [(14, False), (16, True)])
def test_agreement_of_replicates_counts_where_most_compounds_have_replicates(known, there):
    rng = np.random.default_rng(6)
    correlation = np.where(np.arange(30) < known, np.linspace(0, 1, 30), np.nan)
    found = summarize_strata(queries(rng), described(replicate_correlation=correlation), doses(), EDGES, 100, rng)
    by = found[found["by"] == "replicate_correlation"]
    assert bool(len(by)) is there
    if there:
        sizes = by.groupby("stratum")["n_compounds"].first()
        assert sizes["one well only"] == 14
        assert sizes.sum() == 30


def test_too_few_compounds_have_no_interval():
    rng = np.random.default_rng(4)
    few = described(active=pd.array([True] * 4 + [False] * 26, "boolean"))
    found = summarize_strata(queries(rng), few, doses(), EDGES, 100, rng)
    missing = found[found["by"] == "active"].groupby("stratum")["ci_low"].agg(lambda low: low.isna().all())
    assert missing.to_dict() == {"active": True, "inactive": False}
