"""Contrastive losses between matching rows of two batches of unit vectors: pure functions, means over the rows.

Row i of one batch matches row i of the other; negatives are the other batch's rows only. All are symmetric in the two
batches. A batch of one has no negatives and gives 0 (`siglip`: the loss of its one match).
"""

import math

import torch
from torch import Tensor
from torch.nn import functional


def similarities(first: Tensor, second: Tensor, temperature: float | Tensor) -> Tensor:
    """Cosines divided by the temperature, (n, n)."""
    return first @ second.T / temperature


def infonce(first: Tensor, second: Tensor, temperature: float | Tensor, excluded: Tensor | None = None) -> Tensor:
    """Symmetric InfoNCE (van den Oord et al. 2018; Radford et al. 2021), a mean over rows and directions in nats.

    With s_ij = first_i . second_j / temperature:  -(1/2n) sum_i [2 s_ii - log sum_j e^{s_ij} - log sum_j e^{s_ji}].

    Parameters
    ----------
    first, second : Tensor, (n, d)
        Unit vectors; row i of one matches row i of the other.
    temperature : float or Tensor
        Divides the cosines.
    excluded : Tensor of bool, (n, n), optional
        True where (i, j) is a false negative, to be left out of both sums; the diagonal is always kept.
    """
    logits = similarities(first, second, temperature)
    matches = logits.diagonal()
    if excluded is not None:
        logits = logits.masked_fill(excluded & ~_diagonal(logits), -math.inf)
    return ((logits.logsumexp(1) + logits.logsumexp(0)) / 2 - matches).mean()


def dcl(first: Tensor, second: Tensor, temperature: float | Tensor, excluded: Tensor | None = None) -> Tensor:
    """Decoupled contrastive loss (Yeh et al. 2022): InfoNCE without the match in the denominator. See `infonce`."""
    logits = similarities(first, second, temperature)
    left_out = _diagonal(logits) if excluded is None else excluded | _diagonal(logits)
    # rows without any negative say nothing
    usable = ~(left_out.all(1) | left_out.all(0))
    if not bool(usable.any()):
        return (logits * 0).sum()
    negatives = logits.masked_fill(left_out, -math.inf)
    rows, columns = negatives[usable].logsumexp(1), negatives[:, usable].logsumexp(0)
    return ((rows + columns) / 2 - logits.diagonal()[usable]).mean()


def siglip(
    first: Tensor, second: Tensor, temperature: float | Tensor, bias: float | Tensor, excluded: Tensor | None = None
) -> Tensor:
    """Pairwise sigmoid loss (Zhai et al. 2023).

    -(1/n) sum_ij log sigmoid(y_ij (s_ij + bias)), with y_ij = 1 for matches and -1 for others.
    `bias` is a number or a trained scalar (the authors start it at -10). The rest as in `infonce`.
    """
    logits = similarities(first, second, temperature) + bias
    match = _diagonal(logits)
    losses = -functional.logsigmoid(torch.where(match, logits, -logits))
    if excluded is not None:
        losses = losses.masked_fill(excluded & ~match, 0)
    return losses.sum() / len(first)


def cwcl(first: Tensor, second: Tensor, temperature: float | Tensor, weights: Tensor) -> Tensor:
    """Continuously weighted contrastive loss (Srinivasa et al. 2023), in both directions.

    -(1/2n) sum_ij w_ij / (sum_k w_ik) [log softmax_j(s_ij) + log softmax_j(s_ji)]. With w the identity it is InfoNCE.

    Parameters
    ----------
    weights : Tensor, (n, n)
        Similarity of the observations i and j, 0 or more, symmetric, 1 on the diagonal (see `clamped_cosines`).
    """
    logits = similarities(first, second, temperature)
    shares = weights / weights.sum(1, keepdim=True)
    return -(shares * (logits.log_softmax(1) + logits.T.log_softmax(1))).sum() / (2 * len(first))


def clamped_cosines(inputs: Tensor) -> Tensor:
    """Similarity weights for `cwcl`: cosines of centred inputs (n, k), at least 0, 1 on the diagonal.

    Differs from its authors' (1 + cosine) / 2, under which an unrelated row would count half as much as the match.
    """
    unit = functional.normalize(inputs, dim=1)
    cosines = (unit @ unit.T).clamp(0, 1)
    return torch.where(_diagonal(cosines), torch.ones_like(cosines), cosines)


def _diagonal(square: Tensor) -> Tensor:
    return torch.eye(len(square), dtype=torch.bool, device=square.device)
