"""Where a training job runs, and how."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from dssl.errors import ConfigError
from dssl.settings.learning import RunSettings


def resolve_device(run: RunSettings) -> torch.device:
    """Device that the settings name; auto takes the first GPU when there is one, under `torchrun` each process its own.

    Raises
    ------
    ConfigError
        If a GPU is asked for and PyTorch sees none.
    """
    available = torch.cuda.is_available()
    if run.device == "cuda" and not available:
        raise ConfigError(
            "run.device: cuda asks for a GPU, but PyTorch sees none on this machine\n"
            "Set run.device: auto or cpu, or run the job where there is a GPU (and a CUDA build of PyTorch)."
        )
    # read when cuBLAS starts: without it matrix products on a GPU may differ from run to run
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if not available or run.device == "cpu":
        return torch.device("cpu")
    local = os.environ.get("LOCAL_RANK")
    return torch.device("cuda") if local is None else torch.device("cuda", int(local))


@contextmanager
def reproducible(device: torch.device, cpu_threads: int) -> Iterator[None]:
    """Own global random state, deterministic kernels and a fixed number of threads, for the length of the block."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    filled = torch._C._get_deterministic_fill_uninitialized_memory()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.set_num_threads(cpu_threads)
        torch.use_deterministic_algorithms(True, warn_only=True)
        # new memory is written before it is read: filling it first would only cost time
        torch._C._set_deterministic_fill_uninitialized_memory(False)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(strict)
            torch._C._set_deterministic_fill_uninitialized_memory(filled)
