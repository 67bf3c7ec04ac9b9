import math

import numpy as np
import pytest
import torch
from scipy.stats import vonmises_fisher

from dssl.errors import ConfigError
from dssl.model.bessel import bessel_ratio
from dssl.model.distributions import Point, UnitGaussian, VonMisesFisher, code_distribution, wood_cosines
from dssl.model.power_spherical import PowerSpherical
from dssl.settings.learning import CodeSettings

CPU = torch.device("cpu")
FAMILIES = [VonMisesFisher, PowerSpherical]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def directions(n: int, size: int, seed: int = 1, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(n, size, generator=generator(seed), dtype=dtype), dim=1)


def pair(size: int, angle: float) -> tuple[torch.Tensor, torch.Tensor]:
    first, second = torch.zeros(1, size, dtype=torch.float64), torch.zeros(1, size, dtype=torch.float64)
    first[0, 0], second[0, 0], second[0, 1] = 1.0, math.cos(angle), math.sin(angle)
    return first, second


def sphere_integral(density: torch.Tensor, cosines: torch.Tensor) -> float:
    """Integral over the unit sphere in three dimensions of a function of the cosine alone."""
    return float(2 * math.pi * torch.trapezoid(density, cosines))


@pytest.mark.parametrize("size", [2, 3, 10, 100, 1000])
@pytest.mark.parametrize("kappa", [0.01, 1.0, 11.0, 50.0, 100.0, 1000.0, 1e5])
def test_wood_cosines_have_the_exact_mean(size: int, kappa: float) -> None:
    cosines = wood_cosines(size, kappa, 40_000, generator(3), CPU)
    error = float(cosines.std()) / math.sqrt(len(cosines))
    assert abs(float(cosines.mean()) - bessel_ratio(size, kappa)) < 4.5 * error
    assert float(cosines.abs().max()) <= 1


@pytest.mark.parametrize("size", [2, 3, 64])
@pytest.mark.parametrize("kappa", [0.5, 11.0, 300.0])
def test_wood_cosines_have_the_exact_spread(size: int, kappa: float) -> None:
    cosines = wood_cosines(size, kappa, 100_000, generator(4), CPU)
    ratio = bessel_ratio(size, kappa)
    variance = 1 - ratio**2 - (size - 1) / kappa * ratio  # A'(kappa)
    assert float(cosines.var()) == pytest.approx(variance, rel=0.05)


@pytest.mark.parametrize("size", [2, 3, 64])
@pytest.mark.parametrize("kappa", [0.5, 11.0, 1000.0])
def test_power_spherical_draws_have_the_exact_mean(size: int, kappa: float) -> None:
    mean = directions(40_000, size)
    cosines = (PowerSpherical(mean, kappa).rsample(generator()) * mean).sum(1)
    alpha, beta = (size - 1) / 2 + kappa, (size - 1) / 2
    error = float(cosines.std()) / math.sqrt(len(cosines))
    assert abs(float(cosines.mean()) - (alpha - beta) / (alpha + beta)) < 4.5 * error


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [2, 3, 100])
@pytest.mark.parametrize("kappa", [0.1, 50.0, 1e4])
def test_draws_are_unit_vectors_and_depend_on_the_seed_only(family, size, kappa) -> None:
    distribution = family(directions(500, size, dtype=torch.float32), kappa)
    draw = distribution.rsample(generator(7))
    assert float((draw.double().norm(dim=1) - 1).abs().max()) < 1e-6
    assert torch.equal(draw, distribution.rsample(generator(7)))
    assert not torch.equal(draw, distribution.rsample(generator(8)))


@pytest.mark.parametrize("family", FAMILIES)
def test_tangent_directions_are_uniform(family) -> None:
    mean = torch.zeros(60_000, 4, dtype=torch.float64)
    mean[:, 0] = 1
    tangent = torch.nn.functional.normalize(family(mean, 5.0).rsample(generator())[:, 1:], dim=1)
    assert tangent.mean(0).abs().max() < 0.012
    assert torch.allclose(tangent.T @ tangent / len(tangent), torch.eye(3, dtype=torch.float64) / 3, atol=0.01)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kappa", [0.01, 1.0, 30.0])
def test_density_integrates_to_one(family, kappa: float) -> None:
    cosines = torch.linspace(-1 + 1e-9, 1, 200_001, dtype=torch.float64)
    value = torch.stack([cosines, (1 - cosines**2).clamp_min(0).sqrt(), torch.zeros_like(cosines)], dim=1)
    mean, _ = pair(3, 0.0)
    density = family(mean.expand(len(value), 3), kappa).log_prob(value).exp()
    assert sphere_integral(density, cosines) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("size", "kappa"), [(3, 2.0), (64, 100.0), (100, 1000.0)])
@pytest.mark.parametrize("angle", [0.3, 1.5])
def test_kl_and_entropy_agree_with_monte_carlo(family, size: int, kappa: float, angle: float) -> None:
    mean, other = pair(size, angle)
    first, second = family(mean.expand(20_000, size), kappa), family(other.expand(20_000, size), kappa)
    draw = first.rsample(generator(5))
    log_prob = first.log_prob(draw)
    difference = log_prob - second.log_prob(draw)
    tolerance = 4.5 * float(difference.std()) / math.sqrt(len(draw))
    exact = float(family(mean, kappa).kl(family(other, kappa)))
    assert abs(exact - float(difference.mean())) < tolerance + 0.002 * exact
    assert abs(first.entropy() + float(log_prob.mean())) < 4.5 * float(log_prob.std()) / math.sqrt(len(draw))


