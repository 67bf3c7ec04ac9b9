"""Mean average precision of wells and compounds that should find one another."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.phenotypes.position import well_places

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
REPLICATE, MECHANISM = "replicate mAP", "mechanism mAP"
BATCH_MAP, PLATE_MAP, ROW_MAP = "batch mAP", "plate mAP", "row mAP"
METRICS = (REPLICATE, MECHANISM, BATCH_MAP, PLATE_MAP, ROW_MAP)


def average_precision(values: Floats, positive: Mask, candidate: Mask) -> tuple[Floats, Floats]:
    """Average precision of every row's positives among its candidates by cosine similarity, and its chance level.

    As `copairs.map.average_precision`, which lists pairs one by one; here a matrix product ranks all of them.

    Parameters
    ----------
    values : ndarray, shape (n, k)
        Profiles.
    positive, candidate : ndarray of bool, shape (n, n)
        What each row should find, and among what; positives are candidates, a row is none of its own.

    Returns
    -------
    precision, chance : ndarray, shape (n,)
        NaN for rows without a positive, or without any other candidate.
    """
    unit = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    similarity = np.where(candidate, unit @ unit.T, -np.inf)
    order = np.argsort(-similarity, axis=1, kind="stable")
    hits = np.take_along_axis(positive, order, axis=1)
    precision_at = np.cumsum(hits, axis=1) / np.arange(1, len(values) + 1)
    n_positive, n_candidates = positive.sum(axis=1), candidate.sum(axis=1)
    is_query = (n_positive > 0) & (n_candidates > n_positive)
    total = (precision_at * hits).sum(axis=1)
    precision = np.divide(total, n_positive, out=np.full(len(values), np.nan), where=is_query)
    chance = [
        _expected(int(m), int(n - m)) if query else np.nan
        for m, n, query in zip(n_positive, n_candidates, is_query, strict=True)
    ]
    return precision, np.asarray(chance)


@lru_cache(maxsize=100_000)
def _expected(n_positive: int, n_negative: int) -> float:
    from copairs.map.normalization import expected_ap

    return float(expected_ap(n_positive, n_negative))


def well_agreement(values: Floats, obs: pd.DataFrame) -> pd.DataFrame:
    """How well replicate wells find one another, and wells of a batch, a plate or a row do.

    Replicate mAP: a well of the same treatment, on another plate where any treatment lies on several, should come
    before the wells of other compounds; higher is better. Batch and plate mAP: among the wells of other compounds,
    those of the own batch or plate should not come first; the chance level is best. Row mAP: the same for wells of one
    row of any plate. Replicates that lie at one position on every plate find one another by whatever the position does,
    and by the error of an effect that was subtracted there: a replicate mAP that rises with the row mAP is no better.

    Parameters
    ----------
    values : ndarray, shape (n, k)
        Treated wells.
    obs : DataFrame
        compound_id, treatment, plate, batch, well.

    Returns
    -------
    DataFrame
        metric, compound_id, value, chance: means over the compound's wells.
    """
    compounds, treatments, plates, batches = (
        pd.factorize(obs[column].astype(str))[0]
        for column in (keys.COMPOUND_ID, keys.TREATMENT, keys.PLATE, keys.BATCH)
    )
    rows = well_places(obs[keys.WELL])[:, 0]
    others = compounds[:, None] != compounds
    replicates = (treatments[:, None] == treatments) & ~np.eye(len(obs), dtype=bool)
    elsewhere = replicates & (plates[:, None] != plates)
    replicates = elsewhere if elsewhere.any() else replicates
    wanted = {
        REPLICATE: (replicates, others | replicates),
        BATCH_MAP: (others & (batches[:, None] == batches), others),
        PLATE_MAP: (others & (plates[:, None] == plates), others),
        ROW_MAP: (others & (rows[:, None] == rows) & (rows >= 0), others & (rows >= 0)),
    }
    names = obs[keys.COMPOUND_ID].astype(str).to_numpy(dtype=object)
    return pd.concat([_scores(metric, values, *pair, names) for metric, pair in wanted.items()], ignore_index=True)


def mechanism_agreement(values: Floats, compounds: Sequence[str], mechanisms: Sequence[str]) -> pd.DataFrame:
    """How well compounds that share a mechanism find one another among all compounds with a known one.

    Parameters
    ----------
    values : ndarray, shape (n, k)
        One profile a compound.
    compounds, mechanisms : sequences of str, length n
        Several mechanisms of a compound are separated by "|"; "" where none is known.

    Returns
    -------
    DataFrame
        As `well_agreement`.
    """
    labels = [frozenset(filter(None, (part.strip() for part in text.split("|")))) for text in mechanisms]
    known = np.flatnonzero([bool(each) for each in labels])
    positive = np.array([[i != j and bool(labels[i] & labels[j]) for j in known] for i in known], dtype=bool)
    positive = positive.reshape(len(known), len(known))
    names = np.asarray(compounds, dtype=object)[known]
    return _scores(MECHANISM, values[known], positive, ~np.eye(len(known), dtype=bool), names)


def _scores(
    metric: str, values: Floats, positive: Mask, candidate: Mask, compounds: NDArray[np.object_]
) -> pd.DataFrame:
    value, chance = average_precision(values, positive, candidate)
    table = pd.DataFrame({keys.COMPOUND_ID: compounds, "value": value, "chance": chance}).dropna()
    means = table.groupby(keys.COMPOUND_ID, sort=False)[["value", "chance"]].mean().reset_index()
    means.insert(0, "metric", metric)
    return means
