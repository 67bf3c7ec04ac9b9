import math

import pytest
import torch
from torch.nn.functional import normalize

from dssl.model import contrastive
from dssl.model.contrastive import clamped_cosines, cwcl, dcl, infonce, siglip
from tests.oracles.contrastive import masked_infonce

LOSSES = {
    "infonce": infonce,
    "dcl": dcl,
    "siglip": lambda a, b, t, *same: siglip(a, b, t, -5.0, *same),
    "cwcl": lambda a, b, t: cwcl(a, b, t, clamped_cosines(a)),
}
WAYS = ["exclude", "positive", "negative"]
MOLECULES = torch.tensor([0, 1, 1, 2, 3, 1, 2])
SAME = MOLECULES[:, None] == MOLECULES


def batch(n: int, size: int = 6, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    drawn = torch.randn(2, n, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return normalize(drawn[0], dim=1), normalize(drawn[1], dim=1)


def naive_softmax_loss(first, second, temperature, way: str, keep_match: bool) -> float:
    """InfoNCE (keep_match) or DCL, by the definition, pair by pair; the molecules are `MOLECULES`."""
    total, n = 0.0, len(first)
    for queries, items in ((first, second), (second, first)):
        scores = (queries @ items.T / temperature).tolist()
        for i in range(n):
            others = [j for j in range(n) if j != i and MOLECULES[i] == MOLECULES[j] and way != "negative"]
            matches = [i, *(others if way == "positive" else [])]
            denominator = [j for j in range(n) if j not in matches and j not in others]
            if keep_match:
                denominator += matches
            log_sum = math.log(sum(math.exp(scores[i][j]) for j in denominator))
            total += sum(log_sum - scores[i][j] for j in matches) / len(matches)
    return total / (2 * n)


@pytest.mark.parametrize("name", ["infonce", "dcl"])
@pytest.mark.parametrize("way", WAYS)
def test_softmax_losses_agree_with_their_definition(name: str, way: str) -> None:
    first, second = batch(7)
    expected = naive_softmax_loss(first, second, 0.3, way, name == "infonce")
    assert float(LOSSES[name](first, second, 0.3, SAME, way)) == pytest.approx(expected, rel=1e-12)
    # the diagonal is a match whether or not the mask says so
    assert float(LOSSES[name](first, second, 0.3, SAME & ~torch.eye(7, dtype=bool), way)) == pytest.approx(expected)
    alone = torch.eye(7, dtype=torch.bool)
    assert float(LOSSES[name](first, second, 0.3, alone, way)) == pytest.approx(float(LOSSES[name](first, second, 0.3)))


@pytest.mark.parametrize(("n", "block"), [(2, None), (31, None), (31, 64), (31, 100)])
def test_infonce_equals_the_masked_loss_over_both_modalities(n: int, block, monkeypatch) -> None:
    if block is not None:  # two and three rows at a time, the last block shorter
        monkeypatch.setattr(contrastive, "BLOCK_ENTRIES", block)
    ours, oracles = [], []
    for loss, into in ((infonce, ours), (masked_infonce, oracles)):
        first, second = (code.requires_grad_() for code in batch(n))
        value = loss(first, second, 0.07)
        value.backward()
        into += [value.detach(), first.grad, second.grad]
    assert all(torch.allclose(*pair, rtol=1e-12, atol=1e-12) for pair in zip(ours, oracles, strict=True))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("temperature", [0.2, 0.001])  # exponentials as they are; logsumexp
def test_gradients_of_infonce_agree_with_differences(way: str, temperature: float) -> None:
    first, second = (code.requires_grad_() for code in batch(7))
    learned = torch.tensor(temperature, dtype=torch.float64, requires_grad=True)
    # differences of a temperature of 0.001 are taken in its logarithm
    inputs = (first, second, learned.detach().log().requires_grad_())
    assert torch.autograd.gradcheck(lambda a, b, t: infonce(a, b, t.exp(), SAME, way), inputs)


@pytest.mark.parametrize("temperature", [1.0, 0.07, 0.02, 0.005])
def test_infonce_is_right_where_exponentials_are_tiny(temperature: float) -> None:
    first, _ = (code.float() for code in batch(40, 3))
    # matches opposite to each other: their exponential is the smallest of the row
    for second in (first, -first, -first[0].expand(40, 3)):
        logits = first.double() @ second.double().T / temperature
        expected = ((logits.logsumexp(0) + logits.logsumexp(1)) / 2 - logits.diagonal()).mean()
        assert float(infonce(first, second, temperature)) == pytest.approx(float(expected), rel=1e-4, abs=1e-5)


def test_infonce_without_gradients_and_in_half_precision() -> None:
    first, second = (code.float().requires_grad_() for code in batch(12))
    with torch.no_grad():
        value = infonce(first, second, 0.1)
    assert not value.requires_grad
    assert float(value) == pytest.approx(float(masked_infonce(first, second, 0.1).detach()), rel=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(infonce(first, second, 0.1), value)
        assert infonce(first.bfloat16(), second.bfloat16(), 0.1).dtype == torch.float32


@pytest.mark.parametrize("way", WAYS)
def test_siglip_agrees_with_its_definition(way: str) -> None:
    first, second = batch(7)
    expected = 0.0
    for i in range(7):
        for j in range(7):
            logit = float(first[i] @ second[j]) / 0.2 - 3.0
            twin = bool(SAME[i, j]) and i != j
            if not (twin and way == "exclude"):
                match = i == j or (twin and way == "positive")
                expected += math.log1p(math.exp(-logit if match else logit)) / 7
    assert float(siglip(first, second, 0.2, -3.0, SAME, way)) == pytest.approx(expected, rel=1e-12)


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
    first, second = (code.requires_grad_() for code in batch(3))
    loss = dcl(first, second, 0.1, torch.ones(3, 3, dtype=torch.bool))
    loss.backward()
    assert float(loss.detach()) == 0
    assert torch.equal(first.grad, torch.zeros_like(first))
