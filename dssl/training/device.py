"""Where a training job runs."""

import os

import torch

from dssl.errors import ConfigError
from dssl.settings.learning import RunSettings


def resolve_device(run: RunSettings) -> torch.device:
    """Device that the settings name; auto takes the first GPU when there is one.

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
    return torch.device("cuda" if available and run.device != "cpu" else "cpu")
