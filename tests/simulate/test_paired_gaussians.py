import numpy as np
import pytest

from dssl.simulate.paired_gaussians import (
    FACTOR_SIZE,
    PairedGaussians,
    canonical_correlations,
    paired_gaussians,
)

N = 40_000


@pytest.fixture(scope="module")
def noisy() -> PairedGaussians:
    return paired_gaussians(N, 2.0, np.random.default_rng(3))


def test_moments_are_those_of_the_population(noisy: PairedGaussians) -> None:
    first, second, between = noisy.mixing.covariances(2.0)
    empirical = np.cov(np.hstack([noisy.first, noisy.second]).T)
    # standard error of a covariance: sqrt((s_ii s_jj + s_ij^2) / n), at most sqrt(2) x largest variance / sqrt(n)
    limit = 5 * 2**0.5 * max(first.max(), second.max()) / N**0.5
    expected = np.block([[first, between], [between.T, second]])
    assert np.abs(empirical - expected).max() < limit
    assert limit < 0.3 * first.diagonal().mean()
    for factor in noisy.factors.values():
        assert factor.var() == pytest.approx(0.5, abs=0.005)


def test_noise_changes_the_observations_by_noise_only(noisy: PairedGaussians) -> None:
    clean = paired_gaussians(N, 0.0, np.random.default_rng(3))
    assert (noisy.first - clean.first).std() == pytest.approx(2.0, rel=0.01)
    for name, label in clean.labels.items():
        assert np.array_equal(label, noisy.labels[name])


def test_exact_canonical_correlations_are_the_empirical_ones_of_many_pairs(noisy: PairedGaussians) -> None:
    exact = canonical_correlations(noisy.mixing, 2.0)
    joint = [np.linalg.qr(each - each.mean(0))[0] for each in (noisy.first, noisy.second)]
    empirical = np.linalg.svd(joint[0].T @ joint[1], compute_uv=False)[:FACTOR_SIZE]
    assert exact.max() - exact.min() > 0.2
    # small correlations are overestimated by about sqrt(100 / n)
    assert empirical == pytest.approx(exact, abs=0.03)


def test_without_noise_fifty_directions_are_shared_exactly() -> None:
    data = paired_gaussians(300, 0.0, np.random.default_rng(0))
    assert canonical_correlations(data.mixing, 0.0) == pytest.approx(np.ones(FACTOR_SIZE), abs=1e-6)
    for observed, mixing in ((data.first, data.mixing.first), (data.second, data.mixing.second)):
        shared = (observed @ np.linalg.inv(mixing))[:, FACTOR_SIZE:]
        assert shared == pytest.approx(data.factors["zs"], abs=1e-6)


def test_more_noise_means_less_correlation() -> None:
    mixing = paired_gaussians(2, 0.0, np.random.default_rng(1)).mixing
    levels = [canonical_correlations(mixing, sigma) for sigma in (0.1, 1.0, 3.0)]
    assert (levels[0] > levels[1]).all()
    assert (levels[1] > levels[2]).all()


def test_labels_are_balanced_and_know_their_own_factor_only() -> None:
    data = paired_gaussians(20_000, 0.0, np.random.default_rng(5))
    for name, label in data.labels.items():
        assert label.mean() == pytest.approx(0.5, abs=1e-3)
        for factor, values in data.factors.items():
            design = np.hstack([values, np.ones((len(values), 1))])
            weights = np.linalg.lstsq(design[:10_000], label[:10_000] - 0.5, rcond=None)[0]
            accuracy = ((design[10_000:] @ weights > 0) == label[10_000:]).mean()
            if factor == name:
                assert 0.74 < accuracy < 0.88
            else:
                assert accuracy == pytest.approx(0.5, abs=0.025)
