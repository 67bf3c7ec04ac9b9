"""Whether a new molecule or profile lies where the model was measured: further from the training set than what was held out?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl.evaluation.ranks import METRICS, Floats
from dssl.evaluation.statistics import bootstrap_interval

INSIDE, BORDERLINE, OUTSIDE = "inside", "borderline", "outside"
FLAGS = (INSIDE, BORDERLINE, OUTSIDE)
ALL = "all"
APPLICABILITY, REASON = "applicability", "applicability_reason"
SHOWN_METRICS = ("mrr", "mean_normalized_rank")
MOST_VALUES = 2001  # of a reference distribution: the share of one value is known to 0.05 %


@dataclass(frozen=True)
class Measure:
    """How far from the training set something is.

    Attributes
    ----------
    name : str
        Column of obs.
    far_is : str
        "low" or "high": which values are far.
    text : str
        The value in words.
    only_beyond : bool
        Counts only beyond every held-out compound: strong profiles are far from others, and are retrieved well.
    """

    name: str
    far_is: str
    text: str
    only_beyond: bool = False


MEASURES = {
    measure.name: measure
    for measure in (
        Measure("nearest_tanimoto", "low", "Tanimoto similarity {value:.2f} to the nearest training molecule"),
        Measure("descriptors_outside", "high", "{value:.0f} descriptors outside the range of the training molecules"),
        Measure("nearest_cosine", "low", "cosine {value:.2f} with the nearest training profile"),
        Measure("nearest_distance", "high", "distance {value:.3g} to the nearest training profile", only_beyond=True),
    )
}


def reference_values(values: Floats) -> Floats:
    """Ascending held-out values of a measure; of very many, evenly spaced quantiles."""
    if len(values) <= MOST_VALUES:
        return np.sort(np.asarray(values, dtype=np.float64))
    return np.asarray(np.quantile(values, np.linspace(0, 1, MOST_VALUES)), dtype=np.float64)


def far_share(reference: Floats, values: Floats, far_is: str) -> Floats:
    """Share of held-out values (ascending) that are as far from the training set as each of `values`, or further."""
    if far_is == "low":
        return np.asarray(np.searchsorted(reference, values, side="right") / len(reference), dtype=np.float64)
    return np.asarray(1 - np.searchsorted(reference, values, side="left") / len(reference), dtype=np.float64)


def _counted_share(reference: Floats, values: Floats, measure: Measure) -> Floats:
    share = far_share(reference, values, measure.far_is)
    return np.where(share > 0, 1.0, 0.0) if measure.only_beyond else share


def flag(
    references: Mapping[str, Floats], values: Mapping[str, Floats], outside_below: float, borderline_below: float
) -> pd.DataFrame:
    """Flag each row by the measure in which it is furthest from the training set.

    Parameters
    ----------
    references : mapping
        Of each measure (keys of MEASURES) the ascending values of the held-out compounds.
    values : mapping
        Of each measure the values (n,) of the rows.
    outside_below, borderline_below : float
        A row is outside (borderline) if less than this share of the held-out compounds is as far, or further.

    Returns
    -------
    DataFrame
        Columns applicability ("inside", "borderline", "outside") and applicability_reason ("" where inside).
    """
    names = list(values)
    shares = np.array([_counted_share(references[name], values[name], MEASURES[name]) for name in names])
    worst, share = shares.argmin(axis=0), shares.min(axis=0)
    flags = np.select([share < outside_below, share < borderline_below], [OUTSIDE, BORDERLINE], INSIDE)
    reasons = [
        "" if flagged == INSIDE else _reason(names[measure], float(values[names[measure]][row]), part)
        for row, (flagged, measure, part) in enumerate(zip(flags, worst, share, strict=True))
    ]
    return pd.DataFrame({APPLICABILITY: flags.astype(object), REASON: pd.Series(reasons, dtype=object)})


def _reason(name: str, value: float, share: float) -> str:
    return f"{MEASURES[name].text.format(value=value)}; of the held-out compounds {share:.1%} are as far, or further"


def performance_by_flag(queries: pd.DataFrame, n_bootstrap: int, rng: np.random.Generator) -> pd.DataFrame:
    """How well held-out compounds of each flag were retrieved.

    Parameters
    ----------
    queries : DataFrame
        One row per held-out compound and direction: direction, applicability, library_size, every metric and its
        chance_<metric> (`dssl.evaluation.retrieval.query_table`).
    n_bootstrap : int
        Bootstrap samples over compounds, for the 95 % intervals.
    rng : Generator
        Draws them.

    Returns
    -------
    DataFrame
        direction, applicability ("all" for all of them), metric, value, ci_low, ci_high, chance, n_compounds,
        library_size; a flag without held-out compounds has no rows.
    """
    rows = []
    for direction, group in queries.groupby("direction", sort=True):
        for name in (*FLAGS, ALL):
            chosen = group if name == ALL else group[group[APPLICABILITY] == name]
            if len(chosen):
                head = {"direction": direction, APPLICABILITY: name}
                rows += [{**head, **each} for each in _summaries(chosen, n_bootstrap, rng)]
    return pd.DataFrame(rows)


def _summaries(queries: pd.DataFrame, n_bootstrap: int, rng: np.random.Generator) -> list[dict[str, object]]:
    values = queries[list(METRICS)].to_numpy(dtype=np.float64)
    low, high = bootstrap_interval(values, n_bootstrap, rng)
    places: Sequence[int] = [METRICS.index(name) for name in SHOWN_METRICS]
    return [
        {
            "metric": METRICS[place],
            "value": values[:, place].mean(),
            "ci_low": low[place],
            "ci_high": high[place],
            "chance": queries[f"chance_{METRICS[place]}"].mean(),
            "n_compounds": len(queries),
            "library_size": queries["library_size"].mean(),
        }
        for place in places
    ]


def nearest_training(rows: NDArray[np.float32], training: NDArray[np.float32]) -> dict[str, Floats]:
    """Of each profile, the largest cosine with a training profile, and the smallest Euclidean distance to one."""
    from sklearn.metrics import pairwise_distances_argmin_min

    if not len(rows):
        return {"nearest_cosine": np.empty(0), "nearest_distance": np.empty(0)}
    given = rows.astype(np.float64), training.astype(np.float64)
    units = (each / np.maximum(np.linalg.norm(each, axis=1, keepdims=True), np.finfo(float).tiny) for each in given)
    chord = np.asarray(pairwise_distances_argmin_min(*units)[1], dtype=np.float64)
    distance = np.asarray(pairwise_distances_argmin_min(*given)[1], dtype=np.float64)
    # of unit vectors, |a - b|^2 = 2 - 2 cos
    return {"nearest_cosine": 1 - chord**2 / 2, "nearest_distance": distance}
