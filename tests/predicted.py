"""Made-up tables of counterfactual profiles, as the steps write them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dssl import keys
from dssl.training.counterfactuals import MODEL, PLAIN_SWAP, RIDGE, STRUCTURE, TRANSFER

CONTROLS = {
    TRANSFER: ["mean_profile", "context_mean", "mean_shift", "nearest_neighbor", PLAIN_SWAP, RIDGE[TRANSFER]],
    STRUCTURE: ["mean_profile", "context_mean", "nearest_neighbor", RIDGE[STRUCTURE]],
}


def summary_rows(tasks: list[str], column: str = "plate") -> pd.DataFrame:
    rows = []
    for task in tasks:
        for number, method in enumerate([MODEL, *CONTROLS[task]]):
            value = 0.41 if method == MODEL else 0.05 * number
            scores = {"r2": (value, -0.37), "cosine": (value + 0.1, 0.01), "pearson": (value, 0.0)}
            if method == MODEL:
                scores["coverage"] = (0.9412, float("nan"))
            for metric, (score, chance) in scores.items():
                rows.append((column, task, method, metric, score, score - 0.03, score + 0.03, chance, 210, 107, 3))
    columns = ["context_column", "task", "method", "metric", "value", "ci_low", "ci_high", "chance", "n_queries"]
    return pd.DataFrame(rows, columns=[*columns, "n_compounds", "n_folds"])


def comparison_rows(tasks: list[str], difference: float, p_value: float, column: str = "plate") -> pd.DataFrame:
    rows = [
        (column, task, MODEL, method, metric, difference, difference - 0.1, difference + 0.1, p_value, 107, p_value)
        for task in tasks
        for method in CONTROLS[task]
        for metric in ("squared_error", "cosine")
    ]
    columns = ["context_column", "task", "method_a", "method_b", "metric", "difference", "ci_low", "ci_high"]
    return pd.DataFrame(rows, columns=[*columns, "p_value", "n_compounds", "p_holm"])


def group_rows(ids: Sequence[str], groups: Sequence[str], tasks: list[str], column: str = "plate") -> pd.DataFrame:
    """Two contexts of every compound, of which the second is asked and was not measured; folds in turn."""
    rng = np.random.default_rng(0)
    frame = pd.MultiIndex.from_product(
        [tasks, ids, ["P1", "<P2>"], groups], names=["task", keys.COMPOUND_ID, "context", "group"]
    ).to_frame(index=False)
    asked = frame["context"] == "<P2>"
    sd = frame["group"].map({name: 0.5 + 0.1 * k for k, name in enumerate(groups)})
    return frame.assign(
        fold=pd.Categorical(frame[keys.COMPOUND_ID], list(ids)).codes % 2,
        context_column=column,
        treatment=frame[keys.COMPOUND_ID] + "@1uM",
        grouping="compartment x channel",
        n_features=3,
        predicted=rng.normal(size=len(frame)),
        sd=sd,
        measured=np.where(asked, np.nan, rng.normal(size=len(frame))),
        rmse=0.4,
        held_out_rmse=1.5 * sd,
        n_held_out=107,
        asked=asked,
    ).astype({"fold": str})
