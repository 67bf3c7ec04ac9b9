import math

import numpy as np
import pytest
import torch

from dssl.model.dependence import NceClub, _linear_hsic, cross_covariance, frobenius, hsic, unbiased_hsic

PENALTIES = [cross_covariance, hsic]
GRID = [(64, 8), (64, 96), (512, 8), (512, 96)]


def codes(n: int, size: int, seed: int) -> torch.Tensor:
    return torch.randn(n, size, generator=torch.Generator().manual_seed(seed))


def slow_unbiased_hsic(first: np.ndarray, second: np.ndarray) -> float:
    """Covariance of the U-centred kernels (Szekely and Rizzo 2014): another form of the same estimate."""

    def centred(kernel: np.ndarray) -> np.ndarray:
        n = len(kernel)
        kernel = kernel * (1 - np.eye(n))
        rows = kernel.sum(1) / (n - 2)
        found = kernel - rows[:, None] - rows[None, :] + kernel.sum() / ((n - 1) * (n - 2))
        return found * (1 - np.eye(n))

    n = len(first)
    return float((centred(first) * centred(second)).sum() / (n * (n - 3)))


def test_unbiased_hsic_agrees_with_u_centring() -> None:
    kernels = [(x := codes(12, 3, seed).double()) @ x.T for seed in (1, 2)]
    expected = slow_unbiased_hsic(*(kernel.numpy() for kernel in kernels))
    assert float(unbiased_hsic(*kernels)) == pytest.approx(expected, rel=1e-9)


def test_linear_hsic_agrees_with_the_kernel_form() -> None:
    first, second = (code - code.mean(0) for code in (codes(20, 4, 1).double(), codes(20, 7, 2).double()))
    found = _linear_hsic(first.T @ second, first.square().sum(1), second.square().sum(1))
    assert float(found) == pytest.approx(float(unbiased_hsic(first @ first.T, second @ second.T)))


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize(("n", "size"), GRID)
def test_independent_codes_give_zero_whatever_the_batch_and_the_dimensions(penalty, n: int, size: int) -> None:
    values = [float(penalty(codes(n, size, 2 * i), codes(n, size, 2 * i + 1))) for i in range(30)]
    assert abs(np.mean(values)) < 4 * np.std(values) / math.sqrt(len(values))
    assert abs(np.mean(values)) < 0.02


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize(("n", "size"), GRID)
def test_equal_codes_give_one_whatever_the_batch_and_the_dimensions(penalty, n: int, size: int) -> None:
    code = codes(n, size, 0)
    assert float(penalty(code, code)) == pytest.approx(1, abs=1e-4)
    # and neither position nor scale of the columns matters
    assert float(penalty(code, 5 + 3 * code)) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_half_shared_codes_give_half_whatever_the_batch(penalty) -> None:
    values = []
    for n in (128, 1024):
        first, other = codes(n, 32, 1), codes(n, 32, 2)
        second = torch.cat([first[:, :16], other[:, :16]], dim=1)
        values.append(float(penalty(first, second)))
    assert values[0] == pytest.approx(values[1], abs=0.05)
    assert values[1] == pytest.approx(0.5, abs=0.06)


def test_hsic_sees_nonlinear_dependence_that_cross_covariance_misses() -> None:
    first = codes(1000, 2, 0)
    assert float(hsic(first, first.square())) > 0.15
    assert abs(float(cross_covariance(first, first.square()))) < 0.02


def test_frobenius_grows_with_the_batch() -> None:
    for n, expected in ((64, 8), (256, 16), (1024, 32)):
        value = np.mean([float(frobenius(codes(n, 100, 2 * i), codes(n, 100, 2 * i + 1))) for i in range(5)])
        assert value == pytest.approx(expected, rel=0.03)
    # with a common mean it grows as n
    shifted = [float(frobenius(codes(n, 100, 0) + 10, codes(n, 100, 1) + 10)) for n in (64, 256)]
    assert shifted[1] / shifted[0] == pytest.approx(4, rel=0.02)


@pytest.mark.parametrize("penalty", [*PENALTIES, frobenius, NceClub(5, 4)])
@pytest.mark.parametrize("n", [1, 2, 3, 16])
def test_constant_columns_have_a_finite_gradient(penalty, n: int) -> None:
    first = torch.cat([torch.full((n, 2), 0.7), codes(n, 3, 0)], dim=1).requires_grad_()
    second = torch.full((n, 4), -0.2).requires_grad_()
    penalty(first, second).backward()
    for code in (first, second):
        assert code.grad is not None
        assert torch.isfinite(code.grad).all()


def test_descent_on_the_penalty_separates_codes_without_collapse() -> None:
    shared = codes(256, 8, 0)
    code = (shared + 0.5 * codes(256, 8, 1)).requires_grad_()
    optimizer = torch.optim.Adam([code], lr=0.05)
    before = float(cross_covariance(code, shared).detach())
    for _ in range(100):
        optimizer.zero_grad()
        cross_covariance(code, shared).backward()
        optimizer.step()
    assert before > 0.5
    assert float(cross_covariance(code, shared).detach()) < 0.05
    assert float(code.detach().std(0).min()) > 0.1


def test_nce_club_bounds_the_mutual_information_of_gaussian_codes() -> None:
    n, rho = 512, 0.8
    first = codes(n, 2, 0)
    second = rho * first + math.sqrt(1 - rho**2) * codes(n, 2, 1)
    truth = -math.log(1 - rho**2)  # nats, two dimensions
    bound = NceClub(2, 2)
    optimizer = torch.optim.Adam(bound.parameters(), lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        bound.critic_loss(first, second).backward()
        optimizer.step()
    assert truth < float(bound(first, second).detach()) < 6 * truth
    assert abs(float(bound(first, codes(n, 2, 3)).detach())) < 0.3


def test_nce_club_trains_its_critic_and_the_codes_apart() -> None:
    bound = NceClub(3, 3)
    first = codes(20, 3, 0).requires_grad_()
    bound.critic_loss(first, codes(20, 3, 1)).backward()
    assert first.grad is None
    assert bound.weight.grad is not None
    bound.weight.grad = None
    bound(first, codes(20, 3, 1)).backward()
    assert first.grad is not None
    assert bound.weight.grad is None
