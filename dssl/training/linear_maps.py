"""Linear maps of inputs, and linear encoders made from them."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SMALLEST_STD = 1e-5  # relative to the largest: what is below is rounding of single-precision inputs


@dataclass(frozen=True, eq=False)
class LinearMap:
    """Features (x - mean) @ weights of inputs x."""

    mean: Floats
    weights: Floats


def residual_components(inputs: Floats, shared: Floats, n_components: int) -> LinearMap:
    """Principal components of inputs (n, k) after regression on their shared features inputs @ shared (k, d).

    Scores are in units of the standard deviation of the last component that is kept; those without variance are not.
    """
    mean = inputs.mean(axis=0)
    centred = inputs - mean
    used = shared[:, np.abs(shared).max(axis=0) > 0]
    slopes = np.linalg.lstsq(centred @ used, centred, rcond=None)[0]
    removal = np.eye(inputs.shape[1]) - used @ slopes
    _, singular, axes = np.linalg.svd(centred @ removal, full_matrices=False)
    limit = SMALLEST_STD * np.linalg.norm(centred, 2)
    n_kept = min(n_components, int((singular > limit).sum()))
    std = singular[:n_kept] / np.sqrt(len(inputs))
    return LinearMap(mean, removal @ axes[:n_kept].T / (std[-1] if n_kept else 1.0))


def set_linear(encoder: torch.nn.Module, linear: LinearMap, size: int, n_extra: int) -> None:
    """Give a linear encoder its weights: outputs beyond the map's, and the last `n_extra` inputs, get zeros."""
    n_inputs, n_outputs = linear.weights.shape[0], min(size, linear.weights.shape[1])
    weight = np.zeros((size, n_inputs + n_extra))
    weight[:n_outputs, :n_inputs] = linear.weights[:, :n_outputs].T
    bias = -weight[:, :n_inputs] @ linear.mean
    state = {"linear.weight": weight, "linear.bias": bias}
    encoder.load_state_dict({name: torch.from_numpy(values).float() for name, values in state.items()})
