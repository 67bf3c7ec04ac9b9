import math

import pytest
import torch
from torch.distributions import Independent, MultivariateNormal, kl_divergence
from torch.distributions import Normal as TorchNormal

from dssl.baselines.dmvae import Dmvae, Normal, gaussian_loss, product_of_experts
from dssl.baselines.dmvae_released import DmvaeAsReleased
from dssl.keys import MODALITIES, MOLECULE, PHENOTYPE
from dssl.settings.learning import CodeSettings, EncoderSettings, TrainSharedSettings

SIZES = {PHENOTYPE: 5, MOLECULE: 7}
SETTINGS = TrainSharedSettings(encoder=EncoderSettings(hidden_sizes=[8], dropout=0.0), code=CodeSettings(size=3))


def normals(seed: int, n: int = 6, d: int = 4) -> Normal:
    generator = torch.Generator().manual_seed(seed)
    return Normal(*torch.randn((2, n, d), generator=generator, dtype=torch.float64))


def views(seed: int, n: int = 9) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {m: torch.randn((n, SIZES[m]), generator=generator) for m in MODALITIES}


@pytest.mark.parametrize("prior", [True, False])
def test_product_of_experts_is_the_normalised_product_of_densities(prior: bool) -> None:
    first, second = normals(0, 1, 1), normals(1, 1, 1)
    found = product_of_experts([first, second], prior)
    grid = torch.linspace(-12, 12, 40001, dtype=torch.float64)
    log_density = sum(TorchNormal(e.mean, (e.log_variance / 2).exp()).log_prob(grid) for e in (first, second))
    if prior:
        log_density = log_density + TorchNormal(0.0, 1.0).log_prob(grid)
    weights = log_density.flatten().softmax(0)
    mean = (weights * grid).sum()
    assert found.mean.item() == pytest.approx(mean.item(), abs=1e-8)
    assert found.log_variance.exp().item() == pytest.approx((weights * (grid - mean) ** 2).sum().item(), rel=1e-6)


def test_an_expert_that_knows_nothing_leaves_the_prior() -> None:
    vague = Normal(torch.full((2, 3), 7.0), torch.full((2, 3), 40.0))
    found = product_of_experts([vague, vague], prior=True)
    assert torch.allclose(found.mean, torch.zeros(2, 3), atol=1e-6)
    assert torch.allclose(found.log_variance, torch.zeros(2, 3), atol=1e-6)


def test_kl_equals_that_of_torch() -> None:
    found = normals(2)
    torch_normal = Independent(TorchNormal(found.mean, (found.log_variance / 2).exp()), 1)
    standard = Independent(TorchNormal(torch.zeros_like(found.mean), torch.ones_like(found.mean)), 1)
    assert torch.allclose(found.kl(), kl_divergence(torch_normal, standard))


def test_reconstruction_is_the_gaussian_log_likelihood() -> None:
    inputs, decoded = normals(3)
    log_variance = torch.tensor(0.7, dtype=torch.float64)
    expected = [
        -MultivariateNormal(row, torch.eye(4, dtype=torch.float64) * math.exp(0.7)).log_prob(x)
        for row, x in zip(decoded, inputs, strict=True)
    ]
    assert torch.allclose(gaussian_loss(inputs, decoded, log_variance), torch.stack(expected))


def test_loss_is_per_row_whatever_the_minibatch() -> None:
    model = Dmvae(SIZES, SETTINGS, {"a": 0.5})
    view = views(0)
    twice = {m: torch.cat([view[m], view[m]]) for m in MODALITIES}
    first, second = model.loss(view, view, None), model.loss(twice, twice, None)
    for name, value in first.items():
        assert second[name].item() == pytest.approx(value.item(), rel=1e-5), name
    expected = first["reconstruction"] + first["cross_reconstruction"] + 0.5 * first["kl"]
    assert first["loss"].item() == pytest.approx(expected.item(), rel=1e-6)


def test_released_form_sums_the_kl_over_the_minibatch() -> None:
    model = DmvaeAsReleased(SIZES, SETTINGS, {"a": 0.1})
    view = views(0)
    twice = {m: torch.cat([view[m], view[m]]) for m in MODALITIES}
    first, second = model.loss(view, view, None), model.loss(twice, twice, None)
    for name, factor in (("reconstruction", 1), ("cross_reconstruction", 1), ("kl", 2), ("kl_cross", 2)):
        assert second[name].item() == pytest.approx(factor * first[name].item(), rel=1e-5), name


def test_released_terms_by_hand() -> None:
    model = DmvaeAsReleased(SIZES, SETTINGS, {"a": 0.1})
    view = views(1)
    parts = {m: model.encoders[m](view[m]).chunk(4, dim=1) for m in MODALITIES}
    variances = {m: (parts[m][1].exp(), parts[m][3].exp()) for m in MODALITIES}
    (first, second), precision = MODALITIES, sum(1 / variances[m][0] for m in MODALITIES)
    mean = sum(parts[m][0] / variances[m][0] for m in MODALITIES) / precision

    def kl(mu: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
        return 0.5 * (mu**2 + variance - 1 - variance.log()).sum()

    def error(m: str, shared: torch.Tensor) -> torch.Tensor:
        return ((model.decoders[m](torch.cat([parts[m][2], shared], dim=1)) - view[m]) ** 2).mean()

    expected = {
        "reconstruction": error(first, mean) + error(second, mean),
        "cross_reconstruction": error(first, parts[second][0]) + error(second, parts[first][0]),
        "kl": 2 * kl(mean, 1 / precision) + sum(kl(parts[m][2], variances[m][1]) for m in MODALITIES),
        # the private variances of the other modality: as released
        "kl_cross": kl(parts[first][2], variances[second][1])
        + kl(parts[second][2], variances[first][1])
        + sum(kl(parts[m][0], variances[m][0]) for m in MODALITIES),
    }
    found = model.loss(view, view, None)
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value.item(), rel=1e-5), name
