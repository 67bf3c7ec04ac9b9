"""Random numbers that PyTorch cannot draw from a given generator through a public function, and unit vectors."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor
from torch.autograd.function import once_differentiable


def standard_gamma(concentration: Tensor, generator: Generator | None) -> Tensor:
    """Gamma(concentration, 1), one draw per entry; without gradient."""
    return torch._standard_gamma(concentration, generator=generator).clamp_min(torch.finfo(concentration.dtype).tiny)


def beta(a: float, b: float, n: int, generator: Generator | None, device: torch.device) -> Tensor:
    """Draw `n` values of Beta(a, b) in double precision."""
    first = standard_gamma(torch.full((n,), a, dtype=torch.float64, device=device), generator)
    second = standard_gamma(torch.full((n,), b, dtype=torch.float64, device=device), generator)
    return first / (first + second)


def around(mean: Tensor, cosine: Tensor, generator: Generator | None) -> Tensor:
    """Unit vectors with the given cosines to the rows of `mean`, in a uniformly random tangent direction.

    z = t mu + sqrt(1 - t^2) v, where v is a standard normal vector without its component along mu, normalised. For
    every mu the law of v is uniform on the tangent sphere, so the gradient with respect to mu is the
    reparameterisation gradient.

    Parameters
    ----------
    mean : Tensor, (n, d)
        Unit vectors.
    cosine : Tensor, (n,)
        Cosines t, in double precision (1 - t^2 is tiny where the concentration is high).
    """
    normal = torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)
    sine = (1 - cosine.square()).clamp_min_(0).sqrt_()
    return _around(mean, normal, cosine.to(mean)[:, None], sine.to(mean)[:, None])


class _Around(torch.autograd.Function):
    """The arithmetic of `around`, with its gradient written out to pass over the vectors few times.

    With the normal vector n, c = n.mu, u = n - c mu, r = |u| and v = u / r, so that v.mu = 0:
    dz/dmu applied to g = (t - s c / r) g + (s c / r) (g.v) v - (s / r) (g.mu) n.
    """

    @staticmethod
    def forward(ctx: Any, mean: Tensor, normal: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        along = (normal * mean).sum(1, keepdim=True)
        tangent = torch.addcmul(normal, along, mean, value=-1)
        length = torch.linalg.vector_norm(tangent, dim=1, keepdim=True).clamp_min_(1e-12)
        tangent.div_(length)
        ctx.save_for_backward(mean, tangent, along, length, cosine, sine)
        drawn = (cosine * mean).addcmul_(sine, tangent)
        # of length one but for rounding, which is coarse where u is short
        return drawn.div_(torch.linalg.vector_norm(drawn, dim=1, keepdim=True))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        mean, tangent, along, length, cosine, sine = ctx.saved_tensors
        share, across, onward = sine / length, *((gradient * part).sum(1, keepdim=True) for part in (tangent, mean))
        # n = r v + c mu
        to_mean = gradient * (cosine - share * along)
        to_mean.addcmul_(share * along * across - sine * onward, tangent)
        to_mean.addcmul_(share * along * onward, mean, value=-1)
        return to_mean, None, None, None


_around: Callable[..., Tensor] = _Around.apply
