"""Bounds against the exact information of linear Gaussian encoders, and the knee of known curves."""

import numpy as np
import pandas as pd
import pytest
import torch

from dssl.errors import PairingError
from dssl.evaluation.information import (
    fit_temperature,
    infonce_lower_bound,
    information_curve,
    kl_upper_bound,
    knee,
)
from dssl.model.distributions import UnitGaussian

CORRELATIONS = np.array([0.9, 0.6, 0.3])
N_DRAWS = 4


def gaussian_pairs(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Standard normal x1 and x2 with the given canonical correlations."""
    x1 = rng.normal(size=(n, len(CORRELATIONS)))
    return x1, CORRELATIONS * x1 + np.sqrt(1 - CORRELATIONS**2) * rng.normal(size=x1.shape)


def exact_information(gain: float) -> tuple[float, float]:
    """I(Z;X2) and I(Z;X1|X2) in nats of z = gain x1 + standard normal noise."""
    given_x2 = 1 + gain**2 * (1 - CORRELATIONS**2)
    return float(np.log((1 + gain**2) / given_x2).sum() / 2), float(np.log(given_x2).sum() / 2)


def draw(x1: np.ndarray, gain: float) -> np.ndarray:
    code = UnitGaussian(torch.from_numpy(gain * x1))
    generator = torch.Generator().manual_seed(0)
    return torch.stack([code.rsample(generator) for _ in range(N_DRAWS)]).numpy()


@pytest.mark.parametrize("gain", [0.5, 2.0, 5.0])
def test_the_infonce_bound_is_below_the_exact_information_but_not_loose(gain: float) -> None:
    rng = np.random.default_rng(0)
    (fitted1, fitted2), (x1, x2) = gaussian_pairs(300, rng), gaussian_pairs(500, rng)
    temperature = fit_temperature(draw(fitted1, gain), gain * CORRELATIONS * fitted2)
    bound = infonce_lower_bound(draw(x1, gain), gain * CORRELATIONS * x2, temperature)
    exact, _ = exact_information(gain)
    assert bound.value < exact + 2 * bound.standard_error
    assert bound.value > 0.7 * exact
    # a temperature that is not fitted is looser
    for factor in (0.2, 5.0):
        assert infonce_lower_bound(draw(x1, gain), gain * CORRELATIONS * x2, factor * temperature).value < bound.value


@pytest.mark.parametrize("gain", [0.5, 2.0, 5.0])
@pytest.mark.parametrize("scale", [1.0, 0.7, 1.6])
def test_the_kl_bound_is_above_the_exact_conditional_information(gain: float, scale: float) -> None:
    x1, x2 = gaussian_pairs(20_000, np.random.default_rng(1))
    first, second = (torch.from_numpy(mean) for mean in (gain * x1, scale * gain * CORRELATIONS * x2))
    bound = kl_upper_bound(UnitGaussian(first).kl(UnitGaussian(second)).numpy())
    # E |gain x1 - scale gain rho x2|^2 / 2, rho the correlation
    closed = gain**2 * (1 + (scale**2 - 2 * scale) * CORRELATIONS**2).sum() / 2
    assert bound.value == pytest.approx(closed, abs=4 * bound.standard_error)
    assert bound.value > exact_information(gain)[1]


def test_the_infonce_bound_is_at_most_log_n_and_reaches_it() -> None:
    codes = np.eye(30)
    bound = infonce_lower_bound(codes[None], codes, 1e-3)
    assert bound.value == pytest.approx(np.log(30))
    assert bound.standard_error == pytest.approx(0, abs=1e-12)
    assert infonce_lower_bound(np.zeros((1, 30, 4)), np.zeros((30, 4)), 1.0).value == pytest.approx(0)


def test_the_infonce_bound_equals_cross_entropy() -> None:
    rng = np.random.default_rng(2)
    draws, means = rng.normal(size=(2, 9, 3)), rng.normal(size=(9, 3))
    values = []
    for drawn in draws:
        logits = -(torch.cdist(torch.from_numpy(drawn), torch.from_numpy(means)) ** 2) / (2 * 0.7)
        values.append(np.log(9) - float(torch.nn.functional.cross_entropy(logits, torch.arange(9))))
    assert infonce_lower_bound(draws, means, 0.7).value == pytest.approx(np.mean(values))


def test_independent_codes_have_no_information() -> None:
    rng = np.random.default_rng(3)
    draws, means = rng.normal(size=(4, 300, 5)), rng.normal(size=(300, 5))
    temperature = fit_temperature(rng.normal(size=(4, 300, 5)), rng.normal(size=(300, 5)))
    assert infonce_lower_bound(draws, means, temperature).value == pytest.approx(0, abs=0.02)


def test_pairs_that_do_not_match_are_refused() -> None:
    with pytest.raises(PairingError, match=r"found shapes \(2, 5, 3\) and \(4, 3\)"):
        infonce_lower_bound(np.zeros((2, 5, 3)), np.zeros((4, 3)), 1.0)


def test_the_knee_is_the_corner() -> None:
    assert knee(np.array([0.0, 1, 2, 10]), np.array([0.0, 3, 3.1, 3.5])) == 1
    # order does not matter
    assert knee(np.array([10.0, 2, 1, 0]), np.array([3.5, 3.1, 3, 0])) == 2


@pytest.mark.parametrize(
    ("kl", "infonce"),
    [
        ([0.0, 1.0], [0.0, 1.0]),
        ([0.0, 1.0, 2.0], [0.0, 1.0, 2.0]),
        ([0.0, 1.0, 2.0], [0.0, 0.2, 2.0]),
        ([0.0, np.nan, 2.0], [0.0, 1.0, 2.0]),
        ([1.0, 1.0, 1.0], [0.0, 1.0, 2.0]),
    ],
)
def test_a_curve_without_a_corner_has_no_knee(kl: list[float], infonce: list[float]) -> None:
    assert knee(np.array(kl), np.array(infonce)) is None


def test_the_curve_averages_folds_and_seeds() -> None:
    rows = [
        {"modality": "phenotype", "beta": beta, "seed": seed, "fold": fold, "infonce_lower": lower + seed,
         "kl_upper": upper + 2 * seed, "log_n": 4.0, "chosen": beta == (0.1 if fold == "0" else 1.0)}
        for beta, lower, upper in ((1.0, 0.0, 0.0), (0.1, 2.0, 1.0), (0.01, 2.5, 9.0))
        for seed in (0, 1)
        for fold in ("0", "1")
    ]  # fmt: skip
    curve = information_curve(pd.DataFrame(rows)).set_index("beta")
    assert curve.loc[0.1, ["infonce_lower", "infonce_lower_lowest", "infonce_lower_highest"]].tolist() == [2.5, 2, 3]
    assert curve.loc[0.01, ["kl_upper", "kl_upper_lowest", "kl_upper_highest"]].tolist() == [10, 9, 11]
    assert curve["n_folds_chosen"].to_dict() == {0.01: 0, 0.1: 1, 1.0: 1}
    assert curve["knee"].to_dict() == {0.01: False, 0.1: True, 1.0: False}
    assert (curve["n_models"] == 4).all()
