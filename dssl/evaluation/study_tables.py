"""Tables made of the synthetic study's results: agreement with another implementation, comparison of methods."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

LABELS = ["z1", "zs", "z2"]
CODES = {"shared": "shared", "spe1": "specific_x", "spe2": "specific_y"}
AGREEMENT_COLUMNS = ["run", "beta", "lam", "n_pairs", "code", "label", "reference", "ours", "difference"]
TOLERANCE = 0.01
POINT_KEYS = ["name", "noise", "beta", "lam", "trial", "seed", "participation_ratio"]


def agreement_table(table: pd.DataFrame, reference: dict[str, Any] | None) -> pd.DataFrame:
    """Accuracies of the preset released without noise, seed 0, beside those of a reference file; empty without one.

    Parameters
    ----------
    table : the study's table.
    reference : "runs" with "run" (step1, step2, untrained_step1, raw_xy), "beta", "lam", "num_data" and "probe_acc" (code
        -> accuracies for the labels of Z1, Zs, Z2). Runs that the study does not hold are left out.
    """
    found = []
    for run in (reference or {}).get("runs", []):
        chosen = table[_same_run(table, run)]
        for code, accuracies in run["probe_acc"].items():
            for label, accuracy in zip(LABELS, accuracies, strict=True):
                ours = chosen.loc[(chosen["code"] == CODES[code]) & (chosen["label"] == label), "accuracy"]
                if len(ours):
                    head = {name: run.get(name) for name in ("run", "beta", "lam")} | {"n_pairs": run["num_data"]}
                    value = float(ours.iloc[0])
                    line = {"code": CODES[code], "label": label, "reference": accuracy, "ours": value}
                    found.append({**head, **line, "difference": value - accuracy})
    return pd.DataFrame(found, columns=AGREEMENT_COLUMNS)


def _same_run(table: pd.DataFrame, run: dict[str, Any]) -> NDArray[np.bool_]:
    same = table["noise"].eq(0).to_numpy() & table["n_test"].eq(round(0.2 * run["num_data"])).to_numpy()
    contexts = {"untrained_step1": "untrained encoder", "raw_xy": "raw input"}
    if run["run"] in contexts:
        return np.asarray(same & table["method"].eq(contexts[run["run"]]).to_numpy())
    if run["run"] not in ("step1", "step2"):
        return np.zeros(len(table), dtype=bool)
    for name in ("seed", "beta"):
        same &= table[name].eq(run[name]).to_numpy()
    same &= table["preset"].eq("released").to_numpy()
    return np.asarray(same & (table["lam"].eq(run["lam"]) if run["run"] == "step2" else table["lam"].isna()).to_numpy())


def at_equal_accuracy(table: pd.DataFrame) -> pd.DataFrame:
    """For every specific code of X: the best of the other methods' accuracies on Zs at its accuracy on Z1, or higher.

    Returns
    -------
    DataFrame
        For each noise and each point of the preset default: its accuracies, its participation ratio, and for every
        other method and preset the lowest accuracy on the label of Zs among points at least as accurate on the label of Z1
        (less a tolerance of 0.01); missing where no point is.
    """
    points = specific_points(table)
    ours, found = points[points["name"] == "dssl, default"], []
    for own in ours.to_dict("records"):
        for name, others in points[(points["noise"] == own["noise"]) & (points["name"] != own["name"])].groupby("name"):
            rivals = others[others["z1"] >= own["z1"] - TOLERANCE]
            line = {key: own[key] for key in ("noise", "beta", "lam", "seed", "z1", "zs", "participation_ratio")}
            lowest = float(rivals["zs"].min()) if len(rivals) else np.nan
            ratio = float(rivals.loc[rivals["zs"].idxmin(), "participation_ratio"]) if len(rivals) else np.nan
            found.append({**line, "other": name, "zs_of_other": lowest, "participation_ratio_of_other": ratio})
    columns = ["noise", "beta", "lam", "seed", "z1", "zs", "participation_ratio", "other", "zs_of_other"]
    return pd.DataFrame(found, columns=[*columns, "participation_ratio_of_other"])


def specific_points(table: pd.DataFrame) -> pd.DataFrame:
    """Specific codes of X, one row each.

    Columns: name ("dssl, default", "focal", ...), noise, beta, lam, trial, seed, participation_ratio; for every label the
    accuracy ("zs") and its interval ("zs_low", "zs_high").
    """
    chosen = table[table["code"] == "specific_x"].copy()
    chosen["name"] = [
        method if pd.isna(preset) else f"{method}, {preset}"
        for method, preset in zip(chosen["method"], chosen["preset"], strict=True)
    ]
    found = []
    for values, rows in chosen.groupby(POINT_KEYS, dropna=False, sort=False):
        line: dict[str, Any] = dict(zip(POINT_KEYS, values, strict=True))
        for row in rows.to_dict("records"):
            label = row["label"]
            line |= {label: row["accuracy"], f"{label}_low": row["ci_low"], f"{label}_high": row["ci_high"]}
        found.append(line)
    bounds = [f"{label}{end}" for label in LABELS for end in ("", "_low", "_high")]
    return pd.DataFrame(found, columns=[*POINT_KEYS, *bounds])