@pytest.mark.parametrize("size", [2, 3, 10, 100])
@pytest.mark.parametrize("kappa", [0.5, 11.0, 50.0, 100.0, 1000.0])
def test_von_mises_fisher_agrees_with_scipy(size: int, kappa: float) -> None:
    mean, value = directions(5, size), directions(5, size, seed=2)
    found = VonMisesFisher(mean, kappa)
    exact = [vonmises_fisher(mu, kappa) for mu in mean.numpy()]
    expected = [float(each.logpdf(at)) for each, at in zip(exact, value.numpy(), strict=True)]
    assert np.allclose(found.log_prob(value).numpy(), expected, rtol=1e-9, atol=1e-9 * kappa)
    assert found.entropy() == pytest.approx(float(exact[0].entropy()), rel=1e-9, abs=1e-9 * kappa)


@pytest.mark.parametrize("kappa", [11.0, 50.0, 100.0])
def test_draws_have_the_exact_mean_where_the_released_sampler_has_not(kappa: float) -> None:
    mean = directions(20_000, 100, dtype=torch.float32)
    cosines = (VonMisesFisher(mean, kappa).rsample(generator(6)) * mean).sum(1).double()
    error = float(cosines.std()) / math.sqrt(len(cosines))
    assert abs(float(cosines.mean()) - bessel_ratio(100, kappa)) < 4.5 * error


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kappa", [2.0, 5.0, 40.0])
@pytest.mark.parametrize("angle", [0.4, 2.0])
def test_kl_and_entropy_agree_with_quadrature_on_the_sphere(family, kappa: float, angle: float) -> None:
    nodes, weights = np.polynomial.legendre.leggauss(400)
    around = (np.arange(400) + 0.5) * 2 * np.pi / 400
    cosine, longitude = (grid.ravel() for grid in np.meshgrid(nodes, around, indexing="ij"))
    weight = torch.from_numpy(np.repeat(weights, 400) * 2 * np.pi / 400)
    sine = np.sqrt(1 - cosine**2)
    value = torch.from_numpy(np.stack([cosine, sine * np.cos(longitude), sine * np.sin(longitude)], axis=1))
    mean, other = pair(3, angle)
    first, second = family(mean, kappa), family(other, kappa)
    log_first, log_second = (each.log_prob(value) for each in (first, second))
    density = log_first.exp() * weight
    assert float(density.sum()) == pytest.approx(1, abs=1e-6)
    assert first.entropy() == pytest.approx(float(-(density * log_first).sum()), rel=1e-4, abs=1e-4)
    assert float(first.kl(second)) == pytest.approx(float((density * (log_first - log_second)).sum()), rel=0.001)


def test_kl_of_the_papers_setting_has_the_factor_that_the_released_code_drops() -> None:
    mean, other = pair(100, math.pi / 2)
    assert float(VonMisesFisher(mean, 1000.0).kl(VonMisesFisher(other, 1000.0))) == pytest.approx(951.7, abs=0.05)


@pytest.mark.parametrize("family", FAMILIES)
def test_kl_of_equal_directions_is_zero_with_a_finite_gradient(family) -> None:
    mean = directions(8, 16, dtype=torch.float32).requires_grad_()
    value = family(mean, 500.0).kl(family(mean.detach(), 500.0))
    value.sum().backward()
    assert float(value.detach().abs().max()) < 2e-3
    assert mean.grad is not None
    assert torch.isfinite(mean.grad).all()


def test_gaussian_kl_entropy_and_draws() -> None:
    mean = torch.tensor([[1.0, 2.0]], dtype=torch.float64).expand(50_000, 2)
    other = UnitGaussian(torch.zeros(50_000, 2, dtype=torch.float64))
    first = UnitGaussian(mean)
    torch_kl = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, 1.0), torch.distributions.Normal(0.0, 1.0)
    )
    assert torch.allclose(first.kl(other), torch_kl.sum(1))
    assert first.entropy() == pytest.approx(float(torch.distributions.Normal(0.0, 1.0).entropy()) * 2)
    assert torch.allclose(first.log_prob(mean * 0), torch.distributions.Normal(mean, 1.0).log_prob(mean * 0).sum(1))
    assert torch.allclose(torch.cov(first.rsample(generator()).T), torch.eye(2, dtype=torch.float64), atol=0.03)


def test_gradient_reaches_the_mean_through_a_draw() -> None:
    # E[a.z] = A_d(kappa) a.mu, so the gradient with respect to mu, within the tangent space, is A_d(kappa) a
    mean, direction = pair(5, math.pi / 2)
    leaf = mean.clone().requires_grad_()
    draws = VonMisesFisher(leaf.expand(200_000, 5), 10.0).rsample(generator())
    (draws @ direction[0]).mean().backward()
    assert leaf.grad is not None
    assert float(leaf.grad[0, 1]) == pytest.approx(bessel_ratio(5, 10.0), rel=0.02)


def test_points_have_no_kl() -> None:
    point = Point(directions(3, 4))
    assert torch.equal(point.rsample(None), point.mean)
    with pytest.raises(ConfigError, match="beta must be 0"):
        point.kl(point)


@pytest.mark.parametrize("family", ["vmf", "power_spherical", "deterministic"])
def test_spherical_codes_take_the_direction_of_the_features(family) -> None:
    features = torch.tensor([[3.0, 4.0]])
    found = code_distribution(features, CodeSettings(size=2, distribution=family)).mean
    assert torch.allclose(found, torch.tensor([[0.6, 0.8]]))
    gaussian = code_distribution(features, CodeSettings(size=2, distribution="gaussian")).mean
    assert torch.equal(gaussian, features)
