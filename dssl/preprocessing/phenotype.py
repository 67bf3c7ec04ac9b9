"""Profiles -> inputs: imputation, selection, scaling and (half-)whitened principal components."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl.errors import TableError, first_few
from dssl.keys import BATCH, TREATMENT
from dssl.phenotypes.statistics import MAD_TO_STD
from dssl.preprocessing.columns import positions_by_name, require_columns
from dssl.preprocessing.harmony import HarmonyState, apply_harmony, fit_harmony
from dssl.preprocessing.reproducibility import disagreement
from dssl.preprocessing.selection import FEATURE, REASON, correlation_filter
from dssl.preprocessing.variable import most_variable
from dssl.settings.preparation import PhenotypePreprocessingSettings

LOGGER = logging.getLogger(__name__)
Profiles = NDArray[np.float32] | NDArray[np.float64]
SMALLEST_STD = 1e-12  # below this a feature is constant, up to rounding
SMALLEST_SINGULAR_VALUE = 1e-6  # relative to the largest: what is below is rounding, not variation
WHITENING_POWER = {"none": 0.0, "half": 0.5, "full": 1.0}


@dataclass(frozen=True, eq=False)
class PhenotypeState:
    """What was fitted on training profiles.

    Attributes
    ----------
    names : tuple of str
        The p selected features.
    median, center, scale, mean : ndarray of float64, shape (p,)
        Value of a missing entry; centre and scale of the feature; mean after scaling and clipping.
    clip : float
        Bound of scaled values; infinite when they are not clipped.
    components : ndarray of float64, shape (p, k)
        Principal axes, unit columns.
    divisor : ndarray of float64, shape (k,)
        What the scores are divided by.
    explained : ndarray of float64, shape (k,)
        Share of the variance of the scaled features along each axis.
    dropped : DataFrame
        Columns feature, reason.
    harmony : HarmonyState or None
        Correction of the batches, in the space of the inputs.
    """

    names: tuple[str, ...]
    median: NDArray[np.float64]
    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    clip: float
    mean: NDArray[np.float64]
    components: NDArray[np.float64]
    divisor: NDArray[np.float64]
    explained: NDArray[np.float64]
    dropped: pd.DataFrame
    harmony: HarmonyState | None = None


def fit_phenotype(
    profiles: Profiles,
    feature_names: Sequence[str],
    settings: PhenotypePreprocessingSettings,
    obs: pd.DataFrame | None = None,
) -> PhenotypeState:
    """Fit on training profiles only.

    In order: missing and infinite values become the feature's median; features that hardly vary, that replicate wells
    do not agree in (`min_replicate_correlation`, `max_replicate_std`), that are not among the most variable
    (`highly_variable`), or that repeat another one are dropped; the
    others are centred and scaled (robust: median and 1.4826 MAD, or the standard deviation where the MAD is below
    `min_std`; standard: mean and standard deviation) and clipped; principal components by singular value
    decomposition, the largest loading of each being positive. Scores t are divided by sd(t)^w with w = 0 (none), 1/2
    (half) or 1 (full). Standard deviations are those of the training rows (divisor n). With `harmony`, the batches are
    aligned last.

    Parameters
    ----------
    profiles : ndarray, shape (n, p)
        Training rows.
    feature_names : sequence of str
        Names of the p columns.
    settings : PhenotypePreprocessingSettings
        `n_components` is an upper bound: there are at most min(n - 1, p), and none of directions without variation.
    obs : DataFrame, optional
        The rows' treatment and batch; needed where replicates are compared or batches aligned.

    Raises
    ------
    TableError
        If there are fewer than two rows, no feature is left, there are no replicates to compare or no batches to align.
    """
    require_columns(profiles.shape[1], feature_names, "phenotype")
    if len(profiles) < 2:
        raise TableError(
            f"phenotype preprocessing needs at least 2 training profiles, found {len(profiles)}\n"
            "Pair more wells with compounds."
        )
    values, median = _impute_median(profiles)
    kept, dropped = _select(values, ~np.isnan(median), feature_names, settings, obs)
    values = values[:, kept]
    center, scale = _center_and_scale(values, settings)
    clip = np.inf if settings.clip is None else settings.clip
    scaled = np.clip((values - center) / scale, -clip, clip)
    mean = scaled.mean(axis=0)
    components, spread, explained = principal_components(scaled - mean, settings.n_components)
    divisor = spread ** WHITENING_POWER[settings.whiten]
    harmony = None
    if settings.harmony is not None:
        batches = _column(obs, BATCH)
        harmony = fit_harmony((scaled - mean) @ components / divisor, batches, settings.harmony)
    LOGGER.info("phenotype: %d of %d features, %d components", len(kept), len(feature_names), len(spread))
    return PhenotypeState(
        names=tuple(feature_names[position] for position in kept.tolist()),
        median=median[kept],
        center=center,
        scale=scale,
        clip=clip,
        mean=mean,
        components=components,
        divisor=divisor,
        explained=explained,
        dropped=dropped,
        harmony=harmony,
    )


def scale_phenotype(state: PhenotypeState, profiles: Profiles, feature_names: Sequence[str]) -> NDArray[np.float32]:
    """Give the selected features imputed, scaled and clipped, but not rotated; shape (n, p), columns `state.names`.

    Raises
    ------
    TableError
        If a selected feature is missing; other features and the order of columns do not matter.
    """
    return _scaled(state, profiles, feature_names).astype(np.float32)


def apply_phenotype(
    state: PhenotypeState, profiles: Profiles, feature_names: Sequence[str], obs: pd.DataFrame | None = None
) -> NDArray[np.float32]:
    """Give the model's phenotype inputs of any profiles; shape (n, k).

    Parameters
    ----------
    state, profiles, feature_names : what was fitted, the rows and the names of their columns.
    obs : DataFrame, optional
        The rows' batch; needed where Harmony was fitted.

    Raises
    ------
    TableError
        If a selected feature is missing (other features and the order of columns do not matter), or, with Harmony, a
        row belongs to a batch that was not among the training wells.
    """
    centred = _scaled(state, profiles, feature_names) - state.mean
    inputs = centred @ state.components / state.divisor
    if state.harmony is not None:
        inputs = apply_harmony(state.harmony, inputs, _column(obs, BATCH))
    return inputs.astype(np.float32)


def _column(obs: pd.DataFrame | None, name: str) -> NDArray[np.object_]:
    if obs is None or name not in obs:
        raise TableError(
            f"phenotype preprocessing needs the {name} of every profile, found {first_few(() if obs is None else obs)}\n"
            "Set fit_preprocessing.phenotype.harmony, min_replicate_correlation and max_replicate_std to null."
        )
    return obs[name].astype(str).to_numpy(dtype=object)


def _scaled(state: PhenotypeState, profiles: Profiles, feature_names: Sequence[str]) -> NDArray[np.float64]:
    require_columns(profiles.shape[1], feature_names, "phenotype")
    values = profiles[:, positions_by_name(state.names, feature_names, "phenotype")].astype(np.float64)
    values = np.where(np.isfinite(values), values, state.median)
    return np.clip((values - state.center) / state.scale, -state.clip, state.clip)


def _impute_median(profiles: Profiles) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Profiles without missing values, and the medians (NaN for a feature that has no value at all)."""
    values = profiles.astype(np.float64)
    values[~np.isfinite(values)] = np.nan
    present = ~np.isnan(values).all(axis=0)
    median = np.full(values.shape[1], np.nan)
    median[present] = np.nanmedian(values[:, present], axis=0)
    return np.where(np.isnan(values), median, values), median


