import torch
from torch.nn.functional import normalize

from dssl.model.unit import unit_rows


def test_unit_rows_and_their_gradient_agree_with_normalize() -> None:
    start, weights = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    start[2] = 0
    found = []
    for function in (unit_rows, lambda vectors: normalize(vectors, dim=1)):
        vectors = start.clone().requires_grad_()
        unit = function(vectors)
        (unit.square() * weights + unit * weights).sum().backward()
        found.append((unit.detach(), vectors.grad))
    assert all(torch.allclose(*pair, rtol=1e-12) for pair in zip(*found, strict=True))
