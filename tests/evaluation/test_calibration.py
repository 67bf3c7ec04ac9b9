import numpy as np
import pytest

from dssl.errors import PairingError
from dssl.evaluation.calibration import CALIBRATION_COLUMNS, HeldOutCodes, calibrate, worth


def planted(n: int, rng: np.random.Generator, rows_each: int = 1, noise: float = 0.8, d: int = 8) -> HeldOutCodes:
    """Profiles that are noisy copies of their molecules' codes."""
    molecule = rng.normal(size=(n, d))
    compound = np.repeat(np.arange(n), rows_each)
    phenotype = molecule[compound] + noise * rng.normal(size=(len(compound), d))
    return HeldOutCodes(phenotype.astype(np.float32), compound, molecule.astype(np.float32))


def cosines(fold: HeldOutCodes) -> tuple[np.ndarray, np.ndarray]:
    """Scores of all pairs, and which are matches."""
    unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (fold.phenotype, fold.molecule)]
    return unit[0] @ unit[1].T, fold.compound[:, None] == np.arange(len(fold.molecule))


def test_precision_calibrated_on_one_half_holds_on_the_other() -> None:
    rng = np.random.default_rng(0)
    table = calibrate([planted(60, rng) for _ in range(10)], 200, rng)
    predicted, matched, inside = [], [], []
    for fold in [planted(60, rng) for _ in range(40)]:
        scores, is_match = cosines(fold)
        found = worth(table, scores.ravel(), 60)
        predicted.append(found["precision"].to_numpy())
        matched.append(is_match.ravel())
        inside.append(found[["precision_low", "precision_high"]].to_numpy())
    precision, is_match = np.concatenate(predicted), np.concatenate(matched)
    assert precision.mean() == pytest.approx(1 / 60, rel=0.1)
    for low, high in [(0.001, 0.05), (0.05, 0.15), (0.15, 0.3), (0.3, 0.6)]:
        chosen = (precision >= low) & (precision < high)
        assert is_match[chosen].mean() == pytest.approx(precision[chosen].mean(), abs=0.05), (low, high)
    bounds = np.concatenate(inside)
    assert (bounds[:, 0] <= precision).all()
    assert (precision <= bounds[:, 1]).all()


def test_percentiles_are_shares_of_held_out_pairs() -> None:
    rng = np.random.default_rng(1)
    fold = planted(80, rng)
    table = calibrate([fold], 100, rng)
    assert list(table.columns) == CALIBRATION_COLUMNS
    scores, is_match = cosines(fold)
    at = np.linspace(-0.9, 0.95, 30)
    found = worth(table, at, 80)
    expected_match = (scores[is_match][None] < at[:, None]).mean(axis=1)
    expected_other = (scores[~is_match][None] < at[:, None]).mean(axis=1)
    np.testing.assert_allclose(found["percentile_match"], expected_match, atol=0.02)
    np.testing.assert_allclose(found["percentile_other"], expected_other, atol=0.01)


def test_a_larger_library_makes_the_same_score_worth_less_by_the_rule_of_bayes() -> None:
    rng = np.random.default_rng(2)
    table = calibrate([planted(100, rng)], 100, rng)
    small, large = (worth(table, np.array([0.9]), size)["precision"].item() for size in (100, 10_000))
    odds = small / (1 - small), large / (1 - large)
    assert odds[0] / odds[1] == pytest.approx(9_999 / 99)


def test_without_signal_a_score_is_worth_chance() -> None:
    rng = np.random.default_rng(3)
    table = calibrate([planted(100, rng, noise=1000.0) for _ in range(4)], 200, rng)
    found = worth(table, np.linspace(-0.8, 0.8, 17), 100)
    assert ((found["precision_low"] <= 0.0101) & (found["precision_high"] >= 0.0099)).all()


def test_every_compound_counts_once_whatever_its_profiles() -> None:
    rng = np.random.default_rng(4)
    fold = planted(40, rng)
    repeated = fold.compound.repeat(np.arange(40) % 5 + 1)
    more = HeldOutCodes(fold.phenotype[repeated], repeated, fold.molecule)
    once, often = (calibrate([each], 50, np.random.default_rng(0)) for each in (fold, more))
    at = np.linspace(-0.5, 0.95, 20)
    columns = ["percentile_match", "percentile_other", "precision"]
    expected, found = (worth(each, at, 40)[columns] for each in (once, often))
    np.testing.assert_allclose(found, expected, atol=0.06)


def test_scores_rise_with_the_ratio_and_are_finite() -> None:
    rng = np.random.default_rng(5)
    table = calibrate([planted(30, rng, noise=0.01)], 100, rng)
    assert (np.diff(table["likelihood_ratio"]) >= -1e-9).all()
    assert np.isfinite(table.to_numpy()).all()


def test_a_fold_of_one_compound_cannot_be_calibrated() -> None:
    rng = np.random.default_rng(6)
    with pytest.raises(PairingError, match="a fold with two held-out compounds at least, found none"):
        calibrate([planted(1, rng)], 100, rng)
