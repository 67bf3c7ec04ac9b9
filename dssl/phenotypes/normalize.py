"""Each plate against its own controls."""

import logging
from dataclasses import dataclass

import numpy as np
from anndata import AnnData

from dssl.errors import TableError
from dssl.keys import IS_CONTROL, QC_DEAD, QC_MISSING, QC_OUTLIER, WELL
from dssl.phenotypes.position import Places, effects_at, fit_position, well_places
from dssl.phenotypes.quality import Flags, flag_dead, flag_missing, flag_outliers, plate_rows
from dssl.phenotypes.statistics import MAD_TO_STD, Array, nan_mad, nan_mean_std, nan_median
from dssl.settings.preparation import NormalizePlateSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Plate:
    """What one plate's wells are, all of one length: the wells of the plate."""

    name: str
    is_control: Flags
    missing: Flags
    dead: Flags
    places: Places | None  # None: positions do not matter


def normalize_plates(adata: AnnData, settings: NormalizePlateSettings) -> AnnData:
    r"""Normalise every plate with its own control wells, and flag wells of bad quality.

    For each feature of each plate

    .. math:: z = (x - m) / s

    with m, s the median and 1.4826 times the median absolute deviation ("median_mad"), or the mean and the population
    standard deviation ("mean_std") of the plate's passing controls, over the values that are there. Where s is below
    `min_scale` (or below what float32 resolves at m), the median absolute deviation is replaced by the standard
    deviation; where that is as small, the feature is missing on this plate.

    A control passes if it is none of qc_missing (lacks features), qc_dead (few cells) and qc_outlier. Outliers show
    only after normalisation, so there are two passes: normalise with the controls that are neither missing nor dead;
    flag the controls whose median |z| exceeds `outlier_z`; on plates that have such, normalise again without them.
    There is no third pass. With `position: median_polish`, what the plate's row and column effects (of the same controls)
    add to a well is subtracted first: only controls tell it, because a treated well's compound is not known to do
    nothing, and may be a test compound. With method "none" values are returned as they are, qc_outlier is False everywhere, and
    neither `min_controls` nor `clip` is applied.

    Parameters
    ----------
    adata : AnnData
        Wells x raw features, NaN where missing; one plate or several. It is left as it is.
    settings : NormalizePlateSettings
        Method, quality limits, and what to do with too few controls.

    Returns
    -------
    AnnData
        The same wells and features, X float32 in units of the controls' scale, obs with the three flags added.

    Raises
    ------
    TableError
        If plates have fewer than `min_controls` passing controls; with `fallback: all_wells`, if they have fewer than
        `min_controls` passing wells of any kind.
    """
    raw = np.asarray(adata.X)
    obs = adata.obs.copy()
    obs[QC_MISSING] = flag_missing(raw, settings.max_missing_fraction)
    obs[QC_DEAD] = flag_dead(obs, settings.dead_cell_count)
    outlier = np.zeros(len(obs), dtype=bool)
    normalized = raw.astype(np.float32)
    if settings.method != "none":
        too_few = []
        for name, rows in plate_rows(obs).items():
            control, missing, dead = (obs[key].to_numpy(dtype=bool)[rows] for key in (IS_CONTROL, QC_MISSING, QC_DEAD))
            places = well_places(obs[WELL].iloc[rows]) if settings.position == "median_polish" else None
            plate = _Plate(name, control, missing, dead, places)
            try:
                normalized[rows], outlier[rows] = _normalize_plate(raw[rows].astype(np.float64), plate, settings)
            except _TooFewError as error:
                too_few.append(str(error))
        if too_few:
            raise TableError(_too_few_message(too_few, settings))
    obs[QC_OUTLIER] = outlier
    for flag in (QC_MISSING, QC_DEAD, QC_OUTLIER):
        logger.info("%d of %d wells are flagged %s", obs[flag].sum(), len(obs), flag)
    return AnnData(X=normalized, obs=obs, var=adata.var.copy(), uns=dict(adata.uns))


