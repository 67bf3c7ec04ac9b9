"""Codes that share a factor are found out, whatever space each lives in; those that do not are at chance."""

import numpy as np
import pytest

from dssl.evaluation.leakage import ALIGNED, RAW, RoleCodes, align, leakage_table
from dssl.evaluation.retrieval import retrieval_metrics, unit_rows

SIZES = {"train": 200, "validation": 60, "test": 80}


def codes_of(shared_dimensions, rng, noise=0.3):
    """Unit codes of 12 dimensions of which so many are common, each modality rotated in its own way."""
    rotations = [np.linalg.qr(rng.normal(size=(12, 12)))[0] for _ in range(2)]
    found = {}
    for role, n in SIZES.items():
        common, *own = (rng.normal(size=(n, 12)) for _ in range(3))
        is_common = np.arange(12) < shared_dimensions
        mixed = [np.where(is_common, common + noise * rng.normal(size=(n, 12)), each) for each in own]
        found[role] = RoleCodes(*(unit_rows(each @ turn) for each, turn in zip(mixed, rotations, strict=True)))
    return found


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    codes = {"shared": codes_of(12, rng, noise=0), "leaking": codes_of(2, rng), "specific": codes_of(0, rng)}
    ids = [f"C{number}" for number in range(SIZES["test"])]
    return leakage_table(codes, ids, "3", 199, rng).set_index(["code", "alignment", "direction"]).sort_index()


def test_only_alignment_finds_what_leaks(table):
    assert (table.loc[("leaking", ALIGNED), "p_value"] == 1 / 200).all()
    assert (table.loc[("leaking", RAW), "p_value"] > 0.05).all()
    assert (table.loc[("shared", ALIGNED), "mrr"] > 0.99).all()


def test_independent_codes_are_at_chance_in_both_ways(table):
    found = table.loc["specific"]
    assert (found["p_value"] > 0.01).all()
    assert (found["mrr"] < 2 * found["chance"]).all()
    assert found["chance"].to_numpy() == pytest.approx(np.mean(1 / np.arange(1, 81)))
    assert set(found["fold"]) == {"3"}
    assert set(found["n_compounds"]) == {80}


def test_raw_is_plain_retrieval(table):
    rng = np.random.default_rng(0)
    test = codes_of(12, rng, noise=0)["test"]
    for direction, similarity in (
        ("phenotype_to_molecule", test.phenotype @ test.molecule.T),
        ("molecule_to_phenotype", test.molecule @ test.phenotype.T),
    ):
        assert table.loc[("shared", RAW, direction), "mrr"] == pytest.approx(retrieval_metrics(similarity)["mrr"])


def test_the_map_uses_nothing_of_the_test_compounds():
    codes = codes_of(4, np.random.default_rng(1))
    whole = align(codes["train"], codes["validation"], codes["test"])
    half = align(codes["train"], codes["validation"], RoleCodes(*(each[:10] for each in codes["test"])))
    np.testing.assert_allclose(half.phenotype, whole.phenotype[:10])
    np.testing.assert_allclose(half.molecule, whole.molecule[:10])
