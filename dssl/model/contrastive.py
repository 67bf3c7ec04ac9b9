"""Contrastive losses between matching rows of two batches of unit vectors: pure functions, means over the rows.

Row i of one batch matches row i of the other; negatives are the other batch's rows only. All are symmetric in the two
batches. A batch of one has no negatives and gives 0 (`siglip`: the loss of its one match).

Two rows may show one molecule (wells in place of compounds). `same` (n, n), an equivalence, says which, and `same_molecule`
what becomes of such a pair besides the match itself: "exclude" leaves it out, "positive" counts it as a match, of which
the loss takes the mean (Khosla et al. 2020), "negative" treats it as any other.
"""

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

SameMolecule = Literal["exclude", "positive", "negative"]

# logits up to this size are exponentiated as they are: sums of e^64 and of e^-64 are far from the ends of float32
LARGEST_LOGIT = 64.0
# entries of the similarity matrix worked on at a time: few enough to stay in the cache
BLOCK_ENTRIES = 2**20


def similarities(first: Tensor, second: Tensor, temperature: float | Tensor) -> Tensor:
    """Cosines divided by the temperature, (n, n)."""
    return first @ second.T / temperature


def infonce(
    first: Tensor,
    second: Tensor,
    temperature: float | Tensor,
    same: Tensor | None = None,
    same_molecule: SameMolecule = "exclude",
) -> Tensor:
    """Symmetric InfoNCE (van den Oord et al. 2018; Radford et al. 2021), a mean over rows and directions in nats.

    With s_ij = first_i . second_j / temperature:  -(1/2n) sum_i [2 s_ii - log sum_j e^{s_ij} - log sum_j e^{s_ji}].

    On a CPU it is one matrix product whose exponentials serve rows, columns and the gradient. They need no maximum
    subtracted, since unit vectors keep |s| below 1 / temperature; where the vectors are so long or the temperature so
    low that |s| may pass `LARGEST_LOGIT`, and on a GPU (asking would wait for it), logsumexp is used.

    Parameters
    ----------
    first, second : Tensor, (n, d)
        Unit vectors; row i of one matches row i of the other.
    temperature : float or Tensor
        Divides the cosines; a tensor may be trained.
    same : Tensor of bool, (n, n), optional
        True where rows i and j show one molecule: symmetric and transitive; the diagonal always counts as a match.
    same_molecule : {"exclude", "positive", "negative"}
        What becomes of those pairs.
    """
    left_out = same & ~_diagonal(same) if same is not None and same_molecule == "exclude" else None
    with torch.autocast(first.device.type, enabled=False):
        first, second = (code.float() if code.dtype.itemsize < 4 else code for code in (first, second))
        shares = _shares(same, same_molecule, first)
        if first.device.type == "cpu" and _largest_logit(first, second, temperature) <= LARGEST_LOGIT:
            trained = any(isinstance(part, Tensor) and part.requires_grad for part in (first, second, temperature))
            return _fused_infonce(first, second, temperature, shares, left_out, trained and torch.is_grad_enabled())
        logits = similarities(first, second, temperature)
    matches = logits.diagonal() if shares is None else (shares * logits).sum(1)
    if left_out is not None:
        logits = logits.masked_fill(left_out, -math.inf)
    return ((logits.logsumexp(1) + logits.logsumexp(0)) / 2 - matches).mean()


