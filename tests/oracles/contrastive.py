"""The supervised contrastive loss over the stacked rows of both modalities, written out plainly."""

import torch
from torch import Tensor


def masked_infonce(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """InfoNCE as a masked (2n, 2n) loss (Khosla et al. 2020), the form that the released code uses.

    Each of the 2n rows has one positive, its partner; pairs within a modality, the row itself included, are masked out
    of the denominator.
    """
    n = len(first)
    codes = torch.cat([first, second])
    modality = torch.arange(2 * n, device=codes.device) // n
    row = torch.arange(2 * n, device=codes.device) % n
    across = (modality[:, None] != modality).to(codes)
    positive = across * (row[:, None] == row).to(codes)
    logits = codes @ codes.T / temperature
    logits = logits - logits.max(dim=1, keepdim=True).values.detach()
    exponentials = torch.exp(logits) * across
    log_probability = logits - torch.log(exponentials.sum(1, keepdim=True))
    return -((positive * log_probability).sum(1) / positive.sum(1)).mean()
