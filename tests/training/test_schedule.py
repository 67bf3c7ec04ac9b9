import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from dssl.settings.learning import OptimizerSettings
from dssl.training.schedule import learning_rate, make_optimizer, minibatches


def test_one_cycle_agrees_with_torch() -> None:
    n_steps, settings = 40, OptimizerSettings(learning_rate=0.01)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    # PyTorch puts the peak at step 0.3 n - 1 and divides the first rate, not the highest, by final_div_factor
    share = (0.3 * n_steps + 1) / n_steps
    oracle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.01, total_steps=n_steps, pct_start=share, div_factor=25, final_div_factor=400
    )
    for step in range(n_steps):
        assert learning_rate(step, n_steps, settings) == pytest.approx(oracle.get_last_lr()[0], rel=1e-6)
        optimizer.step()
        oracle.step()


def test_cosine_agrees_with_torch_and_constant_is_constant() -> None:
    settings = OptimizerSettings(learning_rate=0.3, schedule="cosine")
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3)
    oracle = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
    for step in range(20):
        assert learning_rate(step, 20, settings) == pytest.approx(oracle.get_last_lr()[0], rel=1e-6)
        optimizer.step()
        oracle.step()
    constant = OptimizerSettings(learning_rate=0.3, schedule="constant")
    assert {learning_rate(step, 20, constant) for step in range(20)} == {0.3}


def test_cosine_by_epoch_agrees_with_torch_stepped_once_an_epoch() -> None:
    settings, n_batches = OptimizerSettings(learning_rate=0.3, schedule="cosine_by_epoch", epochs=7), 5
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3)
    oracle = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 7)
    for epoch in range(7):
        rates = {learning_rate(epoch * n_batches + batch, 7 * n_batches, settings) for batch in range(n_batches)}
        assert list(rates) == [pytest.approx(oracle.get_last_lr()[0], rel=1e-6)]
        optimizer.step()
        oracle.step()


@pytest.mark.parametrize(("name", "oracle"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)])
def test_optimizers_agree_with_their_plain_forms(name: str, oracle: type[torch.optim.Optimizer]) -> None:
    ours, plain = nn.Linear(3, 2, bias=False), nn.Linear(3, 2, bias=False)
    plain.load_state_dict(ours.state_dict())
    settings = OptimizerSettings(name=name, weight_decay=0.3, learning_rate=0.05)
    inputs = torch.arange(12.0).reshape(4, 3)
    optimizers = make_optimizer(ours, settings), oracle(plain.parameters(), lr=0.05, weight_decay=0.3, foreach=False)
    for _ in range(5):
        for model, optimizer in zip((ours, plain), optimizers, strict=True):
            optimizer.zero_grad()
            model(inputs).square().sum().backward()
            optimizer.step()
    assert torch.allclose(ours.weight, plain.weight, rtol=1e-5)


@given(st.integers(1, 500), st.sampled_from(["one_cycle", "cosine", "cosine_by_epoch", "constant"]))
def test_rates_stay_between_zero_and_the_highest(n_steps: int, schedule: str) -> None:
    settings = OptimizerSettings(schedule=schedule)
    assert all(0 < learning_rate(step, n_steps, settings) <= settings.learning_rate for step in range(n_steps))


@given(st.integers(2, 300), st.integers(2, 64), st.integers(0, 5))
def test_minibatches_are_a_partition_into_even_parts(n: int, batch_size: int, seed: int) -> None:
    batches = minibatches(n, batch_size, torch.Generator().manual_seed(seed))
    sizes = [len(batch) for batch in batches]
    assert sorted(torch.cat(batches).tolist()) == list(range(n))
    assert min(sizes) >= 2
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= max(batch_size, 3)
    if n <= batch_size:
        assert len(batches) == 1


def test_minibatches_are_shuffled() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.cat(minibatches(100, 30, generator)) for _ in range(2))
    assert not torch.equal(first, second)


def test_biases_norms_and_scalars_do_not_decay() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    model.register_parameter("scalar", nn.Parameter(torch.tensor(1.0)))
    model.register_parameter("frozen", nn.Parameter(torch.zeros(2, 2), requires_grad=False))
    decayed, plain = make_optimizer(model, OptimizerSettings(weight_decay=0.2)).param_groups
    assert [tuple(parameter.shape) for parameter in decayed["params"]] == [(4, 3)]
    assert decayed["weight_decay"] == 0.2
    assert plain["weight_decay"] == 0
    assert len(plain["params"]) == 4
