"""What differs in held-out retrieval and in what the codes know."""

import numpy as np
import pandas as pd

from dssl import keys
from dssl.compare.results import Results
from dssl.evaluation.ranks import MEAN_NORMALIZED_RANK, MRR
from dssl.evaluation.statistics import (
    ALL_FOLDS,
    bootstrap_samples,
    holm,
    paired_test,
    per_compound,
    percentile_interval,
)

MODEL = "dssl"
SETTING = ["direction", "library"]
MODEL_METRICS = ("top_1", "top_10", MRR, MEAN_NORMALIZED_RANK)
PAIRED, UNPAIRED = "paired", "unpaired"
# with fewer, a test over compounds that both runs held out says nothing
FEWEST_PAIRS = 10
MEASURES = {
    "probes": (["level", "code", "column", "score_name"], "score"),
    "dependence": (["code_a", "code_b", "measure"], "value"),
    "leakage": (["code", "alignment", "direction"], "mrr"),
}


def compare_retrieval(a: Results, b: Results, n_bootstrap: int, rng: np.random.Generator) -> pd.DataFrame:
    """Held-out retrieval of compounds by every method that both runs have.

    Where both runs held out the same compounds (at least FEWEST_PAIRS, by InChIKey), only these are compared, compound
    by compound (`dssl.evaluation.statistics.paired_test`), in whichever folds they were held out. Otherwise all
    compounds of either run, with the interval of a difference of two independent bootstraps and no p-value.

    Returns
    -------
    DataFrame
        direction, library, method, metric, design ("paired", "unpaired"), n_a, n_b, value_a, value_b, chance_a,
        chance_b, library_size_a, library_size_b, difference (b - a), ci_low, ci_high, p_value and p_holm (corrected for
        all rows of the model, or for all of the controls).
    """
    first, second = a.queries(), b.queries()
    rows = []
    for names, of_a in first.groupby(["method", *SETTING], sort=True, observed=True):
        method, direction, library = names
        same = (second["method"] == method) & (second["direction"] == direction) & (second["library"] == library)
        if not same.any():
            continue
        setting = {"direction": direction, "library": library, "method": method}
        rows += [setting | row for row in _compare(of_a, second[same], _metrics(str(method)), n_bootstrap, rng)]
    if not rows:
        return pd.DataFrame(columns=[*SETTING, "method"])
    table = pd.DataFrame(rows).sort_values([*SETTING, "method"], key=_model_first, kind="stable", ignore_index=True)
    corrected = table.groupby(table["method"] == MODEL)["p_value"].transform(_holm_of_known)
    return table.assign(p_holm=corrected)


def _holm_of_known(p_values: "pd.Series[float]") -> "pd.Series[float]":
    known = p_values.dropna()
    return pd.Series(holm(known.to_numpy(dtype=np.float64)), index=known.index).reindex(p_values.index)


def _metrics(method: str) -> tuple[str, ...]:
    """Metrics of the model; of the controls, which stand beside it, one."""
    return MODEL_METRICS if method == MODEL else (MRR,)


def _model_first(column: pd.Series) -> pd.Series:
    return column.map(lambda name: (name != MODEL, str(name))) if column.name == "method" else column


def _compare(
    a: pd.DataFrame, b: pd.DataFrame, metrics: tuple[str, ...], n_bootstrap: int, rng: np.random.Generator
) -> list[dict[str, object]]:
    common = set(a[keys.COMPOUND_ID]) & set(b[keys.COMPOUND_ID])
    paired = len(common) >= FEWEST_PAIRS
    if paired:
        a, b = (each[each[keys.COMPOUND_ID].isin(common)] for each in (a, b))
    chances = [f"chance_{metric}" for metric in metrics]
    means = [per_compound(each, [*metrics, *chances, "library_size"]) for each in (a, b)]
    rows = []
    for metric in metrics:
        row: dict[str, object] = {"metric": metric, "design": PAIRED if paired else UNPAIRED}
        for name, mean in zip("ab", means, strict=True):
            row |= {f"n_{name}": len(mean), f"value_{name}": mean[metric].mean()}
            row |= {
                f"chance_{name}": mean[f"chance_{metric}"].mean(),
                f"library_size_{name}": mean["library_size"].mean(),
            }
        if paired:
            # a compound may be held out in another fold of the other run
            of_b, of_a = (each.assign(fold=ALL_FOLDS) for each in (b, a))
            test = paired_test(of_b, of_a, metric, rng, n_bootstrap, n_bootstrap)
            row |= {"difference": test.difference, "ci_low": test.ci_low, "ci_high": test.ci_high}
            row["p_value"] = test.p_value
        else:
            samples = [bootstrap_samples(each[[metric]].to_numpy(np.float64), n_bootstrap, rng) for each in means]
            low, high = percentile_interval(samples[1] - samples[0])
            row |= {"difference": means[1][metric].mean() - means[0][metric].mean(), "ci_low": float(low[0])}
            row |= {"ci_high": float(high[0]), "p_value": np.nan}
        rows.append(row)
    return rows


def compare_measures(a: Results, b: Results) -> dict[str, pd.DataFrame]:
    """What the codes know and share: probes, dependence and leakage, by their names.

    Each table has a row per measure that either run has: the mean over folds (_a, _b), the lowest and the highest fold,
    chance, and the difference b - a, missing where one run lacks it.
    """
    return {name: _join(a, b, name, *columns) for name, columns in MEASURES.items()}


def _join(a: Results, b: Results, name: str, by: list[str], value: str) -> pd.DataFrame:
    sides = []
    for results, suffix in ((a, "_a"), (b, "_b")):
        table = results.table(f"summarize_folds/{name}.tsv").dropna(subset=[value])
        grouped = table.groupby(by, sort=True)
        side = pd.DataFrame(
            {
                "value": grouped[value].mean(),
                "lowest": grouped[value].min(),
                "highest": grouped[value].max(),
                "chance": grouped["chance"].mean(),
                "n_folds": grouped["fold"].nunique(),
            }
        )
        sides.append(side.add_suffix(suffix))
    joined = sides[0].join(sides[1], how="outer")
    joined["difference"] = joined["value_b"] - joined["value_a"]
    return joined.reset_index()
