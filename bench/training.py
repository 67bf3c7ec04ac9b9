"""CPU milliseconds per training step: ours, a plain transcription of the released loop, and the limit.

    make bench            or: python -m bench.training [BATCH ...]

The architecture is the released code's (inputs 100, hidden 512, codes of 100 dimensions, von Mises-Fisher with kappa 1000,
Frobenius penalty), the views are independent. Ours is `train_shared` and `train_specific` as users run them: minibatches,
views, losses, backward, optimiser. The transcription is `tests/oracles/released_loop.py`. The limit is the time of
the step's own single-precision matrix products alone, each of its shape, measured in the same run.

One thread; process time (user and system), so that waiting for others does not count; medians after warm-up. Each
measurement has its own forked process, and memory is the most that it held beyond what it was born with. The load of the
machine is printed first: other work slows the caches and the memory that process time depends on. Last, the time of a
whole point of the quick study (20,000 pairs; step 1, step 2, probes) in this one thread.
"""

import itertools
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from dssl.model.shared import SharedModel
from dssl.settings.learning import TrainSharedSettings, TrainSpecificSettings
from dssl.settings.study import StudySettings
from dssl.steps.study import study_shared, study_specific
from dssl.training.data import TrainingData
from dssl.training.fit import Record
from dssl.training.shared import train_shared
from dssl.training.specific import train_specific
from tests.oracles.released_loop import ReleasedLoop

INPUTS, HIDDEN, CODE = 100, 512, 100
BATCHES = (256, 1024, 4096)
# steps of an epoch of ours, epochs measured, and steps of the transcription measured
EFFORT = {256: (20, 7, 7), 1024: (6, 5, 5)}
LEAST_EFFORT = (2, 5, 2)
Product = tuple[int, int, int]


def training_data(n: int) -> TrainingData:
    """Random pairs."""
    inputs = torch.randn(2, n, INPUTS, generator=torch.Generator().manual_seed(n))
    return TrainingData.from_arrays(inputs[0].numpy(), torch.arange(n).numpy(), inputs[1].numpy())


def ours(batch: int, step: int) -> Iterator[float]:
    """Milliseconds per training step, one value per epoch after the first."""
    n_steps, epochs, _ = EFFORT.get(batch, LEAST_EFFORT)
    # nothing is validated but at the end of the last epoch, which is not measured
    optimizer = {"batch_size": batch, "epochs": epochs + 2, "evaluate_every": epochs + 2}
    run = {"device": "cpu", "cpu_threads": 1}
    settings = {"preset": "paper", "optimizer": optimizer, "run": run}
    shared_settings = TrainSharedSettings.model_validate(settings)
    train, validation = training_data(n_steps * batch), training_data(64)
    ends: list[float] = []

    def on_epoch(_: Record) -> None:
        ends.append(time.process_time())

    if step == 1:
        train_shared(train, validation, shared_settings, 1.0, 0, on_epoch=on_epoch)
    else:
        parts = shared_settings.encoder, shared_settings.code, shared_settings.contrastive
        frozen = SharedModel(INPUTS, INPUTS, *parts)
        specific_settings = TrainSpecificSettings.model_validate(settings)
        train_specific(frozen, train, validation, specific_settings, 1.0, 0, on_epoch=on_epoch)
    return (1e3 * (end - start) / n_steps for start, end in itertools.pairwise(ends[:-1]))


def transcription(batch: int, step: int) -> Iterator[float]:
    """Milliseconds of each training step after the first."""
    data = training_data(4 * batch)
    loop = ReleasedLoop(data.phenotype, data.molecule, batch, HIDDEN, CODE)
    steps = loop.shared_steps() if step == 1 else loop.specific_steps()
    next(steps)
    for _ in range(EFFORT.get(batch, LEAST_EFFORT)[2]):
        start = time.process_time()
        next(steps)
        yield 1e3 * (time.process_time() - start)


