"""Exact ranks of a large library: rate beside the machine's matrix products, and memory.

    make bench-retrieval            or: python -m bench.retrieval [QUERIES ITEMS [DIMENSIONS]]

Random unit vectors, each query's hit a noisy copy of it, some items repeated so that scores tie. One thread, single
precision; the rate counts the 2 x queries x items x dimensions operations of the scores alone, over the process time of
all that `dssl.evaluation.ranking.rank_counts` does (process time, so that waiting for others does not count). The
product that it is held against is measured before and after in the same process, as a mean like the ranks: the faster of
a large square one and of blocks of the scores' own shape. Memory is the most that the process held beyond the vectors. A
sample of the queries is ranked again from whole rows of scores, and has to agree.
"""

import resource
import sys
import time

import numpy as np

from dssl.evaluation.ranking import BLOCK_ITEMS, BLOCK_QUERIES, Side, rank_counts, rounded_cosines
from dssl.evaluation.ranks import Floats, tie_counts
from dssl.evaluation.retrieval import unit_rows

N_CHECKED = 64
SQUARE = 2048


def product_rate(m: int, k: int, n: int, seconds: float = 2.0) -> float:
    """Operations per second of single-precision products (m, k) @ (k, n), mean of some seconds' worth after the first."""
    rng = np.random.default_rng(0)
    first, second = (rng.standard_normal(shape, dtype=np.float32) for shape in ((m, k), (n, k)))
    out = np.empty((m, n), np.float32)
    np.matmul(first, second.T, out=out)
    count, start = 0, time.process_time()
    while time.process_time() < start + seconds:
        np.matmul(first, second.T, out=out)
        count += 1
    return 2 * m * k * n * count / (time.process_time() - start)


def vectors(n_queries: int, n_items: int, dimensions: int) -> tuple[Floats, Floats]:
    """Queries, and items of which item i is query i's hit and every hundredth repeats another."""
    rng = np.random.default_rng(1)
    items = rng.standard_normal((n_items, dimensions))
    queries = items[np.arange(n_queries) % n_items] + 2 * rng.standard_normal((n_queries, dimensions))
    items[::100] = items[rng.integers(0, n_items, len(items[::100]))]
    return unit_rows(queries), unit_rows(items)


def megabytes() -> float:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(n_queries: int = 100_000, n_items: int = 100_000, dimensions: int = 128) -> None:
    """Print the rates."""
    write = sys.stdout.write
    shapes = {"square": (SQUARE, SQUARE, SQUARE), "block": (BLOCK_QUERIES, dimensions, BLOCK_ITEMS)}
    before = {name: product_rate(*shape) for name, shape in shapes.items()}
    queries, items = vectors(n_queries, n_items, dimensions)
    compounds = np.arange(n_queries) % n_items
    held, start = megabytes(), time.process_time()
    counts = rank_counts(Side(queries, compounds), Side(items, np.arange(n_items)))
    seconds, peak = time.process_time() - start, megabytes() - held
    after = {name: product_rate(*shape) for name, shape in shapes.items()}
    checked = np.random.default_rng(2).choice(n_queries, min(N_CHECKED, n_queries), replace=False)
    is_match = compounds[checked, None] == np.arange(n_items)
    truth = tie_counts(rounded_cosines(queries[checked], items), is_match)
    agree = all((found[checked] == expected).all() for found, expected in zip(counts, truth, strict=True))
    rate, limit = 2 * n_queries * n_items * dimensions / seconds, max(*before.values(), *after.values())
    write(f"{n_queries:,} queries x {n_items:,} items x {dimensions} dimensions, one thread\n")
    for name, shape in shapes.items():
        write(f"products, {name} {shape}: {before[name] / 1e9:.1f} before, {after[name] / 1e9:.1f} Gflop/s after\n")
    write(f"ranks: {seconds:.1f} s, {rate / 1e9:.1f} Gflop/s, {rate / limit:.2f} of the faster product\n")
    write(f"memory beyond the vectors: {peak:.0f} MB; all scores would be {4e-6 * n_queries * n_items:,.0f} MB\n")
    write(f"{len(checked)} queries ranked from whole rows agree: {agree}; {(counts.n_equal > 0).sum():,} have ties\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
