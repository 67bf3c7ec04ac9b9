"""Tables made of the synthetic study's results: agreement with another implementation, comparison of methods."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

LABELS = ["z1", "zs", "z2"]
CODES = {"shared": "shared", "spe1": "specific_x", "spe2": "specific_y"}
AGREEMENT_COLUMNS = ["run", "beta", "lam", "n_pairs", "code", "label", "reference", "ours", "difference"]
DEFAULT = "dssl, default"
# accuracies on the label of Z1 at which methods are compared
LEVELS = (0.6, 0.65, 0.7, 0.75, 0.775, 0.8)
FRONTIER_COLUMNS = [
    "noise",
    "z1",
    "name",
    "n_seeds",
    "zs",
    "se_rows",
    "sd_seeds",
    "participation_ratio",
    "difference",
    "se_difference",
]
POINT_KEYS = ["name", "noise", "beta", "lam", "trial", "seed", "participation_ratio", "n_test"]


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


def frontiers(table: pd.DataFrame, levels: Sequence[float] = LEVELS) -> pd.DataFrame:
    """Accuracy on the label of Zs of every method's specific codes of X, at equal accuracy on the label of Z1.

    A method's points (over beta, lambda, trials) of one seed that no other of its points beats in both accuracies are
    its frontier; between two of them it is straight, to the left of the first it is level, to the right of the last
    there is none. It is drawn through test accuracies, which favours methods with many points.

    Returns
    -------
    DataFrame
        For each noise, level of Z1 and method: `zs`, mean over the seeds that reach the level (`n_seeds`; every seed
        draws its own data); `se_rows`, its standard error from the test rows (binomial errors of the points, through
        the interpolation); `sd_seeds`, the standard deviation over seeds; the lowest participation ratio of the points
        used; and `difference`, the preset default's zs less this one over the seeds that both reach, with its standard
        error `se_difference` (seeds where there are several, else rows).
    """
    points = specific_points(table).dropna(subset=["z1", "zs"])
    found = []
    for (noise, name, seed), own in points.groupby(["noise", "name", "seed"], dropna=False, sort=False):
        edge = _frontier(own)
        for level in levels:
            if (at := _interpolated(edge, level)) is not None:
                found.append({"noise": noise, "name": name, "seed": seed, "z1": level, **at})
    single = pd.DataFrame(found, columns=["noise", "name", "seed", "z1", "zs", "variance", "participation_ratio"])
    summary = [
        {**dict(zip(["noise", "z1", "name"], key, strict=True)), **_summary(rows, _default(single, rows))}
        for key, rows in single.groupby(["noise", "z1", "name"], sort=True)
    ]
    return pd.DataFrame(summary, columns=FRONTIER_COLUMNS)


def _frontier(points: pd.DataFrame) -> pd.DataFrame:
    """Points that no other beats in both accuracies, by rising Z1 (and so by rising Zs)."""
    falling = points.sort_values(["z1", "zs"], ascending=[False, True])
    lowest = falling["zs"].cummin().shift(fill_value=np.inf)
    return falling[falling["zs"] < lowest].iloc[::-1]


def _interpolated(edge: pd.DataFrame, level: float) -> dict[str, float] | None:
    """Accuracy on Zs where a frontier reaches a level of Z1, its variance, the lower participation ratio there."""
    right = int(edge["z1"].searchsorted(level))
    if right == len(edge):
        return None
    used = edge.iloc[max(right - 1, 0) : right + 1]
    zs, z1 = used["zs"].to_numpy(), used["z1"].to_numpy()
    share = (level - z1[0]) / (z1[1] - z1[0]) if len(used) > 1 else 0.0
    slope = (zs[1] - zs[0]) / (z1[1] - z1[0]) if len(used) > 1 else 0.0
    weights = np.array([1 - share, share])[: len(used)]
    errors = (zs * (1 - zs) + slope**2 * z1 * (1 - z1)) / used["n_test"].to_numpy()
    counted = used.loc[weights > 0, "participation_ratio"]
    return {
        "zs": float(weights @ zs),
        "variance": float(weights**2 @ errors),
        "participation_ratio": float(counted.min()),
    }


def _default(single: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The preset default's points at the noise and level of some rows."""
    same = (single["noise"] == rows["noise"].iloc[0]) & (single["z1"] == rows["z1"].iloc[0])
    found: pd.DataFrame = single[same & (single["name"] == DEFAULT)]
    return found


def _summary(rows: pd.DataFrame, default: pd.DataFrame) -> dict[str, Any]:
    """Mean over seeds, its errors, and the difference from the preset default."""
    both = rows.merge(default, on="seed", suffixes=("", "_default"))
    differences, n = both["zs_default"] - both["zs"], len(both)
    by_rows = (both["variance"] + both["variance_default"]).sum() ** 0.5 / max(n, 1)
    other = n > 0 and rows["name"].iloc[0] != DEFAULT
    return {
        "n_seeds": len(rows),
        "zs": rows["zs"].mean(),
        "se_rows": rows["variance"].sum() ** 0.5 / len(rows),
        "sd_seeds": rows["zs"].std(),
        "participation_ratio": rows["participation_ratio"].min(),
        "difference": differences.mean() if other else np.nan,
        "se_difference": (differences.std() / n**0.5 if n > 1 else by_rows) if other else np.nan,
    }


def specific_points(table: pd.DataFrame) -> pd.DataFrame:
    """Specific codes of X, one row each.

    Columns: name ("dssl, default", "focal", ...), noise, beta, lam, trial, seed, participation_ratio, n_test; for every
    label the accuracy ("zs") and its interval ("zs_low", "zs_high").
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
