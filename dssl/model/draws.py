"""Random numbers that PyTorch cannot draw from a given generator through a public function, and unit vectors."""

import torch
from torch import Generator, Tensor
from torch.nn import functional


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
    tangent = functional.normalize(normal - (normal * mean).sum(1, keepdim=True) * mean, dim=1)
    sine = (1 - cosine.square()).clamp_min(0).sqrt()
    return functional.normalize(cosine.to(mean).unsqueeze(1) * mean + sine.to(mean).unsqueeze(1) * tangent, dim=1)
