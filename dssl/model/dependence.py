"""Dependence between two codes: penalties of step 2, pure functions of two batches with matching rows.

`cross_covariance` and `hsic` are centred and normalised: expectation about 0 for independent codes (so single values
may be slightly negative) and 1 for equal ones, whatever the batch size and the dimensions. `frobenius` is neither.
"""

import torch
from torch import Tensor, nn

from dssl.model.contrastive import infonce
from dssl.model.unit import unit_rows

# below this a standard deviation or an HSIC counts as nothing: the gradient stays finite on constant codes
EPSILON = 1e-6


def cross_covariance(first: Tensor, second: Tensor) -> Tensor:
    """Normalised cross-covariance: the squared norm of the cross-correlation, debiased, relative to each code's own.

        H(A, B) / sqrt(H(A, A) H(B, B)),   H(A, B) = unbiased estimate of |Cov(A, B)|_F^2 over standardised columns

    (RV coefficient of Escoufier 1973 with the unbiased estimate of Song et al. 2012; equals debiased linear CKA). The
    batch size does not matter because H is unbiased; the dimensions do not because of the denominator, which also takes
    away the reward for collapsing to few directions. Linear dependence only.

    Parameters
    ----------
    first, second : Tensor, (n, d1) and (n, d2)
        Codes with matching rows; fewer than 4 rows give 0.
    """
    first, second = _standardized(first), _standardized(second)
    if len(first) < 4:
        return (first.sum() + second.sum()) * 0
    first_norms, second_norms = first.square().sum(1), second.square().sum(1)
    return _normalized(
        _linear_hsic(first.T @ second, first_norms, second_norms),
        _linear_hsic(first.T @ first, first_norms, first_norms),
        _linear_hsic(second.T @ second, second_norms, second_norms),
    )


def hsic(first: Tensor, second: Tensor) -> Tensor:
    """Normalised Hilbert-Schmidt independence criterion with Gaussian kernels of median bandwidth.

    HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)) with the unbiased estimate of Song et al. (2012); sees nonlinear
    dependence. O(n^2) memory. Shapes as in `cross_covariance`.
    """
    first, second = _standardized(first), _standardized(second)
    if len(first) < 4:
        return (first.sum() + second.sum()) * 0
    first_kernel, second_kernel = _gaussian_kernel(first), _gaussian_kernel(second)
    return _normalized(
        unbiased_hsic(first_kernel, second_kernel),
        unbiased_hsic(first_kernel, first_kernel),
        unbiased_hsic(second_kernel, second_kernel),
    )


def frobenius(first: Tensor, second: Tensor) -> Tensor:
    """|norm(A)^T norm(B)|_F with rows normalised, the released code's penalty, for reproduction.

    For independent codes it grows as sqrt(n), with a common mean as n, so a weight holds for one batch size only; and
    being uncentred it is met by a constant code (collapse).
    """
    norm: Tensor = torch.linalg.vector_norm(unit_rows(first).T @ unit_rows(second))
    return norm


class NceClub(nn.Module):
    """Contrastive upper bound of the mutual information (NCE-CLUB: Liang et al. 2023, arXiv 2306.05268) in nats.

    E_joint[f] - E_independent[f], where the critic f(a, b) = a^T W b is trained on the same codes by InfoNCE; an upper
    bound when f is the optimal critic. Codes are standardised first.
    """

    def __init__(self, first_size: int, second_size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(first_size, second_size))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Bound for codes (n, d1) and (n, d2); its gradient does not reach the critic."""
        scores = self._scores(_standardized(first), _standardized(second), self.weight.detach())
        n = len(scores)
        if n < 2:
            return (scores * 0).sum()
        matches = scores.diagonal()
        return matches.mean() - (scores.sum() - matches.sum()) / (n * (n - 1))

    def critic_loss(self, first: Tensor, second: Tensor) -> Tensor:
        """InfoNCE of the critic; its gradient does not reach the codes."""
        first, second = _standardized(first.detach()), _standardized(second.detach())
        return infonce(first @ self.weight, second / second.shape[1] ** 0.5, 1.0)

    @staticmethod
    def _scores(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
        scores: Tensor = first @ weight @ second.T / second.shape[1] ** 0.5
        return scores


def unbiased_hsic(first: Tensor, second: Tensor) -> Tensor:
    """Unbiased HSIC of two kernel matrices (n, n), n > 3 (Song et al. 2012, equation 5)."""
    n = len(first)
    first, second = first - torch.diag(first.diagonal()), second - torch.diag(second.diagonal())
    total = (first * second).sum() + first.sum() * second.sum() / ((n - 1) * (n - 2))
    return (total - 2 / (n - 2) * first.sum(0) @ second.sum(0)) / (n * (n - 3))


def _linear_hsic(products: Tensor, first_norms: Tensor, second_norms: Tensor) -> Tensor:
    """`unbiased_hsic` of the linear kernels of centred codes A and B, without forming n x n matrices.

    `products` is A^T B (d1, d2), and the norms (n,) are the squared lengths of the rows of A and of B.
    """
    n = len(first_norms)
    total = products.square().sum() - (1 + 2 / (n - 2)) * (first_norms @ second_norms)
    return (total + first_norms.sum() * second_norms.sum() / ((n - 1) * (n - 2))) / (n * (n - 3))


def _normalized(between: Tensor, first: Tensor, second: Tensor) -> Tensor:
    return between / (first.clamp_min(EPSILON) * second.clamp_min(EPSILON)).sqrt()


def _standardized(code: Tensor) -> Tensor:
    """Columns with mean 0 and variance 1, in one operation; constant columns become 0."""
    return torch.batch_norm(code, None, None, None, None, True, 0.0, EPSILON**2, False)


def _gaussian_kernel(code: Tensor) -> Tensor:
    """exp(-|a - b|^2 / m), with m the median squared distance of different rows (a constant to the gradient)."""
    inner = code @ code.T
    norms = inner.diagonal()
    squared = (norms[:, None] + norms[None, :] - 2 * inner).clamp_min(0)
    different = ~torch.eye(len(code), dtype=torch.bool, device=code.device)
    return torch.exp(-squared / squared.detach()[different].median().clamp_min(EPSILON))
