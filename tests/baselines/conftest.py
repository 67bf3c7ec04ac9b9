from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from dssl import keys
from dssl.baselines.data import ClassicalData

T, V, N = 40, 15, 70  # training and validation compounds come first, the others are test compounds


def _kernel(x: np.ndarray) -> np.ndarray:
    return np.exp(-((x[:, None] - x[None, :T]) ** 2).sum(-1) / 4)


def _data(seed: int = 0, noise: float = 0.3, **changed: object) -> ClassicalData:
    """Molecules with six features; profiles and cell counts that depend on them, in half-whitened coordinates."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(N, 6))
    divisor = np.array([3.0, 1.0, 0.5, 0.2, 0.1])
    scores = np.tanh(x @ rng.normal(size=(6, 5))) * divisor**2 + noise * divisor**2 * rng.normal(size=(N, 5))
    profiles = scores / divisor + 2
    obs = pd.DataFrame({keys.CELL_COUNT: np.exp(x[:, 0] + 0.1 * rng.normal(size=N)) * 1000})
    arguments = {
        "inputs": x,
        "kernels": {"tanimoto": _kernel(x[:, :4]), "gaussian": _kernel(x[:, 2:])},
        "train": np.arange(T),
        "validation": np.arange(T, T + V),
        "profiles_train": profiles[:T],
        "profiles_validation": profiles[T : T + V],
        "obs_train": obs[:T],
        "obs_validation": obs[T : T + V],
        "divisor": divisor,
    }
    arguments |= changed
    kernels = arguments["kernels"]
    arguments = {"landmarks": arguments["train"], "similarities": lambda: [kernels["tanimoto"]]} | arguments
    return ClassicalData(**arguments)


@pytest.fixture
def make_data() -> Callable[..., ClassicalData]:
    return _data
