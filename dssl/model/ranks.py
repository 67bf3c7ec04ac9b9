"""One minibatch over several processes (ranks): encoders run on a slice of its rows, everything after them on all rows.

Every rank holds the whole minibatch's inputs and the same random generator. After `by_rows` every rank holds the whole
minibatch's features, so that draws, negatives and penalties are those of one process, whatever the number of ranks.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional

# inside `by_rows`: first row of this rank, the row after its last, and the rows of the whole minibatch
_slice: ContextVar[tuple[int, int, int] | None] = ContextVar("slice of the minibatch", default=None)


def n_ranks() -> int:
    """Number of processes that train together; 1 outside `torchrun`."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """Number of this process, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def by_rows(function: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """Apply a row-wise function to inputs (n, k), on each rank to its own slice of the rows; gather all rows, (n, d).

    The gradient that reaches a rank's slice is the number of ranks times that of the loss, which every rank computes
    alike: the mean over ranks of any parameter's gradient (`dssl.training.distributed.average_gradients`) is then the
    gradient of one process, for parameters inside `function` and after it.
    """
    if n_ranks() == 1:
        return function(inputs)
    start, stop = (len(inputs) * number // n_ranks() for number in (rank(), rank() + 1))
    token = _slice.set((start, stop, len(inputs)))
    try:
        part = function(inputs[start:stop])
    finally:
        _slice.reset(token)
    return _gather(part, start, stop, len(inputs))


class Dropout(nn.Dropout):
    """Dropout of rows (n, d) whose mask is that of one process: drawn for the whole minibatch, of which a rank has a part.

    PyTorch's global generator has to be in the same state on all ranks (`dssl.training.distributed.seed_epoch`).
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs with a share `p` set to zero and the others scaled by 1 / (1 - p), in training mode."""
        part = _slice.get()
        if part is None or not self.training:
            return super().forward(inputs)
        start, stop, n = part
        mask = functional.dropout(inputs.new_ones(n, *inputs.shape[1:]), self.p)
        return inputs * mask[start:stop]


class _Gather(torch.autograd.Function):
    """Rows of all ranks from each rank's slice: a sum of tensors that are zero elsewhere, so that slices may differ."""

    @staticmethod
    def forward(ctx: Any, part: Tensor, start: int, stop: int, n: int) -> Tensor:
        ctx.start, ctx.stop = start, stop
        whole = part.new_zeros(n, *part.shape[1:])
        whole[start:stop] = part
        distributed.all_reduce(whole)
        return whole

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        return n_ranks() * gradients[0][ctx.start : ctx.stop], None, None, None


_gather: Callable[..., Tensor] = _Gather.apply
