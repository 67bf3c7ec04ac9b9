"""Training on several processes started by `torchrun`: one model, one minibatch spread over all of them.

Every process draws the whole minibatch, its views and its codes from the same generator; encoders run on a slice of
the rows and their features are gathered (`dssl.model.ranks.by_rows`), so that every process computes the loss of the
whole minibatch, with the negatives of all. Gradients and weights therefore are those of one process with the same
`optimizer.batch_size`, to rounding: dropout too is that of the whole minibatch (`dssl.model.ranks.Dropout`).
"""

import atexit
import os

import numpy as np
import torch
from torch import distributed, nn

from dssl.model.ranks import n_ranks


def join_ranks(device: torch.device) -> None:
    """Meet the other processes of `torchrun` (nccl on GPUs, gloo on CPUs); nothing to do without, or a second time."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or distributed.is_initialized():
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    atexit.register(distributed.destroy_process_group)


def seed_epoch(seed: int, epoch: int) -> None:
    """Seed PyTorch's global generator, from which dropout is drawn, by run and epoch: alike on all ranks."""
    state = np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)
    torch.manual_seed(int(state[0]))


def average_gradients(model: nn.Module) -> None:
    """Replace every gradient by its mean over ranks, in one message; nothing to do in a single process."""
    if n_ranks() == 1:
        return
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= n_ranks()
    parts = torch.split(flat, [gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def of_first_rank(terms: dict[str, float]) -> dict[str, float]:
    """The numbers of rank 0, so that all ranks take the same decisions."""
    if n_ranks() == 1:
        return terms
    shared = [terms]
    distributed.broadcast_object_list(shared)
    return shared[0]