def _select(
    values: NDArray[np.float64],
    present: NDArray[np.bool_],
    names: Sequence[str],
    settings: PhenotypePreprocessingSettings,
    obs: pd.DataFrame | None,
) -> tuple[NDArray[np.int64], pd.DataFrame]:
    """Positions of the kept features, and the table of the others with their reasons."""
    spread = np.where(present, values.std(axis=0), 0.0)
    varies = spread >= max(settings.min_std, SMALLEST_STD)
    reasons = np.where(present, "standard deviation below min_std", "missing in every training row")
    dropped = pd.DataFrame({FEATURE: np.asarray(names, dtype=object)[~varies], REASON: reasons[~varies].astype(object)})
    kept = np.flatnonzero(varies)
    if not len(kept):
        raise TableError(
            f"none of the {len(names)} phenotype features varies over the training profiles\n"
            "Lower fit_preprocessing.phenotype.min_std, or look at plates.features and the normalisation."
        )
    if settings.min_replicate_correlation is not None or settings.max_replicate_std is not None:
        reasons = disagreement(values[:, kept], _column(obs, TREATMENT), settings)
        lost = np.flatnonzero(reasons != "")
        listed = {FEATURE: np.asarray(names, dtype=object)[kept[lost]], REASON: reasons[lost]}
        kept, dropped = np.delete(kept, lost), pd.concat([dropped, pd.DataFrame(listed)], ignore_index=True)
        if not len(kept):
            raise TableError(
                f"replicate wells agree in none of the {len(names)} features; the first: {listed[REASON][0]}\n"
                "Lower fit_preprocessing.phenotype.min_replicate_correlation, or raise max_replicate_std."
            )
    if settings.highly_variable is not None:
        chosen, dull = most_variable(
            values[:, kept], [names[position] for position in kept.tolist()], settings.highly_variable
        )
        kept, dropped = kept[chosen], pd.concat([dropped, dull], ignore_index=True)
    if settings.max_correlation is not None:
        chosen, repeated = correlation_filter(
            values[:, kept], [names[position] for position in kept.tolist()], settings.max_correlation
        )
        kept, dropped = kept[chosen], pd.concat([dropped, repeated], ignore_index=True)
    return kept, dropped


def _center_and_scale(
    values: NDArray[np.float64], settings: PhenotypePreprocessingSettings
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if settings.scale == "none":
        return np.zeros(values.shape[1]), np.ones(values.shape[1])
    spread = values.std(axis=0)
    if settings.scale == "standard":
        return values.mean(axis=0), spread
    center = np.median(values, axis=0)
    mad = MAD_TO_STD * np.median(np.abs(values - center), axis=0)
    return center, np.where(mad >= max(settings.min_std, SMALLEST_STD), mad, spread)


def principal_components(
    centred: NDArray[np.float64], n_components: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Axes (p, k), standard deviations of the scores (k,) and shares of variance (k,) of centred rows (n, p).

    k = min(n_components, n - 1, p) at most, and none of directions without variation; the largest loading of each axis
    is positive. Raises TableError if nothing varies.
    """
    n_rows = len(centred)
    _, singular, rows = np.linalg.svd(centred, full_matrices=False)
    if not singular[0] > 0:
        raise TableError(
            "no variation is left in the scaled phenotype features: clipping made every row the same\n"
            "Raise fit_preprocessing.phenotype.clip, or scale the features (fit_preprocessing.phenotype.scale)."
        )
    n_varying = int((singular > SMALLEST_SINGULAR_VALUE * singular[0]).sum())
    k = min(n_components, n_rows - 1, centred.shape[1], n_varying)
    axes = rows[:k].T
    largest = np.abs(axes).argmax(axis=0)
    axes = np.ascontiguousarray(axes * np.sign(axes[largest, np.arange(k)]))
    return axes, singular[:k] / np.sqrt(n_rows), singular[:k] ** 2 / (singular**2).sum()
