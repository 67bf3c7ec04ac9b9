import numpy as np
import pandas as pd
import pytest

from dssl.evaluation.study_tables import agreement_table, frontiers, specific_points


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


def test_methods_are_compared_where_their_frontiers_cross_a_level() -> None:
    table = pd.DataFrame(
        [
            *point(0.70, 0.55, preset="default", lam=1.0),
            *point(0.80, 0.60, preset="default", lam=0.1),
            # beaten in both accuracies by the point above: not on the frontier
            *point(0.72, 0.65, preset="default", lam=0.0),
            *point(0.74, 0.66, lam=0.1),
            *point(0.65, 0.60, method="focal", preset=np.nan, beta=np.nan, trial=0.0, participation_ratio=5.0),
        ]
    )
    found = frontiers(table, levels=(0.6, 0.7, 0.75)).set_index(["name", "z1"])
    default = found.loc["dssl, default"]
    # to the left of the first point it is level, between two points straight
    assert list(default["zs"]) == pytest.approx([0.55, 0.55, 0.575])
    assert default["difference"].isna().all()
    assert found.loc[("dssl, released", 0.7), "difference"] == pytest.approx(0.55 - 0.66)
    assert ("dssl, released", 0.75) not in found.index
    assert [level for name, level in found.index if name == "focal"] == [0.6]
    assert found.loc[("focal", 0.6), "participation_ratio"] == 5.0
    assert len(specific_points(table)) == 5


def test_the_error_of_a_frontier_is_that_of_simulated_accuracies() -> None:
    rng, n, level = np.random.default_rng(0), 4000, 0.73
    truth = {0.70: 0.55, 0.76: 0.61}
    drawn = []
    for seed in range(400):
        noisy = [[rng.binomial(n, value) / n for value in pair] for pair in truth.items()]
        for lam, (z1, zs) in enumerate(noisy):
            drawn += point(z1, zs, preset="default", lam=float(lam), seed=float(seed))
    found = frontiers(pd.DataFrame(drawn), levels=(level,)).iloc[0]
    assert found["n_seeds"] == 400
    assert found["zs"] == pytest.approx(0.58, abs=0.002)
    assert found["se_rows"] * 400**0.5 == pytest.approx(found["sd_seeds"], rel=0.12)


def test_differences_are_taken_between_the_same_seeds() -> None:
    rows = [*point(0.8, 0.5, preset="default"), *point(0.8, 0.6, preset="default", seed=1.0)]
    rows += [*point(0.8, 0.6), *point(0.8, 0.72, seed=1.0), *point(0.8, 0.9, seed=2.0)]
    found = frontiers(pd.DataFrame(rows), levels=(0.8,)).set_index("name").loc["dssl, released"]
    assert found["n_seeds"] == 3
    assert found["difference"] == pytest.approx(-0.11)
    assert found["se_difference"] == pytest.approx(np.std([-0.1, -0.12], ddof=1) / 2**0.5)
