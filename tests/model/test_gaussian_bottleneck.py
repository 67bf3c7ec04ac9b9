from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from dssl.errors import ConfigError
from dssl.model.gaussian_bottleneck import information, information_curve, information_of_snr, kept, snr

BETAS = [0.01, 0.1, 0.5, 2.0]
Floats = NDArray[np.float64]


@dataclass
class Joint:
    """A Gaussian X1 (3) and X2 (2) with covariances that are not diagonal."""

    first: Floats
    second: Floats
    cross: Floats

    def terms(self, encoder: Floats) -> tuple[float, float]:
        """I(Z;X2) and I(Z;X1|X2) in nats of Z = encoder X1 + unit noise, from determinants of joint covariances."""
        of_z = encoder @ self.first @ encoder.T + np.eye(len(encoder))
        z_with_first, z_with_second = encoder @ self.first, encoder @ self.cross
        both = np.block([[self.first, self.cross], [self.cross.T, self.second]])
        z_with_both = np.hstack([z_with_first, z_with_second])
        other = mutual_information(of_z, self.second, z_with_second)
        return other, mutual_information(of_z, both, z_with_both) - other


def mutual_information(a: Floats, b: Floats, cross: Floats) -> float:
    joint = np.block([[a, cross], [cross.T, b]])
    return float(np.linalg.slogdet(a)[1] + np.linalg.slogdet(b)[1] - np.linalg.slogdet(joint)[1]) / 2


def inverse_root(covariance: Floats) -> Floats:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * values**-0.5 @ vectors.T)


@pytest.fixture(scope="module")
def joint() -> Joint:
    rng = np.random.default_rng(3)
    first, second = (np.cov(rng.normal(size=(size, 4 * size))) for size in (3, 2))
    left, right = np.linalg.qr(rng.normal(size=(3, 3)))[0][:, :2], np.linalg.qr(rng.normal(size=(2, 2)))[0]
    cross = np.linalg.inv(inverse_root(first)) @ (left * [0.85, 0.5]) @ right.T @ np.linalg.inv(inverse_root(second))
    return Joint(first, second, cross)


def optimal_encoder(joint: Joint, beta: float) -> tuple[Floats, Floats]:
    root = inverse_root(joint.first)
    left, correlations, _ = np.linalg.svd(root @ joint.cross @ inverse_root(joint.second), full_matrices=False)
    return np.sqrt(snr(correlations, beta))[:, None] * (left.T @ root), correlations


@pytest.mark.parametrize("beta", BETAS)
def test_information_is_that_of_the_joint_covariance(joint: Joint, beta: float) -> None:
    encoder, correlations = optimal_encoder(joint, beta)
    other, conditional = joint.terms(encoder)
    for found in (information(correlations, beta), information_of_snr(snr(correlations, beta), correlations)):
        np.testing.assert_allclose(found.other.sum(), other, atol=1e-9)
        np.testing.assert_allclose(found.conditional.sum(), conditional, atol=1e-9)
        np.testing.assert_allclose(found.own, found.other + found.conditional, atol=1e-12)


@pytest.mark.parametrize("beta", [0.1, 0.5])
def test_no_linear_encoder_found_numerically_is_better(joint: Joint, beta: float) -> None:
    def cost(flat: Floats) -> float:
        other, conditional = joint.terms(flat.reshape(2, 3))
        return beta * conditional - other

    starts = np.random.default_rng(0).normal(size=(3, 6))
    best = min(float(minimize(cost, start, method="BFGS").fun) for start in starts)
    found = information(optimal_encoder(joint, beta)[1], beta).totals()
    exact = beta * found["information_conditional"] - found["information_other"]
    assert exact == pytest.approx(best, abs=1e-5)
    assert exact < -0.01


@pytest.mark.parametrize("beta", BETAS)
def test_other_signal_to_noise_ratios_are_worse(beta: float) -> None:
    correlations = np.array([0.95, 0.7, 0.4, 0.2, 0.0])

    def value(ratios: Floats) -> float:
        found = information_of_snr(ratios, correlations).totals()
        return found["information_other"] - beta * found["information_conditional"]

    optimal = snr(correlations, beta)
    for direction in range(len(correlations)):
        for step in (-0.01, 0.01, 0.5):
            changed = optimal.copy()
            changed[direction] += step
            if changed[direction] >= 0:
                assert value(changed) < value(optimal)


def test_threshold() -> None:
    limit = np.sqrt(0.2 / 1.2)
    correlations = np.array([limit + 1e-6, limit - 1e-6])
    assert kept(correlations, 0.2).tolist() == [True, False]
    assert snr(correlations, 0.2)[1] == 0
    assert 0 < snr(correlations, 0.2)[0] < 1e-4


def test_limits() -> None:
    correlations = np.array([1.0, 0.6, 0.0])
    assert snr(correlations, 0.0).tolist() == [np.inf, np.inf, 0.0]
    free = information(correlations, 0.0)
    np.testing.assert_allclose(free.other, [np.inf, -0.5 * np.log(1 - 0.36), 0.0])
    assert free.conditional.tolist() == [np.inf, np.inf, 0.0]
    priced = information(correlations, 0.5)
    assert snr(correlations, 0.5)[0] == np.inf
    # at rho = 1 the other modality tells all of X1, but not the code's noise
    np.testing.assert_allclose(priced.conditional[0], 0.5 * np.log(3))
    assert information(np.array([0.6]), 1e-9).other[0] == pytest.approx(free.other[1])


def test_slope_of_the_curve_is_beta() -> None:
    curve = information_curve(np.array([0.9, 0.6, 0.3]), np.linspace(0.2, 0.2002, 3).tolist())
    slope = np.diff(curve["information_other"]) / np.diff(curve["information_conditional"])
    np.testing.assert_allclose(slope, 0.2001, rtol=1e-3)
    assert curve["n_kept"].tolist() == [2, 2, 2]


def test_refuses_what_is_no_correlation() -> None:
    with pytest.raises(ConfigError, match=r"lie in \[0, 1\], found -0.1 to 0.5"):
        snr(np.array([0.5, -0.1]), 0.1)
    with pytest.raises(ConfigError, match="expected beta >= 0, found -1"):
        information(np.array([0.5]), -1.0)
