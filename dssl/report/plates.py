"""Section 2: how good the plates are."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.phenotypes.position import well_position
from dssl.report.content import Figure, Note, Part, Section, frame_table
from dssl.report.figures import style, svg_uri

if TYPE_CHECKING:
    from anndata import AnnData

COLUMNS = [
    keys.PLATE,
    keys.BATCH,
    "n_wells",
    "n_controls",
    *keys.QC_FLAGS,
    "control_correlation",
    "treated_correlation",
    "control_magnitude",
    "treated_magnitude",
]
N_MAPS = 12


def plates_section(quality: pd.DataFrame, profiles: "AnnData") -> Section:
    """The table of all plates, and maps of the first ones."""
    caption = (
        "One row per plate. qc: wells with that flag. correlation: median Pearson correlation between unflagged wells "
        "of a kind; controls that correlate highly point to position effects that normalisation left. magnitude: "
        "median absolute value; 0.67 is expected of controls that are standard normal, and more in treated wells is "
        "what the screen looks for."
    )
    shown = quality[[column for column in COLUMNS if column in quality]]
    parts: list[Part] = [frame_table(shown, caption, n_labels=2, folded=len(shown) > 16)]
    figure = plate_maps(profiles)
    parts.append(figure or Note("The wells have no positions like A01, so that plates cannot be drawn as maps."))
    return Section("plates", "Plate quality", [_summary(quality)], parts)


def _summary(quality: pd.DataFrame) -> str:
    flagged = int(quality["n_flagged"].sum()) if "n_flagged" in quality else 0
    n_wells = int(quality["n_wells"].sum())
    return f"{flagged:,} of {n_wells:,} wells ({flagged / max(n_wells, 1):.1%}) carry a quality flag."


def plate_maps(profiles: "AnnData") -> Figure | None:
    """Maps of median |profile| of the first plates; None without well positions."""
    with np.errstate(all="ignore"):
        strength = _median_magnitude(np.asarray(profiles.X, dtype=np.float64))
    positions = [well_position(str(well)) for well in profiles.obs[keys.WELL]]
    plates = profiles.obs[keys.PLATE].astype(str).to_numpy()
    known = np.array([position is not None for position in positions], dtype=bool)
    if not known.any():
        return None
    grids = []
    for plate in list(dict.fromkeys(plates[known]))[:N_MAPS]:
        rows = np.flatnonzero(known & (plates == plate))
        where = np.array([positions[row] for row in rows])
        grid = np.full(where.max(axis=0) + 1, np.nan)
        grid[where[:, 0], where[:, 1]] = strength[rows]
        grids.append((plate, grid))
    n_plates = len(set(plates))
    some = f"The first {len(grids)} of {n_plates} plates. " if n_plates > len(grids) else ""
    return Figure(
        f"{some}Every square is a well; its colour is the median absolute value of its normalised features (bright: "
        "far from the plate's controls). Single bright wells are strong treatments; bright rows, columns, edges or "
        "corners are position effects.",
        "Plate maps of the median absolute normalised feature value of every well",
        _draw(grids, float(np.nanquantile(strength[known], 0.98))),
    )


def _median_magnitude(values: NDArray[np.float64]) -> NDArray[np.float64]:
    empty = np.isnan(values).all(axis=1)
    result = np.full(len(values), np.nan)
    result[~empty] = np.nanmedian(np.abs(values[~empty]), axis=1)
    return result


def _draw(grids: list[tuple[str, NDArray[np.float64]]], top: float) -> str:
    import matplotlib
    from matplotlib.figure import Figure as Canvas

    n_columns = min(4, len(grids))
    n_rows = -(-len(grids) // n_columns)
    with style():
        canvas = Canvas(figsize=(2.7 * n_columns + 0.9, 2.1 * n_rows), layout="constrained")
        axes = canvas.subplots(n_rows, n_columns, squeeze=False).ravel()
        colours = matplotlib.colormaps["viridis"].with_extremes(bad="#EEF0F2")
        for axis, (plate, grid) in zip(axes, grids, strict=False):
            image = axis.imshow(grid, cmap=colours, vmin=0, vmax=top or 1, aspect="equal", interpolation="nearest")
            axis.set_title(f"{plate} (n = {int(np.isfinite(grid).sum())} wells)", fontsize=8.5, parse_math=False)
            axis.set_xticks([0, grid.shape[1] - 1], ["1", str(grid.shape[1])], fontsize=7.5)
            axis.set_yticks([0, grid.shape[0] - 1], ["A", _row_name(grid.shape[0] - 1)], fontsize=7.5)
        for axis in axes[len(grids) :]:
            axis.set_axis_off()
        canvas.colorbar(image, ax=list(axes), shrink=0.8, label="median |normalised value|", extend="max")
        return svg_uri(canvas)


def _row_name(row: int) -> str:
    return chr(ord("A") + row) if row < 26 else f"{_row_name(row // 26 - 1)}{_row_name(row % 26)}"