def products(batch: int, step: int) -> list[Product]:
    """Shapes (m, k, n) of the matrix products (m, k) @ (k, n) that a step cannot do without."""

    def encoder(rows: int, inputs: int, trained: bool = True) -> list[Product]:
        forward = [(rows, inputs, HIDDEN), (rows, HIDDEN, CODE)]
        backward = [(HIDDEN, rows, inputs), (CODE, rows, HIDDEN), (rows, CODE, HIDDEN)]
        return forward + backward if trained else forward

    def contrast(size: int) -> list[Product]:
        return [(batch, size, batch), (batch, batch, size), (size, batch, batch)]

    if step == 1:
        return 2 * encoder(batch, INPUTS) + contrast(CODE)
    penalty = 2 * [(CODE, batch, CODE), (batch, CODE, CODE)]
    one = encoder(2 * batch, INPUTS, trained=False) + encoder(2 * batch, INPUTS + CODE) + contrast(2 * CODE) + penalty
    return 2 * one


def limit(batch: int, step: int) -> Iterator[float]:
    """Milliseconds of a step's matrix products: the sum of the medians of their shapes."""
    total = 0.0
    shapes = products(batch, step)
    for m, k, n in set(shapes):
        first, second, out = torch.randn(m, k), torch.randn(k, n), torch.empty(m, n)
        times = []
        for _ in range(8):
            start = time.process_time()
            torch.mm(first, second, out=out)
            times.append(1e3 * (time.process_time() - start))
        total += shapes.count((m, k, n)) * statistics.median(times[1:])
    yield total


def study_point(preset: str) -> tuple[float, float]:
    """Seconds of CPU, and of the clock, of a point of the quick study: data, step 1, step 2, their probes and bounds."""
    settings, beta = StudySettings(study="bench", noises=[0.0]), 1.0
    start, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = folder / "model.safetensors"
        study_shared(
            settings=settings,
            preset=preset,
            noise=0.0,
            beta=beta,
            seed=0,
            model=model,
            probes=folder / "shared.tsv",
            information=folder / "information.tsv",
        )
        study_specific(
            settings=settings,
            preset=preset,
            noise=0.0,
            beta=beta,
            lam=1.0,
            seed=0,
            shared=model,
            probes=folder / "specific.tsv",
        )
    return time.process_time() - cpu, time.perf_counter() - start


def measured(function: Callable[[int, int], Iterator[float]], batch: int, step: int) -> tuple[float, float]:
    """Median milliseconds, and megabytes, of a measurement in a process of its own."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_measure, args=(function, batch, step, sender))
    process.start()
    sender.close()
    milliseconds, megabytes = receiver.recv()
    process.join()
    return milliseconds, megabytes


def _measure(function: Callable[[int, int], Iterator[float]], batch: int, step: int, sender: Connection) -> None:
    torch.manual_seed(0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    milliseconds = statistics.median(function(batch, step))
    sender.send((milliseconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024))


def main(batches: list[int]) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    write = sys.stdout.write
    write(f"load of the machine (1 minute, {os.cpu_count()} cores): {os.getloadavg()[0]:.1f}\n")
    write("milliseconds of CPU per training step, one thread; memory in MB\n")
    write(
        f"{'':18}{'limit':>9}{'ours':>9}{'/ limit':>9}{'released':>10}{'/ ours':>8}{'MB ours':>9}{'MB released':>13}\n"
    )
    for step in (1, 2):
        for batch in batches:
            bound, _ = measured(limit, batch, step)
            own, own_memory = measured(ours, batch, step)
            other, other_memory = measured(transcription, batch, step)
            write(
                f"step {step}, batch {batch:<5}{bound:>9.1f}{own:>9.1f}{own / bound:>9.2f}"
                f"{other:>10.1f}{other / own:>8.1f}{own_memory:>9.0f}{other_memory:>13.0f}\n"
            )
            sys.stdout.flush()
    for preset in ("released", "default"):
        cpu, clock = study_point(preset)
        write(f"quick study point, {preset}: {cpu:.0f} s of CPU, {clock:.0f} s by the clock\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or list(BATCHES))
