import numpy as np
import pandas as pd
import pytest

from dssl.evaluation.study_tables import agreement_table, at_equal_accuracy, specific_points


def row(code: str, label: str, accuracy: float, **identity: object) -> dict[str, object]:
    return {
        "method": "dssl",
        "preset": "released",
        "noise": 0.0,
        "beta": 1.0,
        "lam": np.nan,
        "trial": np.nan,
        "seed": 0.0,
        "code": code,
        "label": label,
        "accuracy": accuracy,
        "ci_low": accuracy - 0.01,
        "ci_high": accuracy + 0.01,
        "n_test": 4000,
        "participation_ratio": 30.0,
        **identity,
    }


def point(z1: float, zs: float, **identity: object) -> list[dict[str, object]]:
    return [row("specific_x", label, value, **identity) for label, value in (("z1", z1), ("zs", zs), ("z2", 0.5))]


def test_agreement_takes_the_same_run_and_no_other() -> None:
    table = pd.DataFrame(
        [
            *(row("shared", label, 0.7) for label in ("z1", "zs", "z2")),
            *(row("shared", label, 0.1, preset="default") for label in ("z1", "zs", "z2")),
            *(row("shared", label, 0.2, noise=1.0) for label in ("z1", "zs", "z2")),
            *(row("shared", label, 0.3, beta=10.0) for label in ("z1", "zs", "z2")),
            *point(0.75, 0.6, lam=0.1),
        ]
    )
    step_1 = {"run": "step1", "beta": 1.0, "seed": 0, "num_data": 20000, "probe_acc": {"shared": [0.71, 0.7, 0.65]}}
    step_2 = {**step_1, "run": "step2", "lam": 0.1, "probe_acc": {"spe1": [0.75, 0.61, 0.5]}}
    larger = {**step_1, "num_data": 90000}
    found = agreement_table(table, {"runs": [step_1, step_2, larger, {**step_1, "run": "focal"}]})
    assert list(found["run"]) == ["step1"] * 3 + ["step2"] * 3
    assert list(found["difference"]) == pytest.approx([-0.01, 0.0, 0.05, 0.0, -0.01, 0.0])
    assert len(agreement_table(table, None)) == 0


def test_rivals_are_those_at_least_as_accurate_on_the_specific_label() -> None:
    table = pd.DataFrame(
        [
            *point(0.70, 0.55, preset="default", lam=1.0),
            *point(0.72, 0.62, lam=0.1),
            *point(0.60, 0.50, lam=1.0),
            *point(0.65, 0.60, method="focal", preset=np.nan, beta=np.nan, trial=0.0),
        ]
    )
    found = at_equal_accuracy(table).set_index("other")
    assert found.loc["dssl, released", "zs_of_other"] == 0.62
    assert np.isnan(found.loc["focal", "zs_of_other"])
    assert set(found["zs"]) == {0.55}
    assert len(specific_points(table)) == 4