class _TooFewError(Exception):
    """A plate has too few wells to be normalised with."""


def _normalize_plate(values: Array, plate: _Plate, settings: NormalizePlateSettings) -> tuple[Array, Flags]:
    nobody = np.zeros(len(values), dtype=bool)
    z, n_without_scale = _standardize(values, plate, _reference(plate, nobody, settings), settings)
    outlier = flag_outliers(z, plate.is_control, settings.outlier_z)
    if outlier.any():
        z, n_without_scale = _standardize(values, plate, _reference(plate, outlier, settings), settings)
    if n_without_scale:
        logger.warning(
            "plate %s: %d of %d features do not vary in the wells it is normalised with and are missing on it",
            plate.name,
            n_without_scale,
            values.shape[1],
        )
    return (z if settings.clip is None else np.clip(z, -settings.clip, settings.clip)), outlier


def _reference(plate: _Plate, outlier: Flags, settings: NormalizePlateSettings) -> Flags:
    """Wells whose statistics normalise the plate."""
    passing = ~(plate.missing | plate.dead | outlier)
    controls = passing & plate.is_control
    if controls.sum() >= settings.min_controls:
        return controls
    flags = {QC_MISSING: plate.missing, QC_DEAD: plate.dead, QC_OUTLIER: outlier}
    if settings.fallback == "all_wells" and passing.sum() >= settings.min_controls:
        logger.warning(
            "plate %s: %d passing controls, fewer than normalize_plate.min_controls (%d); normalised with all its %d"
            " passing wells",
            plate.name,
            controls.sum(),
            settings.min_controls,
            passing.sum(),
        )
        return passing
    considered = plate.is_control if settings.fallback == "error" else np.ones_like(plate.is_control)
    lost = ", ".join(f"{(considered & flag).sum()} {name}" for name, flag in flags.items() if (considered & flag).any())
    raise _TooFewError(
        f"plate {plate.name} has {(considered & passing).sum()} of {considered.sum()}{f' ({lost})' if lost else ''}"
    )


def _too_few_message(too_few: list[str], settings: NormalizePlateSettings) -> str:
    kind = "passing controls" if settings.fallback == "error" else "passing wells"
    shown = "; ".join(too_few[:5]) + (f" and {len(too_few) - 5} more" if len(too_few) > 5 else "")
    remedy = ", or set normalize_plate.fallback: all_wells" if settings.fallback == "error" else ""
    return (
        f"fewer {kind} than normalize_plate.min_controls ({settings.min_controls}) on {len(too_few)} plate(s): {shown}"
        f"\nCorrect plates.control, lower normalize_plate.min_controls, remove the plate{remedy}."
    )


def _standardize(values: Array, plate: _Plate, reference: Flags, settings: NormalizePlateSettings) -> tuple[Array, int]:
    if plate.places is not None:
        fitted = fit_position(
            settings.position, values[reference], plate.places[reference], settings.min_position_controls
        )
        values = values - effects_at(fitted, plate.places)
    centre, scale = _centre_and_scale(values[reference], settings)
    without_scale = np.isnan(scale) & ~np.isnan(values).all(axis=0)
    return (values - centre) / scale, int(without_scale.sum())


def _centre_and_scale(reference: Array, settings: NormalizePlateSettings) -> tuple[Array, Array]:
    centre, scale = nan_mean_std(reference)
    # plates are stored in float32: a spread below its resolution at this value is rounding, not biology
    smallest = np.maximum(settings.min_scale, np.finfo(np.float32).eps * np.abs(centre))
    if settings.method == "median_mad":
        std = scale
        centre = nan_median(reference)
        mad = MAD_TO_STD * nan_mad(reference, centre)
        scale = np.where(mad < smallest, std, mad)
    return centre, np.where(scale < smallest, np.nan, scale)
