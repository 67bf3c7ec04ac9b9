import numpy as np
import pandas as pd
import pytest

from dssl.errors import PairingError
from dssl.steps.learned_baselines import compare_trials
from dssl.steps.retrieval import codes_of


def trained(trial: int, seed: int, mrr: float) -> dict[str, object]:
    return {
        "method": "focal",
        "trial": trial,
        "seed": seed,
        "hyperparameters": {"a": 10.0**trial},
        "mrr": mrr,
        "loss": 1,
    }


def test_the_trial_with_the_best_mean_over_seeds_is_chosen() -> None:
    # the best single model is of another trial
    rows = [trained(0, 0, 0.9), trained(0, 1, 0.1), trained(1, 0, 0.6), trained(1, 1, 0.6), trained(2, 0, 0.2)]
    table = compare_trials(pd.DataFrame(rows))
    assert table["trial"].tolist() == [0, 1, 2]
    assert table["a"].tolist() == [1, 10, 100]
    assert table["mrr"].tolist() == pytest.approx([0.5, 0.6, 0.2])
    assert table["chosen"].tolist() == [False, True, False]
    assert "seed" not in table


def test_of_equal_trials_the_first_is_chosen() -> None:
    table = compare_trials(pd.DataFrame([trained(1, 0, 0.5), trained(0, 0, 0.5)]))
    assert table.loc[table["chosen"], "trial"].tolist() == [0]


def codes() -> pd.DataFrame:
    ids = ["a", "b", "a"]
    table = pd.DataFrame({"method": "focal", "level": ["compound", "compound", "molecule"], "id": ids})
    return table.assign(**{f"shared_{number + 1}": np.arange(3) + 10 * number for number in range(11)})


def test_codes_come_in_the_order_of_the_rows_and_of_the_columns() -> None:
    found = codes_of(codes(), "compound", ["b", "a"])
    assert found[:, 0].tolist() == [1, 0]
    assert found[0].tolist() == [1 + 10 * number for number in range(11)]
    assert codes_of(codes(), "molecule", ["a"])[0, 0] == 2


def test_missing_codes_are_an_error() -> None:
    with pytest.raises(PairingError, match=r"focal: no codes of 1 of 2 rows of level molecule: b\n.*again"):
        codes_of(codes(), "molecule", ["a", "b"])
