"""Several processes train the model of one process: gloo, spawned here."""

import os
import socket
from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor, distributed, nn

from dssl.model.contrastive import infonce
from dssl.model.ranks import Dropout, by_rows
from dssl.settings.learning import OptimizerSettings, RunSettings
from dssl.training.distributed import average_gradients, join_ranks, seed_epoch
from dssl.training.fit import fit

CPU = torch.device("cpu")
# 23 rows in batches of 7 or 8: slices of unequal size
INPUTS = torch.randn(2, 23, 6, generator=torch.Generator().manual_seed(0))


class Pair(nn.Module):
    """Two encoders and a trained temperature."""

    def __init__(self, dropout: float = 0.4) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoders = nn.ModuleList(
            nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.GELU(), Dropout(dropout), nn.Linear(8, 4))
            for _ in range(2)
        )
        self.log_temperature = nn.Parameter(torch.tensor(-1.0))

    def loss(self, rows: Tensor, generator: Generator) -> dict[str, Tensor]:
        codes = []
        for encoder, inputs in zip(self.encoders, INPUTS, strict=True):
            noise = torch.randn(len(rows), 6, generator=generator)
            features = by_rows(encoder, inputs[rows] + 0.1 * noise)
            features = features + 0.1 * torch.randn(features.shape, generator=generator)
            codes.append(nn.functional.normalize(features, dim=1))
        loss = infonce(codes[0], codes[1], self.log_temperature.exp())
        return {"loss": loss, "size": codes[0].abs().mean()}


def run(folder: Path) -> None:
    """What every process does: gradients of one minibatch, then some epochs."""
    join_ranks(CPU)
    model = Pair()
    seed_epoch(2, 0)
    model.loss(torch.arange(5), torch.Generator().manual_seed(1))["loss"].backward()
    average_gradients(model)
    gradients = [parameter.grad.clone() for parameter in model.parameters()]

    def validation() -> dict[str, float]:
        # a process that measured otherwise would stop at another time
        return {"loss": float(model.log_temperature) + int(os.environ.get("RANK", "0"))}

    settings = OptimizerSettings(epochs=4, batch_size=8, evaluate_every=1, checkpoint_every=1, patience=3)
    records: list[dict[str, float]] = []
    checkpoint = folder / "checkpoint"
    result = fit(model, 23, model.loss, validation, settings, RunSettings(device="cpu"), 0, checkpoint, records.append)
    weights = list(model.state_dict().values())
    name = os.environ.get("RANK", "alone")
    torch.save((gradients, weights, result.history, len(records)), folder / f"{name}.pt")


def _spawned(number: int, size: int, port: int, folder: Path) -> None:
    torch.set_num_threads(1)
    place = {"RANK": number, "WORLD_SIZE": size, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in place.items()})
    run(folder)
    distributed.barrier()


@pytest.mark.parametrize("size", [2, 3])
def test_ranks_train_the_model_of_one_process(tmp_path: Path, size: int) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.start_processes(_spawned, (size, port, tmp_path), nprocs=size, start_method="fork")
    with torch.random.fork_rng():
        run(tmp_path)
    alone = torch.load(tmp_path / "alone.pt")
    ranks = [torch.load(tmp_path / f"{number}.pt") for number in range(size)]
    for found in ranks:
        for part in (0, 1):
            for ours, expected in zip(found[part], alone[part], strict=True):
                assert torch.allclose(ours, expected, rtol=1e-5, atol=1e-6 * float(expected.abs().max()))
        for ours, expected in zip(found[2], alone[2], strict=True):
            assert ours == pytest.approx(expected, rel=1e-5)
        assert all(torch.equal(*pair) for pair in zip(found[1], ranks[0][1], strict=True))
    # only the first rank reports
    assert [found[3] for found in ranks] == [4] + [0] * (size - 1)
    assert not (tmp_path / "checkpoint").exists()


def test_one_process_runs_the_whole_batch_at_once() -> None:
    seen, whole = [], INPUTS[0]
    assert by_rows(lambda inputs: seen.append(inputs) or inputs, whole) is whole
    assert len(seen) == 1
    assert seen[0] is whole
