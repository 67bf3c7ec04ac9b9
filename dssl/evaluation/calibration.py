"""What a score is worth: its percentile among held-out pairs, and the chance that a pair of this score is a match."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl.errors import PairingError
from dssl.evaluation.ranking import SIMILARITY_DECIMALS, cosine_chunks
from dssl.evaluation.ranks import Floats
from dssl.evaluation.retrieval import unit_rows

CALIBRATION_COLUMNS = [
    "score",
    "percentile_match",
    "percentile_other",
    "likelihood_ratio",
    "ratio_low",
    "ratio_high",
    "n_compounds",
    "library_size",
]
MATCHES_PER_BIN = 10
MOST_BINS = 20
HALF = 0.5  # pseudo-count of every bin: no ratio is infinite because nothing was seen
FINE_BINS = 20_000
TAILS = (0.999, 0.9999, 0.99999)


class HeldOutCodes(NamedTuple):
    """Codes of one fold's held-out compounds.

    Attributes
    ----------
    phenotype : (rows, d) codes of profiles.
    compound : (rows,) the row of `molecule` that each belongs to; every compound has a profile.
    molecule : (compounds, d) codes of molecules.
    """

    phenotype: NDArray[np.float32]
    compound: NDArray[np.int64]
    molecule: NDArray[np.float32]


def calibrate(folds: Sequence[HeldOutCodes], n_bootstrap: int, rng: np.random.Generator) -> pd.DataFrame:
    r"""Measure on held-out compounds how scores of matches and of other pairs are distributed.

    A pair is a profile and a molecule of one fold's held-out compounds; its score is the cosine of their codes. Every
    compound counts once, whatever the number of its profiles. The likelihood ratio

    .. math:: L(s) = p(s | match) / p(s | other)

    is taken in bins that hold equal shares of the matches (ten compounds or more, twenty bins at most), with half a
    pair added to every bin, made monotone in s by isotonic regression of log L (weights: matches), and interpolated
    between the bins' median matches; beyond the outer ones it is constant. Its 95 % interval is the percentile
    bootstrap over compounds, each with all its pairs, of each bin by itself, made monotone afterwards: the regression
    alone, repeated on samples, would hide that it lifts the highest bin.

    Parameters
    ----------
    folds : sequence of HeldOutCodes
        One for each test fold.
    n_bootstrap : int
        Bootstrap samples.
    rng : Generator
        Draws them.

    Returns
    -------
    DataFrame
        CALIBRATION_COLUMNS at ascending scores: shares of matches and of other pairs that score lower, the likelihood
        ratio and its interval, the number of compounds, and the mean number of molecules in a fold's library.

    Raises
    ------
    PairingError
        If there are fewer than two held-out compounds in every fold.
    """
    from sklearn.isotonic import isotonic_regression

    usable = [fold for fold in folds if len(fold.molecule) > 1]
    if not usable:
        raise PairingError(
            "calibration needs a fold with two held-out compounds at least, found none\nUse fewer folds."
        )
    matches, weights = _matches(usable)
    n_compounds = sum(len(fold.molecule) for fold in usable)
    n_bins = int(np.clip(n_compounds // MATCHES_PER_BIN, 1, MOST_BINS))
    edges = _quantiles(matches, weights, np.arange(1, n_bins) / n_bins)
    centres = _quantiles(matches, weights, (np.arange(n_bins) + HALF) / n_bins)
    counts = _count(usable, edges)
    drawn = rng.multinomial(n_compounds, np.full(n_compounds, 1 / n_compounds), size=n_bootstrap).astype(np.float64)
    weights_of_bins = counts.match.sum(axis=0) + HALF
    raw = _log_ratio(counts.match.sum(axis=0), counts.other.sum(axis=0))
    resampled = np.quantile(_log_ratio(drawn @ counts.match, drawn @ counts.other), [0.025, 0.975], axis=0)
    ratio, low, high = (isotonic_regression(each, sample_weight=weights_of_bins) for each in (raw, *resampled))
    cumulative = np.concatenate([[0.0], np.cumsum(counts.fine)]) / counts.fine.sum()
    fine_edges = np.linspace(-1, 1, FINE_BINS + 1)
    shares = np.concatenate([np.linspace(0, 1, 101), TAILS])
    tails = fine_edges[np.clip(np.searchsorted(cumulative, shares), 0, FINE_BINS)]
    grid = np.unique(np.concatenate([tails, _quantiles(matches, weights, shares), centres]))
    return pd.DataFrame(
        {
            "score": grid,
            "percentile_match": _share_below(matches, weights, grid),
            "percentile_other": np.interp(grid, fine_edges, cumulative),
            "likelihood_ratio": np.exp(np.interp(grid, centres, ratio)),
            "ratio_low": np.exp(np.interp(grid, centres, np.minimum(low, ratio))),
            "ratio_high": np.exp(np.interp(grid, centres, np.maximum(high, ratio))),
            "n_compounds": n_compounds,
            "library_size": n_compounds / len(usable),
        }
    )


def worth(calibration: pd.DataFrame, scores: Floats, library_size: int) -> pd.DataFrame:
    r"""Percentiles and precision of scores.

    Precision is the posterior probability that the pair is the match if exactly one of the N items of the library is
    (prior 1/N):

    .. math:: P(match | s) = L(s) / (L(s) + N - 1)

    Parameters
    ----------
    calibration : DataFrame
        What `calibrate` gave.
    scores : (n,) cosines of codes.
    library_size : int
        N, the number of items ranked.

    Returns
    -------
    DataFrame
        percentile_match, percentile_other, precision, precision_low, precision_high.
    """
    grid = calibration["score"].to_numpy()
    found = {
        name: np.interp(scores, grid, calibration[name].to_numpy()) for name in ("percentile_match", "percentile_other")
    }
    names = {"precision": "likelihood_ratio", "precision_low": "ratio_low", "precision_high": "ratio_high"}
    for name, column in names.items():
        ratio = np.exp(np.interp(scores, grid, np.log(calibration[column].to_numpy())))
        found[name] = ratio / (ratio + library_size - 1)
    return pd.DataFrame(found)


class _Counts(NamedTuple):
    """Weights of pairs: per compound and bin, and of the other pairs in fine bins from -1 to 1."""

    match: Floats
    other: Floats
    fine: Floats


def _row_weights(fold: HeldOutCodes) -> Floats:
    return np.asarray(1 / np.bincount(fold.compound, minlength=len(fold.molecule))[fold.compound], dtype=np.float64)


def _matches(folds: Sequence[HeldOutCodes]) -> tuple[Floats, Floats]:
    """Scores of all matches in ascending order, and their weights."""
    scores = [
        np.round((unit_rows(fold.phenotype) * unit_rows(fold.molecule)[fold.compound]).sum(axis=1), SIMILARITY_DECIMALS)
        for fold in folds
    ]
    joined, weights = np.concatenate(scores), np.concatenate([_row_weights(fold) for fold in folds])
    order = np.argsort(joined, kind="stable")
    return joined[order], weights[order]


def _quantiles(values: Floats, weights: Floats, shares: Floats) -> Floats:
    """Weighted quantiles of ascending values."""
    position = (np.cumsum(weights) - HALF * weights) / weights.sum()
    return np.asarray(np.interp(shares, position, values), dtype=np.float64)


def _share_below(values: Floats, weights: Floats, at: Floats) -> Floats:
    """Weight of the ascending values below each of `at`; half of those that are equal."""
    total = np.concatenate([[0.0], np.cumsum(weights)]) / weights.sum()
    below, up_to = np.searchsorted(values, at, "left"), np.searchsorted(values, at, "right")
    return np.asarray((total[below] + total[up_to]) / 2, dtype=np.float64)


def _count(folds: Sequence[HeldOutCodes], edges: Floats) -> _Counts:
    parts = [_count_fold(fold, edges) for fold in folds]
    return _Counts(
        np.concatenate([part.match for part in parts]),
        np.concatenate([part.other for part in parts]),
        np.sum([part.fine for part in parts], axis=0),
    )


def _count_fold(fold: HeldOutCodes, edges: Floats) -> _Counts:
    n, n_bins = len(fold.molecule), len(edges) + 1
    weights = _row_weights(fold)
    match, other, fine = np.zeros((n, n_bins)), np.zeros((n, n_bins)), np.zeros(FINE_BINS)
    for rows, scores in _chunks(fold):
        compound, weight = fold.compound[rows], weights[rows]
        bins = np.searchsorted(edges, scores, side="right")
        own = np.arange(len(scores)), compound
        np.add.at(match, (compound, bins[own]), weight)
        np.add.at(other, (compound[:, None], bins), weight[:, None])
        np.add.at(other, (compound, bins[own]), -weight)
        places = np.clip(((scores + 1) / 2 * FINE_BINS).astype(np.int64), 0, FINE_BINS - 1)
        fine += np.bincount(places.ravel(), np.repeat(weight, n), minlength=FINE_BINS)
        fine -= np.bincount(places[own], weight, minlength=FINE_BINS)
    # what is taken away again leaves rounding errors
    return _Counts(match, np.maximum(other, 0.0), np.maximum(fine, 0.0))


def _chunks(fold: HeldOutCodes) -> Iterator[tuple[slice, Floats]]:
    phenotype, molecule = unit_rows(fold.phenotype), unit_rows(fold.molecule)
    return cosine_chunks(phenotype, molecule)


def _log_ratio(match: Floats, other: Floats) -> Floats:
    """Log likelihood ratio of each bin (last axis)."""
    smooth_match, smooth_other = match + HALF, other + HALF
    ratio = np.log(smooth_match / smooth_match.sum(axis=-1, keepdims=True))
    return np.asarray(ratio - np.log(smooth_other / smooth_other.sum(axis=-1, keepdims=True)), dtype=np.float64)
