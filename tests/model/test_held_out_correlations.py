import numpy as np
import pytest
from numpy.typing import NDArray

from dssl.errors import PairingError
from dssl.model.canonical import canonical_directions
from dssl.model.gaussian_bottleneck import information
from dssl.model.held_out_correlations import coordinates, held_out_correlations

Floats = NDArray[np.float64]


def pairs(n: int, rho: list[float], seed: int, size: int = 50) -> tuple[Floats, Floats]:
    """Rotated Gaussian data of known canonical correlations, then zeros."""
    rng, rotation = np.random.default_rng(seed), np.random.default_rng(0)
    correlations = np.zeros(size)
    correlations[: len(rho)] = rho
    first, noise = rng.normal(size=(2, n, size))
    second = correlations * first + np.sqrt(1 - correlations**2) * noise
    turn_first, turn_second = (np.linalg.qr(rotation.normal(size=(size, size)))[0] for _ in range(2))
    return first @ turn_first, second @ turn_second


def test_training_correlations_are_inflated_and_held_out_ones_are_not() -> None:
    known = [0.95, 0.9]
    first, second = pairs(200, known, 1)
    inflated = canonical_directions(first, second, 0.1).correlations
    found = held_out_correlations(first, second, 0.1)
    assert inflated[9] > 0.5
    assert found.correlations[2:].max() < 0.2
    assert (found.correlations[:2] < np.array(known) + 0.03).all()
    assert (found.correlations[:2] > np.array(known) - 0.3).all()
    truth = information(np.array(known), 0.01).totals()["information_other"]
    assert information(found.correlations, 0.01).totals()["information_other"] < truth
    assert information(np.minimum(inflated, 1), 0.01).totals()["information_other"] > 2 * truth


def test_independent_data_share_next_to_nothing() -> None:
    first, second = pairs(200, [], 2)
    found = information(held_out_correlations(first, second, 1.0).correlations, 0.001).totals()
    assert found["information_other"] < 0.15


def test_standard_deviations_are_those_of_new_rows() -> None:
    first, second = pairs(300, [0.9, 0.8], 3)
    found = held_out_correlations(first, second, 0.3)
    directions = canonical_directions(first, second, 0.3)
    new = coordinates(directions, *pairs(2000, [0.9, 0.8], 4))
    np.testing.assert_allclose(new[0][:, :5].std(axis=0), found.first_std[:5], rtol=0.15)
    np.testing.assert_allclose(new[1][:, :5].std(axis=0), found.second_std[:5], rtol=0.15)


def test_too_few_rows() -> None:
    with pytest.raises(PairingError, match="at least 10 training compounds, found 9"):
        held_out_correlations(np.eye(9), np.eye(9), 1.0)
