import torch
from torch.nn.functional import normalize

from dssl.model.draws import around


def plain_around(mean: torch.Tensor, cosine: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """z = t mu + sqrt(1 - t^2) v, with v a normal vector without its component along mu, normalised."""
    normal = torch.randn(mean.shape, generator=generator, dtype=mean.dtype)
    tangent = normalize(normal - (normal * mean).sum(1, keepdim=True) * mean, dim=1)
    return cosine[:, None] * mean + (1 - cosine[:, None] ** 2).sqrt() * tangent


def test_draws_around_a_mean_and_their_gradients_agree_with_the_plain_form() -> None:
    start, weights = torch.randn(2, 9, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    cosine = torch.linspace(-1, 1, 9, dtype=torch.float64)
    found = []
    for draw in (around, plain_around):
        inputs = start.clone().requires_grad_()
        # the weights are squared so that the gradient depends on the draw
        drawn = draw(normalize(inputs, dim=1), cosine, torch.Generator().manual_seed(1))
        (drawn.square() * weights).sum().backward()
        found.append((drawn.detach(), inputs.grad))
    assert all(torch.allclose(*pair, rtol=1e-12, atol=1e-12) for pair in zip(*found, strict=True))
    assert torch.allclose((found[0][0] * normalize(start, dim=1)).sum(1), cosine)
