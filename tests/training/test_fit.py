import json
import math
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor, nn

from dssl.errors import ConfigError, IntegrityError, NonFiniteLossError
from dssl.settings.learning import OptimizerSettings, RunSettings
from dssl.training.checkpoint import FORMAT
from dssl.training.device import resolve_device
from dssl.training.fit import FitResult, fit
from dssl.training.tensorfile import read_tensors, write_tensors

CPU = torch.device("cpu")
RUN = RunSettings(device="cpu")
INPUTS = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
TARGETS = INPUTS @ torch.randn(6, 2, generator=torch.Generator().manual_seed(1))


class Interrupted(Exception):
    pass


def regression() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return nn.Sequential(nn.Linear(6, 16), nn.LayerNorm(16), nn.GELU(), nn.Dropout(0.3), nn.Linear(16, 2))


def train(
    model: nn.Module, epochs: int = 6, checkpoint: Path | None = None, on_epoch=None, validation=None, seed=0, **options
) -> FitResult:
    def loss_function(rows: Tensor, generator: Generator) -> Mapping[str, Tensor]:
        noise = torch.randn(len(rows), 6, generator=generator)
        error = (model(INPUTS[rows] + 0.1 * noise) - TARGETS[rows]).square().mean()
        return {"loss": error, "error": error}

    def validation_function() -> dict[str, float]:
        return {"loss": float((model(INPUTS) - TARGETS).square().mean())}

    settings = OptimizerSettings(
        **{"epochs": epochs, "batch_size": 16, "learning_rate": 0.01, "evaluate_every": 1, "checkpoint_every": 2}
        | options
    )
    return fit(model, 50, loss_function, validation or validation_function, settings, RUN, seed, checkpoint, on_epoch)


def same(first: nn.Module, second: nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(*pair) for pair in pairs)


def test_training_learns_and_records_every_epoch_as_json() -> None:
    records: list[dict[str, float]] = []
    result = train(model := regression(), epochs=30, on_epoch=records.append)
    assert result.history == records
    assert [record["epoch"] for record in records] == list(range(1, 31))
    expected = {"epoch", "learning_rate", "train_loss", "train_error", "validation_loss"}
    assert all(set(record) == expected for record in records)
    json.dumps(records, allow_nan=False)
    assert records[-1]["validation_loss"] < 0.3 * records[0]["validation_loss"]
    assert not model.training


def test_validation_is_done_every_few_epochs_and_at_the_last() -> None:
    result = train(regression(), epochs=5, evaluate_every=3)
    assert [record["epoch"] for record in result.history if "validation_loss" in record] == [3, 5]


def test_best_weights_come_back_and_patience_stops() -> None:
    model, seen = regression(), []
    scripted = iter([3.0, 2.0, 1.0, 4.0, 4.0, 4.0, 4.0])

    def validation() -> dict[str, float]:
        seen.append({name: value.clone() for name, value in model.state_dict().items()})
        return {"loss": next(scripted)}

    result = train(model, epochs=20, patience=3, validation=validation)
    assert result.best_epoch == 3
    assert len(result.history) == 6
    assert all(torch.equal(value, seen[2][name]) for name, value in model.state_dict().items())


def test_last_weights_are_kept_with_their_own_metrics(tmp_path: Path) -> None:
    model, seen, path = regression(), [], tmp_path / "run.safetensors"
    scripted = iter([3.0, 1.0, 2.0, 4.0, 5.0])

    def validation() -> dict[str, float]:
        seen.append({name: value.clone() for name, value in model.state_dict().items()})
        return {"loss": next(scripted)}

    def check(record: dict[str, float]) -> None:
        if path.exists():  # the best weights are not carried along
            assert not [name for name in read_tensors(path, CPU, FORMAT)[0] if name.startswith("best.")]

    result = train(model, epochs=4, patience=None, keep="last", validation=validation, checkpoint=path, on_epoch=check)
    assert result.best_epoch == 2
    assert result.metrics == {"loss": 5.0}
    assert all(torch.equal(value, seen[3][name]) for name, value in model.state_dict().items())
    assert not torch.equal(seen[3]["0.weight"], seen[1]["0.weight"])