class _FusedInfoNCE(torch.autograd.Function):
    """`infonce` with its gradient worked out in the forward pass, so that the matrix does not live until the backward.

    With E = e^s, row sums r and column sums c, dloss/ds = E_ij (1/r_i + 1/c_j) / 2n - share_ij / n, where share is the
    identity or, with several matches, symmetric with rows that sum to one (see `_shares`).
    """

    @staticmethod
    def forward(
        ctx: Any,
        first: Tensor,
        second: Tensor,
        temperature: float | Tensor,
        shares: Tensor | None,
        left_out: Tensor | None,
        with_gradient: bool,
    ) -> Tensor:
        n = len(first)
        scaled = first / temperature
        blocks = [slice(start, start + max(1, BLOCK_ENTRIES // n)) for start in range(0, n, max(1, BLOCK_ENTRIES // n))]
        # without a gradient nothing has to be kept of a block
        weights = first.new_empty(n if with_gradient else min(n, blocks[0].stop), n)
        rows, columns = first.new_empty(n), first.new_zeros(n)
        for block in blocks:
            queries = scaled[block]
            kept = weights[block] if with_gradient else weights[: len(queries)]
            part = torch.mm(queries, second.T, out=kept).exp_()
            if left_out is not None:
                part.masked_fill_(left_out[block], 0)
            torch.sum(part, 1, out=rows[block])
            columns += part.sum(0)
        partners = second if shares is None else shares @ second
        matches = (scaled * partners).sum(1)
        loss = ((rows.log() + columns.log()) / 2 - matches).mean()
        if with_gradient:
            row_weights, column_weights = rows.mul_(2 * n).reciprocal_(), columns.mul_(2 * n).reciprocal_()
            to_first, to_second = torch.empty_like(first), second.new_zeros(second.shape[1], n)
            sums = first.new_empty(min(n, blocks[0].stop), n)
            for block in blocks:
                part = weights[block]
                part.mul_(torch.add(row_weights[block, None], column_weights, out=sums[: len(part)]))
                torch.mm(part, second, out=to_first[block])
                to_second.addmm_(scaled[block].T, part)
            to_first.sub_(partners, alpha=1 / n).div_(temperature)
            own = scaled if shares is None else shares @ scaled
            # in the memory order of the codes: what follows in the backward runs along their rows
            to_second = torch.sub(to_second.T, own, alpha=1 / n, out=torch.empty_like(second))
            ctx.save_for_backward(first, to_first, to_second)
            ctx.temperature = temperature
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        first, to_first, to_second = ctx.saved_tensors
        # s is proportional to first / temperature
        to_temperature = -gradient * (first * to_first).sum() / ctx.temperature if ctx.needs_input_grad[2] else None
        return gradient * to_first, gradient * to_second, to_temperature, None, None, None


_fused_infonce: Callable[..., Tensor] = _FusedInfoNCE.apply


def dcl(
    first: Tensor,
    second: Tensor,
    temperature: float | Tensor,
    same: Tensor | None = None,
    same_molecule: SameMolecule = "exclude",
) -> Tensor:
    """Decoupled contrastive loss (Yeh et al. 2022): InfoNCE without the matches in the denominator. See `infonce`."""
    logits = similarities(first, second, temperature)
    shares, match = _shares(same, same_molecule, first), _diagonal(logits)
    matches = logits.diagonal() if shares is None else (shares * logits).sum(1)
    left_out = match if same is None or same_molecule == "negative" else same | match
    # rows without any negative say nothing
    silent = left_out.all(1) | left_out.all(0)
    negatives = logits.masked_fill(left_out, -math.inf)
    rows = negatives.masked_fill(silent[:, None], 0).logsumexp(1)
    columns = negatives.masked_fill(silent, 0).logsumexp(0)
    losses = ((rows + columns) / 2 - matches).masked_fill(silent, 0)
    return losses.sum() / (~silent).sum().clamp_min(1)


def siglip(
    first: Tensor,
    second: Tensor,
    temperature: float | Tensor,
    bias: float | Tensor,
    same: Tensor | None = None,
    same_molecule: SameMolecule = "exclude",
) -> Tensor:
    """Pairwise sigmoid loss (Zhai et al. 2023).

    -(1/n) sum_ij log sigmoid(y_ij (s_ij + bias)), with y_ij = 1 for matches and -1 for others.
    `bias` is a number or a trained scalar (the authors start it at -10). The rest as in `infonce`.
    """
    logits = similarities(first, second, temperature) + bias
    match = _diagonal(logits)
    if same is not None and same_molecule == "positive":
        match = match | same
    losses = -functional.logsigmoid(torch.where(match, logits, -logits))
    if same is not None and same_molecule == "exclude":
        losses = losses.masked_fill(same & ~match, 0)
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


def _shares(same: Tensor | None, same_molecule: SameMolecule, like: Tensor) -> Tensor | None:
    """Share of each pair in the matches of its row, (n, n), rows summing to one; None where it is the identity."""
    if same is None or same_molecule != "positive":
        return None
    match = (same | _diagonal(same)).to(like)
    return match / match.sum(1, keepdim=True)


def _largest_logit(first: Tensor, second: Tensor, temperature: float | Tensor) -> float:
    """Bound of |s_ij| by the longest vectors (Cauchy and Schwarz); infinite where it is no number."""
    with torch.no_grad():
        lengths = [torch.linalg.vector_norm(code, dim=1).max() for code in (first, second)]
        bound = float(lengths[0] * lengths[1] / temperature)
    return bound if math.isfinite(bound) else math.inf


def _diagonal(square: Tensor) -> Tensor:
    return torch.eye(len(square), dtype=torch.bool, device=square.device)
