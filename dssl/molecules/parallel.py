"""The same function over many items, in chunks, on several processes, in order."""

import multiprocessing
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from rich.console import Console
from rich.progress import track

Item = TypeVar("Item")
Result = TypeVar("Result")

CHUNK = 256


def map_in_chunks(
    function: Callable[[Sequence[Item]], list[Result]], items: Sequence[Item], n_jobs: int, label: str
) -> list[Result]:
    """Apply `function` to consecutive chunks of `items`; the result does not depend on `n_jobs`.

    Parameters
    ----------
    function : callable
        Takes a chunk and returns one result for each of its items; importable by name (it travels to other processes).
    items : sequence
        What is processed.
    n_jobs : int
        Number of processes; one stays in this process, as do inputs of a single chunk.
    label : str
        Stands beside the progress bar, which is shown only where stderr is a terminal.

    Returns
    -------
    list
        One result per item, in the order of `items`.
    """
    chunks = [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
    results: list[Result] = []
    for part in track(
        each_chunk(function, chunks, n_jobs),
        description=label,
        total=len(chunks),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    ):
        results.extend(part)
    return results


def each_chunk(
    function: Callable[[Sequence[Item]], Result], chunks: Sequence[Sequence[Item]], n_jobs: int
) -> Iterator[Result]:
    """Apply `function` to each chunk, on `n_jobs` processes, and give the results in order as they become ready."""
    workers = min(n_jobs, len(chunks))
    if workers <= 1:
        yield from map(function, chunks)
        return
    # spawn: a forked copy of a process that has threads (OpenMP, torch) may hang
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(function, chunks)