def test_nothing_in_an_epoch_asks_for_a_value() -> None:
    model, asked = regression(), []

    class Watched(torch.Tensor):
        """A tensor that notes when its value is asked for, which makes the program wait for a GPU."""

        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            if function.__name__ in ("item", "__bool__", "__float__", "tolist", "cpu", "numpy"):
                asked.append(function.__name__)
            return super().__torch_function__(function, types, args, kwargs or {})

    def loss_function(rows: Tensor, generator: Generator) -> Mapping[str, Tensor]:
        error = (model(INPUTS[rows]) - TARGETS[rows]).square().mean()
        return {"loss": error.as_subclass(Watched), "error": error.as_subclass(Watched)}

    settings = OptimizerSettings(batch_size=5, epochs=2, evaluate_every=5)
    fit(model, 50, loss_function, lambda: {"loss": 1.0}, settings, RUN, 0)
    # 20 steps of 2 terms: asked once an epoch, whether finite and what the means are
    assert 2 <= len(asked) <= 8


def test_same_seed_same_weights_and_the_callers_random_state_is_left_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = regression(), regression(), regression()
    train(first)
    torch.rand(10)
    train(again)
    train(other, seed=1)
    assert same(first, again)
    assert not same(first, other)
    torch.manual_seed(5)
    assert torch.equal(torch.get_rng_state(), before)
    train(regression(), epochs=1)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("stop_after", [2, 3, 5])
def test_resuming_gives_the_same_bytes_as_an_uninterrupted_run(tmp_path: Path, stop_after: int) -> None:
    whole = regression()
    expected = train(whole)
    checkpoint = tmp_path / "run.safetensors"

    def interrupt(record: dict[str, float]) -> None:
        if record["epoch"] == stop_after:
            raise Interrupted

    with pytest.raises(Interrupted):
        train(regression(), checkpoint=checkpoint, on_epoch=interrupt)
    assert checkpoint.exists()
    resumed, done = regression(), []
    result = train(resumed, checkpoint=checkpoint, on_epoch=lambda record: done.append(record["epoch"]))
    assert done[0] == stop_after // 2 * 2 + 1
    assert same(resumed, whole)
    assert result == expected
    assert not checkpoint.exists()


def test_resuming_remembers_best_weights_and_patience(tmp_path: Path) -> None:
    losses = [3.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0]

    def run(model: nn.Module, checkpoint: Path | None, start: int, stop: int) -> FitResult:
        scripted = iter(losses[start:])

        def interrupt(record: dict[str, float]) -> None:
            if record["epoch"] == stop:
                raise Interrupted

        return train(model, 20, checkpoint, interrupt, lambda: {"loss": next(scripted)}, patience=4)

    whole, resumed, path = regression(), regression(), tmp_path / "run.safetensors"
    expected = run(whole, None, 0, -1)
    with pytest.raises(Interrupted):
        run(regression(), path, 0, 4)
    assert run(resumed, path, 4, -1) == expected
    assert expected.best_epoch == 2
    assert same(whole, resumed)


def interrupted(checkpoint: Path, epoch: int = 3) -> None:
    """A run that ended after `epoch` with its checkpoint of the epoch before."""

    def interrupt(record: dict[str, float]) -> None:
        if record["epoch"] == epoch:
            raise Interrupted

    with pytest.raises(Interrupted):
        train(regression(), checkpoint=checkpoint, on_epoch=interrupt)


def test_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "run.safetensors"
    interrupted(checkpoint)
    with pytest.raises(IntegrityError, match="other seed"):
        train(regression(), checkpoint=checkpoint, seed=1)
    with pytest.raises(IntegrityError, match="other optimizer"):
        train(regression(), checkpoint=checkpoint, weight_decay=0.7)


def cut(content: bytes) -> bytes:
    return content[:-30]


def changed(content: bytes) -> bytes:
    return content[:-30] + bytes([content[-30] ^ 1]) + content[-29:]


