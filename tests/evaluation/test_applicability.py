import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from dssl.evaluation.applicability import far_share, flag, nearest_training, performance_by_flag, reference_values
from dssl.evaluation.ranks import METRICS


@pytest.mark.parametrize("far_is", ["low", "high"])
def test_share_of_held_out_values_that_are_as_far(far_is: str) -> None:
    rng = np.random.default_rng(0)
    held_out, values = rng.integers(0, 8, 50) / 8, rng.integers(-1, 10, 30) / 8
    further = (lambda one: held_out <= one) if far_is == "low" else (lambda one: held_out >= one)
    expected = [further(value).mean() for value in values]
    np.testing.assert_allclose(far_share(reference_values(held_out), values, far_is), expected)


def test_the_measure_that_is_furthest_decides_and_is_the_reason() -> None:
    references = {"nearest_tanimoto": np.linspace(0.2, 0.8, 101), "descriptors_outside": np.arange(101.0)}
    values = {
        "nearest_tanimoto": np.array([0.7, 0.7, 0.3, 0.1]),
        "descriptors_outside": np.array([0.0, 99.0, 0.0, 80.0]),
    }
    found = flag(references, values, 0.05, 0.25)
    assert found["applicability"].tolist() == ["inside", "outside", "borderline", "outside"]
    assert found["applicability_reason"].tolist() == [
        "",
        "99 descriptors outside the range of the training molecules; of the held-out compounds 2.0% are as far, or further",
        "Tanimoto similarity 0.30 to the nearest training molecule; of the held-out compounds 16.8% are as far, or further",
        "Tanimoto similarity 0.10 to the nearest training molecule; of the held-out compounds 0.0% are as far, or further",
    ]


def test_of_held_out_compounds_themselves_as_many_are_outside_as_was_asked() -> None:
    rng = np.random.default_rng(1)
    values = rng.beta(2.0, 3.0, size=1000)
    found = flag({"nearest_cosine": reference_values(values)}, {"nearest_cosine": values}, 0.05, 0.25)
    counts = found["applicability"].value_counts()
    assert counts["outside"] == pytest.approx(50, abs=1)
    assert counts["borderline"] == pytest.approx(200, abs=1)


def test_a_large_reference_is_thinned_without_moving_its_quantiles() -> None:
    values = np.random.default_rng(2).normal(size=30_000)
    thinned = reference_values(values)
    assert len(thinned) == 2001
    at = np.linspace(-2, 2, 9)
    np.testing.assert_allclose(far_share(thinned, at, "high"), far_share(np.sort(values), at, "high"), atol=2e-3)


def test_performance_of_each_flag_is_the_mean_over_its_compounds() -> None:
    rng = np.random.default_rng(3)
    queries = pd.DataFrame({name: rng.uniform(size=60) for name in METRICS}).assign(
        direction="phenotype_to_molecule",
        applicability=["inside"] * 40 + ["borderline"] * 20,
        library_size=30,
        **{f"chance_{name}": 0.1 for name in METRICS},
    )
    found = performance_by_flag(queries, 200, rng).set_index(["applicability", "metric"])
    assert set(found.index.get_level_values(0)) == {"inside", "borderline", "all"}
    inside = found.loc[("inside", "mrr")]
    assert inside["value"] == pytest.approx(queries["mrr"][:40].mean())
    assert inside["ci_low"] < inside["value"] < inside["ci_high"]
    assert (inside["n_compounds"], inside["chance"], inside["library_size"]) == (40, 0.1, 30)


def test_a_distance_counts_only_beyond_every_held_out_compound() -> None:
    found = flag(
        {"nearest_distance": np.arange(1.0, 101.0)}, {"nearest_distance": np.array([50.0, 100.0, 101.0])}, 0.05, 0.25
    )
    assert found["applicability"].tolist() == ["inside", "inside", "outside"]


def test_nearest_training_profile() -> None:
    rng = np.random.default_rng(4)
    rows, training = (rng.normal(size=(n, 5)).astype(np.float32) for n in (7, 9))
    rows[0] = training[3]
    found = nearest_training(rows, training)
    np.testing.assert_allclose(found["nearest_distance"], cdist(rows, training).min(axis=1), atol=1e-6)
    np.testing.assert_allclose(found["nearest_cosine"], 1 - cdist(rows, training, "cosine").min(axis=1), atol=1e-6)
    assert nearest_training(rows[:0], training)["nearest_cosine"].shape == (0,)
