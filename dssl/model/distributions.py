"""Distributions p(z|x) of a code given its input: von Mises-Fisher, unit-covariance Gaussian, and a point.

All have the same interface (`CodeDistribution`): a batch of n distributions, one per row of `mean`.
"""

import math
from dataclasses import dataclass
from typing import Protocol, Self

import torch
from torch import Generator, Tensor

from dssl.errors import ConfigError
from dssl.model.bessel import bessel_ratio, log_bessel
from dssl.model.draws import around
from dssl.model.power_spherical import PowerSpherical
from dssl.model.unit import unit_rows
from dssl.settings.learning import CodeSettings


class CodeDistribution(Protocol):
    """A batch of distributions of one family, one per row."""

    @property
    def mean(self) -> Tensor:
        """Mean direction (spherical families) or mean, (n, d)."""

    def rsample(self, generator: Generator | None) -> Tensor:
        """One reparameterised draw per row, (n, d)."""

    def kl(self, other: Self) -> Tensor:
        """KL[self || other] of each row in nats, (n,)."""


@dataclass(frozen=True)
class VonMisesFisher:
    """von Mises-Fisher distributions on the unit sphere, p(z) = C_d(kappa) exp(kappa mu.z), of one concentration.

    Parameters
    ----------
    mean : Tensor, (n, d)
        Mean directions mu, unit vectors.
    kappa : float
        Concentration, shared by all rows and fixed.
    """

    mean: Tensor
    kappa: float

    @property
    def size(self) -> int:
        """Dimension d."""
        return self.mean.shape[1]

    def rsample(self, generator: Generator | None) -> Tensor:
        """Draw exactly: the cosine to mu by Wood's (1994) rejection, the tangent direction uniformly.

        Differs from the released code: the proposal's b = (d-1) / (2 kappa + sqrt(4 kappa^2 + (d-1)^2)) is not
        approximated, so that the cosines are unbiased at every kappa; and the draws have norm one.
        """
        cosine = wood_cosines(self.size, self.kappa, len(self.mean), generator, self.mean.device)
        return around(self.mean, cosine, generator)

    def kl(self, other: Self) -> Tensor:
        """KL in nats between equal concentrations: kappa A_d(kappa) (1 - mu1.mu2).

        Differs from the released code, which leaves out kappa A_d(kappa) (951.7 at d = 100, kappa = 1000).
        """
        return self.kappa * bessel_ratio(self.size, self.kappa) * (1 - (self.mean * other.mean).sum(1))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density with respect to the surface measure, at unit vectors (n, d)."""
        return self.kappa * (self.mean * value).sum(1) + self._log_normalizer()

    def entropy(self) -> float:
        """Differential entropy in nats, the same for every row."""
        return -self._log_normalizer() - self.kappa * bessel_ratio(self.size, self.kappa)

    def _log_normalizer(self) -> float:
        order = self.size / 2 - 1
        return order * math.log(self.kappa) - (order + 1) * math.log(2 * math.pi) - log_bessel(self.size, self.kappa)


def wood_cosines(size: int, kappa: float, n: int, generator: Generator | None, device: torch.device) -> Tensor:
    """Draw `n` cosines z.mu of a von Mises-Fisher distribution, in double precision.

    Wood (1994), Communications in Statistics - Simulation 23, 157-164. Candidates are pooled: with one kappa the law
    does not depend on the row, so whatever is accepted is used. The proposal's Beta((d-1)/2, (d-1)/2) is (1 + t) / 2
    with t a coordinate of a uniform unit vector, t = sqrt(1 - U^{2/(d-2)}) cos(2 pi V) (Ulrich 1984). Written in t, with
    x = (1 - b) / (1 + b) and e = 1 - x t, the candidate is (x - t) / e, and it is accepted where
    kappa (1 - x^2) t / e + (d - 1) log e + log W <= 0.
    """
    degrees = size - 1
    b = degrees / (2 * kappa + math.sqrt(4 * kappa**2 + degrees**2))
    centre = (1 - b) / (1 + b)
    # kappa (1 - centre^2) without cancellation where b is small
    slope = kappa * 4 * b / (1 + b) ** 2
    exponent = 2 / (size - 2) if size > 2 else math.inf
    accepted: list[Tensor] = []
    n_accepted = 0
    while n_accepted < n:
        n_candidates = 32 + int(1.6 * (n - n_accepted))
        uniform = torch.rand((3, n_candidates), generator=generator, dtype=torch.float64, device=device)
        coordinate = (1 - uniform[0].pow_(exponent)).sqrt_() * uniform[1].mul_(2 * math.pi).cos_()
        denominator = 1 - centre * coordinate
        excess = denominator.log().mul_(degrees).add_(coordinate / denominator, alpha=slope).add_(uniform[2].log_())
        accepted.append(((centre - coordinate) / denominator)[excess <= 0])
        n_accepted += len(accepted[-1])
    return torch.cat(accepted)[:n]


@dataclass(frozen=True)
class UnitGaussian:
    """Gaussian distributions with the given means and the identity as covariance."""

    mean: Tensor

    def rsample(self, generator: Generator | None) -> Tensor:
        """Mean plus standard normal noise."""
        noise = torch.randn(self.mean.shape, generator=generator, dtype=self.mean.dtype, device=self.mean.device)
        return self.mean + noise

    def kl(self, other: Self) -> Tensor:
        """KL in nats: half the squared distance of the means."""
        return (self.mean - other.mean).square().sum(1) / 2

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density at (n, d)."""
        return -(value - self.mean).square().sum(1) / 2 - self.mean.shape[1] / 2 * math.log(2 * math.pi)

    def entropy(self) -> float:
        """Differential entropy in nats, the same for every row."""
        return self.mean.shape[1] / 2 * (1 + math.log(2 * math.pi))


@dataclass(frozen=True)
class Point:
    """Unit vectors without noise: the limit of infinite concentration."""

    mean: Tensor

    def rsample(self, generator: Generator | None) -> Tensor:
        """Give the point itself."""
        return self.mean

    def kl(self, other: Self) -> Tensor:
        """Refuse: the KL between two different points is infinite.

        Raises
        ------
        ConfigError
            Always.
        """
        raise ConfigError(
            "the KL between deterministic codes is infinite, so beta must be 0\n"
            "Set sweep.beta: [0], or train_shared.code.distribution: vmf, power_spherical or gaussian."
        )


def code_distribution(features: Tensor, settings: CodeSettings) -> CodeDistribution:
    """Distribution of a code from an encoder's output (n, d); spherical families take its direction as their mean."""
    features = features.float()
    if settings.distribution == "gaussian":
        return UnitGaussian(features)
    direction = unit_rows(features)
    if settings.distribution == "vmf":
        return VonMisesFisher(direction, settings.kappa)
    if settings.distribution == "power_spherical":
        return PowerSpherical(direction, settings.kappa)
    return Point(direction)


def unit_codes(distribution: CodeDistribution, generator: Generator | None) -> Tensor:
    """One draw of each code, or its mean where there is no generator, as unit vectors (n, d)."""
    vectors = distribution.mean if generator is None else distribution.rsample(generator)
    # spherical codes have length one already
    return unit_rows(vectors) if isinstance(distribution, UnitGaussian) else vectors
