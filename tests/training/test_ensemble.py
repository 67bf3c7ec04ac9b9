"""An ensemble of trained models and the closed form beside them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dssl.settings.learning import TrainSharedSettings
from dssl.training.encode import Models, encode, kinds, weights
from dssl.training.gaussian import solve_shared
from dssl.training.shared import train_shared


@pytest.fixture(scope="module")
def models(planted: Callable[..., Any], small_shared: TrainSharedSettings) -> Models:
    data = planted(40, 1, 0).data, planted(20, 1, 1).data
    trained = [train_shared(*data, small_shared, 0.01, seed)[0] for seed in (0, 1)]
    return [*((model, None) for model in trained), (solve_shared(*data, small_shared, 0.01)[0], None)]


def test_models_weigh_by_the_inverse_of_their_spread_and_kinds_alike(models: Models) -> None:
    assert kinds(models) == [0, 0, 1]
    one, two, closed = (float(model.spread) for model, _ in models)
    expected = np.array([1 / one / 2, 1 / two / 2, 1 / closed])
    np.testing.assert_allclose(weights(models), expected / expected.sum(), rtol=1e-6)
    np.testing.assert_allclose(weights(models[:2]), [two / (one + two), one / (one + two)], rtol=1e-6)
    np.testing.assert_allclose(weights(models[2:]), [1.0])


def test_the_spread_is_that_of_pairs_that_do_not_match(models: Models, planted: Callable[..., Any]) -> None:
    validation = planted(20, 1, 1)
    inputs = validation.phenotype.astype(np.float32), validation.molecule.astype(np.float32)
    for model in models:
        codes = encode([model], *inputs).shared
        cosines = codes["phenotype"] @ codes["molecule"].T
        others = cosines[~np.eye(20, dtype=bool)]
        np.testing.assert_allclose(float(model[0].spread), others.std(), rtol=1e-4)


def test_the_dot_product_is_the_weighted_mean_of_the_models_cosines(
    models: Models, planted: Callable[..., Any]
) -> None:
    new = planted(15, 1, 2)
    inputs = new.phenotype.astype(np.float32), new.molecule.astype(np.float32)

    def similarity(members: Models) -> np.ndarray:
        codes = encode(members, *inputs).shared
        return codes["phenotype"] @ codes["molecule"].T

    one, two, closed = (similarity([model]) for model in models)
    np.testing.assert_allclose(
        similarity(models).ravel(), weights(models) @ [one.ravel(), two.ravel(), closed.ravel()], atol=1e-6
    )
    lengths = np.linalg.norm(encode(models, *inputs).shared["phenotype"], axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-6)
