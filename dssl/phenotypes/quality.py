"""Which wells are not to be trusted, and how good a plate is."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData

from dssl.keys import BATCH, CELL_COUNT, IS_CONTROL, PLATE, QC_DEAD, QC_FLAGS, QC_MISSING, QC_OUTLIER
from dssl.phenotypes.statistics import nan_median

Flags = npt.NDArray[np.bool_]


def plate_rows(obs: pd.DataFrame) -> dict[str, npt.NDArray[np.intp]]:
    """Row numbers of every plate's wells, plates in the order in which they first occur."""
    codes, plates = pd.factorize(obs[PLATE])
    order = np.argsort(codes, kind="stable")
    bounds = np.cumsum(np.bincount(codes, minlength=len(plates)))[:-1]
    return dict(zip(map(str, plates), np.split(order, bounds), strict=True))


def flag_missing(values: npt.NDArray[np.floating], max_missing_fraction: float) -> Flags:
    """qc_missing: wells (rows) that lack more than this share of the features."""
    return np.asarray(np.isnan(values).mean(axis=1) > max_missing_fraction)


def flag_dead(obs: pd.DataFrame, share: float) -> Flags:
    """qc_dead: wells with fewer cells than `share` of the median cell count of their plate's controls.

    On a plate without (counted) controls the median is taken over all its wells. A well without a cell count is not
    flagged, and nothing is where the table has no such column.
    """
    dead = np.zeros(len(obs), dtype=bool)
    if CELL_COUNT not in obs:
        return dead
    counts = obs[CELL_COUNT].to_numpy(dtype=np.float64)
    reference = obs[IS_CONTROL].to_numpy(dtype=bool) & ~np.isnan(counts)
    for rows in plate_rows(obs).values():
        own = rows[reference[rows]] if reference[rows].any() else rows
        dead[rows] = counts[rows] < share * nan_median(counts[own, None])[0]
    return dead


def flag_outliers(z: npt.NDArray[np.float64], is_control: Flags, outlier_z: float) -> Flags:
    """qc_outlier: control wells whose median absolute z over the features exceeds `outlier_z`.

    Only controls are supposed to look alike, so only they can be outliers: a treated well far from the controls is a
    strong treatment, and what the screen looks for.
    """
    outlier = np.zeros(len(z), dtype=bool)
    outlier[is_control] = nan_median(np.abs(z[is_control]).T) > outlier_z
    return outlier


def is_flagged(obs: pd.DataFrame) -> Flags:
    """Wells with any of the three quality flags."""
    return np.asarray(obs[list(QC_FLAGS)].to_numpy(dtype=bool).any(axis=1))


def plate_quality(adata: AnnData) -> pd.DataFrame:
    """One row of figures for each plate of normalised wells.

    Returns
    -------
    DataFrame
        plate, batch; n_wells, n_controls, n_treated; qc_missing, qc_dead, qc_outlier (wells with that flag; a well
        may have several), n_flagged (wells with any), n_passing_controls; missing_fraction (of all values of the
        plate), n_empty_features (without any value on the plate: not measured, or without scale among its controls);
        control_correlation and treated_correlation (median Pearson correlation over pairs of the unflagged wells of
        that kind, on features without gaps in them; controls correlate highly where position effects remain);
        control_magnitude and treated_magnitude (median absolute value in the unflagged wells: 0.67 for standard
        normal controls); control_cell_count and treated_cell_count (medians of the unflagged wells, NaN without
        cell counts).
    """
    return pd.DataFrame([_plate_figures(adata, plate, rows) for plate, rows in plate_rows(adata.obs).items()])


def _plate_figures(adata: AnnData, plate: str, rows: npt.NDArray[np.intp]) -> dict[str, object]:
    obs = adata.obs.iloc[rows]
    values = np.asarray(adata.X[rows], dtype=np.float64)
    missing = np.isnan(values)
    controls = obs[IS_CONTROL].to_numpy(dtype=bool)
    flagged = is_flagged(obs)
    figures: dict[str, object] = {
        PLATE: plate,
        BATCH: ", ".join(dict.fromkeys(obs[BATCH].astype(str))),
        "n_wells": len(rows),
        "n_controls": int(controls.sum()),
        "n_treated": int((~controls).sum()),
        **{flag: int(obs[flag].sum()) for flag in (QC_MISSING, QC_DEAD, QC_OUTLIER)},
        "n_flagged": int(flagged.sum()),
        "n_passing_controls": int((controls & ~flagged).sum()),
        "missing_fraction": float(missing.mean()),
        "n_empty_features": int(missing.all(axis=0).sum()),
    }
    kinds = {"control": values[controls & ~flagged], "treated": values[~controls & ~flagged]}
    figures |= {f"{kind}_correlation": median_correlation(block) for kind, block in kinds.items()}
    figures |= {
        f"{kind}_magnitude": float(nan_median(np.abs(block).reshape(-1, 1))[0]) for kind, block in kinds.items()
    }
    counts = obs[CELL_COUNT].to_numpy(dtype=np.float64) if CELL_COUNT in obs else np.full(len(rows), np.nan)
    for kind, wells in (("control", controls & ~flagged), ("treated", ~controls & ~flagged)):
        figures[f"{kind}_cell_count"] = float(nan_median(counts[wells, None])[0])
    return figures


def median_correlation(values: npt.NDArray[np.float64]) -> float:
    """Median Pearson correlation over all pairs of rows, on the columns without gaps.

    NaN with fewer than two rows or two such columns; constant rows have no correlation and are left out.
    """
    complete = values[:, ~np.isnan(values).any(axis=0)]
    if complete.shape[0] < 2 or complete.shape[1] < 2:
        return float("nan")
    centred = complete - complete.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = centred[length[:, 0] > 0] / length[length[:, 0] > 0]
    pairs = (unit @ unit.T)[np.triu_indices(len(unit), k=1)]
    return float(np.median(pairs)) if pairs.size else float("nan")
