import math

import pytest
import torch
from torch.nn.functional import normalize

from dssl.model.contrastive import clamped_cosines, cwcl, dcl, infonce, siglip

LOSSES = {
    "infonce": infonce,
    "dcl": dcl,
    "siglip": lambda a, b, t, excluded=None: siglip(a, b, t, -5.0, excluded),
    "cwcl": lambda a, b, t: cwcl(a, b, t, clamped_cosines(a)),
}


def batch(n: int, size: int = 6, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    drawn = torch.randn(2, n, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return normalize(drawn[0], dim=1), normalize(drawn[1], dim=1)


def naive_softmax_loss(first, second, temperature, excluded, keep_match: bool) -> float:
    """InfoNCE (keep_match) or DCL, by the definition, pair by pair."""
    total = 0.0
    n = len(first)
    for queries, items, mask in ((first, second, excluded), (second, first, excluded.T)):
        for i in range(n):
            match = math.exp(float(queries[i] @ items[i]) / temperature)
            denominator = match if keep_match else 0.0
            for j in range(n):
                if j != i and not mask[i, j]:
                    denominator += math.exp(float(queries[i] @ items[j]) / temperature)
            total -= math.log(match / denominator)
    return total / (2 * n)


@pytest.mark.parametrize("name", ["infonce", "dcl"])
@pytest.mark.parametrize("with_mask", [False, True])
def test_softmax_losses_agree_with_their_definition(name: str, with_mask: bool) -> None:
    first, second = batch(7)
    excluded = torch.zeros(7, 7, dtype=torch.bool)
    if with_mask:
        excluded[0, 3] = excluded[3, 0] = excluded[2, 5] = True
        excluded.fill_diagonal_(True)  # matches are kept whatever the mask says
    found = LOSSES[name](first, second, 0.3, excluded)
    assert float(found) == pytest.approx(naive_softmax_loss(first, second, 0.3, excluded, name == "infonce"), rel=1e-12)


@pytest.mark.parametrize("with_mask", [False, True])
def test_siglip_agrees_with_its_definition(with_mask: bool) -> None:
    first, second = batch(5)
    excluded = torch.zeros(5, 5, dtype=torch.bool)
    excluded[1, 2] = with_mask
    expected = 0.0
    for i in range(5):
        for j in range(5):
            logit = float(first[i] @ second[j]) / 0.2 - 3.0
            if i == j or not excluded[i, j]:
                expected += math.log1p(math.exp(-logit if i == j else logit)) / 5
    assert float(siglip(first, second, 0.2, -3.0, excluded)) == pytest.approx(expected, rel=1e-12)


def test_cwcl_agrees_with_its_definition() -> None:
    first, second = batch(5)
    weights = clamped_cosines(torch.randn(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64))
    expected = 0.0
    for queries, items in ((first, second), (second, first)):
        for i in range(5):
            scores = [math.exp(float(queries[i] @ items[j]) / 0.2) for j in range(5)]
            for j in range(5):
                share = float(weights[i, j] / weights[i].sum())
                expected -= share * math.log(scores[j] / sum(scores)) / 10
    assert float(cwcl(first, second, 0.2, weights)) == pytest.approx(expected, rel=1e-12)


def test_cwcl_with_unrelated_rows_is_infonce() -> None:
    first, second = batch(6)
    assert torch.allclose(cwcl(first, second, 0.1, torch.eye(6, dtype=torch.float64)), infonce(first, second, 0.1))


@pytest.mark.parametrize("name", list(LOSSES))
def test_losses_are_free_of_order(name: str) -> None:
    first, second = batch(9)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(2))
    loss = LOSSES[name]
    assert torch.allclose(loss(first, second, 0.1), loss(first[order], second[order], 0.1))
    if name != "cwcl":  # its weights here come from the first batch
        assert torch.allclose(loss(first, second, 0.1), loss(second, first, 0.1))


@pytest.mark.parametrize("name", list(LOSSES))
def test_matching_rows_cost_less_than_shuffled_ones(name: str) -> None:
    first, _ = batch(9)
    assert LOSSES[name](first, first, 0.1) < LOSSES[name](first, first.roll(1, 0), 0.1)


@pytest.mark.parametrize("name", list(LOSSES))
def test_a_batch_of_one_is_finite_with_a_finite_gradient(name: str) -> None:
    first, second = batch(1)
    first.requires_grad_()
    loss = LOSSES[name](first, second, 0.07)
    loss.backward()
    assert torch.isfinite(loss)
    assert first.grad is not None
    assert torch.isfinite(first.grad).all()
    if name != "siglip":
        assert float(loss.detach()) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", list(LOSSES))
def test_long_vectors_give_no_nan(name: str) -> None:
    first, second = (1000 * part.float() for part in batch(8, 512))
    first.requires_grad_()
    loss = LOSSES[name](first, second, 0.07)
    loss.backward()
    assert torch.isfinite(loss)
    assert first.grad is not None
    assert torch.isfinite(first.grad).all()


def test_dcl_with_every_negative_excluded_is_zero() -> None:
    first, second = batch(3)
    assert float(dcl(first, second, 0.1, torch.ones(3, 3, dtype=torch.bool))) == 0
