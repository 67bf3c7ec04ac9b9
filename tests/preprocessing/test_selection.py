import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dssl.preprocessing.selection import absolute_correlation, correlation_filter


def slow_filter(values: np.ndarray, names: list[str], threshold: float) -> set[str]:
    """Plain loops over numpy.corrcoef: the same rule, read from its description."""
    correlation = np.abs(np.corrcoef(values.T))
    means = {name: round(float(np.mean(row)), 6) for name, row in zip(names, correlation, strict=True)}
    kept: list[str] = []
    for name in sorted(names, key=lambda name: (means[name], name)):
        if all(correlation[names.index(name), names.index(other)] <= threshold for other in kept):
            kept.append(name)
    return set(kept)


def correlated(seed: int, p: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    factors = random.normal(size=(50, 3))
    return factors @ random.normal(size=(3, p)) + random.uniform(0.05, 1) * random.normal(size=(50, p))


@hypothesis_settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), p=st.integers(2, 25), threshold=st.sampled_from([0.3, 0.6, 0.9, 0.95]))
def test_filter(seed, p, threshold):
    values = correlated(seed, p)
    names = [f"f{position}" for position in np.random.default_rng(seed).permutation(p)]
    keep, dropped = correlation_filter(values, names, threshold)
    kept = {name for name, stays in zip(names, keep, strict=True) if stays}
    assert kept == slow_filter(values, names, threshold)
    assert list(dropped["feature"]) == [name for name, stays in zip(names, keep, strict=True) if not stays]
    correlation = np.abs(np.corrcoef(values.T))
    np.fill_diagonal(correlation, 0)
    assert (correlation[np.ix_(keep, keep)] <= threshold).all()  # no pair above the threshold remains
    assert (correlation[np.ix_(~keep, keep)].max(axis=1, initial=0) > threshold).all()  # nothing goes without need


def test_of_a_pair_the_one_correlated_with_more_goes():
    random = np.random.default_rng(0)
    shared, other = random.normal(size=(2, 400))
    values = np.column_stack([shared, shared + 0.2 * other, other])  # the middle one also follows `other`
    keep, dropped = correlation_filter(values, ["a", "b", "c"], 0.9)
    assert keep.tolist() == [True, False, True]
    assert dropped.values.tolist() == [["b", f"correlation {np.corrcoef(values.T)[0, 1]:.3f} with a"]]


@pytest.mark.parametrize("names", [["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"]])
def test_ties_are_settled_by_name(names):
    one = np.random.default_rng(0).normal(size=40)
    keep, _ = correlation_filter(np.column_stack([one, -2 * one, one + 1]), names, 0.95)
    assert [name for name, stays in zip(names, keep, strict=True) if stays] == ["a"]


def test_threshold_of_one_keeps_all():
    one = np.random.default_rng(0).normal(size=40)
    keep, dropped = correlation_filter(np.column_stack([one, one, 3 * one]), ["a", "b", "c"], 1.0)
    assert keep.all()
    assert dropped.empty


def test_correlation_is_numpys():
    values = correlated(3, 9)
    np.testing.assert_allclose(absolute_correlation(values), np.abs(np.corrcoef(values.T)), atol=1e-12)
