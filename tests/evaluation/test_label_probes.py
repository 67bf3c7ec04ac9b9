import numpy as np
import pytest
from scipy.stats import beta

from dssl.evaluation.label_probes import Rows, probe_label


def test_splits_are_disjoint_and_whole() -> None:
    rows = Rows.of(1003)
    assert np.array_equal(np.concatenate(rows), np.arange(1003))
    assert [len(each) for each in rows] == [702, 100, 201]


def test_a_linear_label_is_found_and_its_interval_is_clopper_and_pearson() -> None:
    rng = np.random.default_rng(0)
    code = rng.standard_normal((2000, 5)) * [1, 10, 100, 0.001, 1]
    label = code[:, 3] / 0.001 + 0.5 * rng.standard_normal(2000) > 0
    rows = Rows.of(2000)
    found = probe_label(code, label, rows, [0.01, 1.0])
    # the angle between the score and the label's own direction: 1 - atan(0.5) / pi
    assert found.accuracy == pytest.approx(1 - np.arctan(0.5) / np.pi, abs=0.04)
    right, n = round(found.accuracy * 400), 400
    assert found.ci_low == pytest.approx(beta.ppf(0.025, right, n - right + 1))
    assert found.ci_high == pytest.approx(beta.ppf(0.975, right + 1, n - right))


def test_chance_for_a_label_of_something_else_and_a_constant_dimension() -> None:
    rng = np.random.default_rng(1)
    code = np.hstack([rng.standard_normal((4000, 3)), np.ones((4000, 1))])
    found = probe_label(code, rng.random(4000) > 0.5, Rows.of(4000), [0.1])
    assert found.ci_low < 0.5 < found.ci_high
    assert found.penalty == 0.1


def test_the_penalty_is_the_one_that_is_best_on_validation_rows() -> None:
    rng = np.random.default_rng(2)
    code = rng.standard_normal((300, 150))
    label = code[:, 0] + 0.1 * rng.standard_normal(300) > 0
    weak, strong = (probe_label(code, label, Rows.of(300), [penalty]) for penalty in (1e6, 1e-2))
    chosen = probe_label(code, label, Rows.of(300), [1e6, 1e-2])
    assert chosen in (weak, strong)