@pytest.mark.parametrize("damage", [cut, changed, lambda content: content[:4], lambda content: b""])
def test_a_damaged_checkpoint_is_set_aside_and_training_begins_anew(
    tmp_path: Path, damage: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = tmp_path / "run.safetensors"
    whole = regression()
    expected = train(whole)
    interrupted(checkpoint)
    damaged = damage(checkpoint.read_bytes())
    checkpoint.write_bytes(damaged)
    resumed, done = regression(), []
    result = train(resumed, checkpoint=checkpoint, on_epoch=lambda record: done.append(record["epoch"]))
    assert done[0] == 1
    assert result == expected
    assert same(resumed, whole)
    assert "It is set aside as run.safetensors.damaged; training begins anew" in caplog.text
    assert (tmp_path / "run.safetensors.damaged").read_bytes() == damaged


@pytest.mark.parametrize("step", [1, 2, 7, 15])
def test_sigterm_saves_the_last_epoch_and_the_next_run_ends_as_one(tmp_path: Path, step: int) -> None:
    whole, model, seen = regression(), regression(), []
    expected = train(whole)
    checkpoint, before = tmp_path / "run.safetensors", signal.getsignal(signal.SIGTERM)

    def watch(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if module.training:
            seen.append(len(inputs[0]))
            if len(seen) == step:
                os.kill(os.getpid(), signal.SIGTERM)

    model.register_forward_pre_hook(watch)
    # checkpoints of its own would come after the end only
    with pytest.raises(SystemExit) as ended:
        train(model, checkpoint=checkpoint, checkpoint_every=100)
    assert ended.value.code == 143
    # nothing is done after the step that was under way; 4 steps make an epoch
    assert len(seen) == step
    assert read_tensors(checkpoint, CPU, FORMAT)[1]["progress"]["epoch"] == step // 4
    assert signal.getsignal(signal.SIGTERM) is before
    resumed = regression()
    assert train(resumed, checkpoint=checkpoint, checkpoint_every=100) == expected
    assert same(resumed, whole)


def test_sigterm_without_a_checkpoint_ends_training_too() -> None:
    with pytest.raises(SystemExit):
        train(regression(), on_epoch=lambda record: os.kill(os.getpid(), signal.SIGTERM))


def test_non_finite_training_loss_names_epoch_step_and_term() -> None:
    model, calls = nn.Linear(1, 1), []

    def loss_function(rows: Tensor, generator: Generator) -> Mapping[str, Tensor]:
        calls.append(rows)
        fine = model(torch.ones(1, 1)).sum()
        return {"loss": fine * (math.nan if len(calls) == 6 else 1), "kl": fine * 0 + 2}

    settings = OptimizerSettings(batch_size=5, epochs=4)
    with pytest.raises(NonFiniteLossError, match=r"epoch 2, step 2: loss is not finite \(loss = nan, kl = 2\)"):
        fit(model, 20, loss_function, lambda: {"loss": 1.0}, settings, RUN, 0)


def test_non_finite_validation_loss_is_an_error() -> None:
    with pytest.raises(NonFiniteLossError, match="epoch 1, validation: loss is not finite"):
        train(regression(), validation=lambda: {"loss": math.inf})


def test_number_of_threads_is_what_the_settings_say_and_comes_back() -> None:
    before, seen = torch.get_num_threads(), []
    train(regression(), epochs=1, on_epoch=lambda record: seen.append(torch.get_num_threads()))
    assert seen == [1]
    assert torch.get_num_threads() == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_device_without_a_gpu() -> None:
    with pytest.raises(ConfigError, match="PyTorch sees none"):
        resolve_device(RunSettings(device="cuda"))
    assert resolve_device(RunSettings(device="auto")) == CPU


def test_tensor_files_are_the_same_bytes_and_say_what_they_are(tmp_path: Path) -> None:
    tensors = {"b": torch.arange(6.0).reshape(2, 3).T, "a": torch.tensor(3)}
    for name in ("first", "second"):
        write_tensors(tmp_path / name, tensors, {"format": "x/1", "n": 1})
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    found, description = read_tensors(tmp_path / "first", CPU, "x/1")
    assert description == {"format": "x/1", "n": 1}
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    with pytest.raises(IntegrityError, match="expected the format y/1, found 'x/1'"):
        read_tensors(tmp_path / "first", CPU, "y/1")
    with pytest.raises(IntegrityError, match="cannot be read"):
        read_tensors(tmp_path / "none", CPU, "x/1")
