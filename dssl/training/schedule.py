"""Learning rate, minibatches and the optimiser."""

import math

import torch
from torch import Generator, Tensor, nn

from dssl.settings.learning import OptimizerSettings

WARM_UP = 0.3
START_DIVISOR = 25.0
END_DIVISOR = 1e4


def learning_rate(step: int, n_steps: int, settings: OptimizerSettings) -> float:
    """Learning rate of step 0..n_steps-1.

    one_cycle (Smith 2017): a cosine rise from 1/25 of the highest rate over the first 30 % of the steps, then a cosine
    fall to 1/10,000 of it. cosine: a fall to zero. cosine_by_epoch (the released code's): the same, but constant within
    each epoch. constant: the highest rate.
    """
    highest = settings.learning_rate
    if settings.schedule == "constant":
        return highest
    if settings.schedule == "cosine":
        return _cosine(highest, 0.0, step / n_steps)
    if settings.schedule == "cosine_by_epoch":
        return _cosine(highest, 0.0, step * settings.epochs // n_steps / settings.epochs)
    rise = max(1.0, WARM_UP * n_steps)
    if step < rise:
        return _cosine(highest / START_DIVISOR, highest, step / rise)
    return _cosine(highest, highest / END_DIVISOR, (step - rise) / max(1.0, n_steps - 1 - rise))


def minibatches(n: int, batch_size: int, generator: Generator) -> list[Tensor]:
    """Shuffled rows 0..n-1 in batches of equal size (+-1), at most `batch_size` where every batch then has 2 rows."""
    shuffled = torch.randperm(n, generator=generator, device=generator.device)
    return list(torch.tensor_split(shuffled, max(1, min(math.ceil(n / batch_size), n // 2))))


def make_optimizer(model: nn.Module, settings: OptimizerSettings) -> torch.optim.Adam:
    """Adam or AdamW in its fused form, without weight decay on biases, norms and scalars."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    # one group where nothing decays: each costs a call per step
    decayed = [parameter for parameter in trained if parameter.ndim > 1 or settings.weight_decay == 0]
    plain = [parameter for parameter in trained if parameter.ndim <= 1 and settings.weight_decay > 0]
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    used = [group for group in groups if group["params"]]
    kind = torch.optim.AdamW if settings.name == "adamw" else torch.optim.Adam
    return kind(used, lr=settings.learning_rate, fused=True)


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, share))) / 2
