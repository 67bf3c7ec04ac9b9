"""Scores of compounds by what is known of them: a row for each mechanism, target, or other value of an annotation."""

import numpy as np
import pandas as pd

from dssl.evaluation.enrichment import value_sets
from dssl.evaluation.statistics import bootstrap_interval

# with fewer compounds an interval by resampling says too little
FEWEST = 5


def mean_by_value(
    scores: pd.DataFrame, annotation: "pd.Series[str]", n_bootstrap: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Mean scores of the compounds that have a value of the annotation in common.

    A compound with several values ("a|b") counts for each of them.

    Parameters
    ----------
    scores : a row per compound, numbers without missing ones.
    annotation : of the same rows; missing or empty: the compound has no value.
    n_bootstrap : samples of compounds, drawn for values of at least FEWEST compounds.
    rng : draws them.

    Returns
    -------
    DataFrame
        A row per value, those of most compounds first: value, n_compounds, and for every score its mean and its 95 %
        interval (NAME, NAME_low, NAME_high; NaN for fewer than FEWEST compounds).
    """
    held = [(value, row) for row, values in enumerate(value_sets(annotation)) for value in sorted(values)]
    numbers = scores.to_numpy(dtype=np.float64)
    found = []
    for value, rows in pd.DataFrame(held, columns=["value", "row"]).groupby("value", sort=True)["row"]:
        own = numbers[rows.to_numpy()]
        missing = np.full(own.shape[1], np.nan)
        low, high = bootstrap_interval(own, n_bootstrap, rng) if len(own) >= FEWEST else (missing, missing)
        columns = zip(map(str, scores.columns), own.mean(axis=0), low, high, strict=True)
        named = {
            f"{name}{end}": one
            for name, *three in columns
            for end, one in zip(("", "_low", "_high"), three, strict=True)
        }
        found.append({"value": value, "n_compounds": len(own), **named})
    names = [f"{name}{end}" for name in scores.columns for end in ("", "_low", "_high")]
    table = pd.DataFrame(found, columns=["value", "n_compounds", *names])
    return table.sort_values(["n_compounds", "value"], ascending=[False, True], ignore_index=True)
