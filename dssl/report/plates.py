"""How good the plates are: a sentence, a table, and maps."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.phenotypes.position import well_position
from dssl.report.content import Figure, Note, Part, count, frame_table, percent
from dssl.report.figures import csv_text, style, svg_uri

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


def plates_parts(quality: pd.DataFrame, profiles: "AnnData") -> list[Part]:
    """Maps of the first plates, and the table of all plates."""
    caption = (
        "One row per plate. qc: wells with that flag. correlation: median Pearson correlation between unflagged wells "
        "of a kind; controls that correlate highly point to position effects that normalisation left. magnitude: "
        "median absolute value; 0.67 is expected of controls that are standard normal, and more in treated wells is "
        "what the screen looks for."
    )
    shown = quality[[column for column in COLUMNS if column in quality]]
    figure = plate_maps(profiles)
    return [
        figure or Note("The wells have no positions like A01, so that plates cannot be drawn as maps."),
        frame_table(shown, caption, n_labels=2, folded=len(shown) > 6),
    ]


def flagged_sentence(quality: pd.DataFrame) -> str:
    """How many wells carry a flag."""
    flagged = int(quality["n_flagged"].sum()) if "n_flagged" in quality else 0
    n_wells = int(quality["n_wells"].sum())
    share = percent(flagged / max(n_wells, 1))
    return f"{flagged:,} of {count(n_wells, 'well')} ({share}) carry a quality flag."


def plate_maps(profiles: "AnnData") -> Figure | None:
    """Maps of median |profile| of the first plates; None without well positions."""
    with np.errstate(all="ignore"):
        strength = _median_magnitude(np.asarray(profiles.X, dtype=np.float64))
    positions = [well_position(str(well)) for well in profiles.obs[keys.WELL]]
    plates = profiles.obs[keys.PLATE].astype(str).to_numpy()
    known = np.array([position is not None for position in positions], dtype=bool)
    if not known.any():
        return None
    grids, drawn = [], []
    for plate in list(dict.fromkeys(plates[known]))[:N_MAPS]:
        rows = np.flatnonzero(known & (plates == plate))
        where = np.array([positions[row] for row in rows])
        grid = np.full(where.max(axis=0) + 1, np.nan)
        grid[where[:, 0], where[:, 1]] = strength[rows]
        grids.append((plate, grid))
        wells = profiles.obs[keys.WELL].astype(str).to_numpy()[rows]
        drawn.append(pd.DataFrame({keys.PLATE: plate, keys.WELL: wells, "median_magnitude": strength[rows]}))
    n_plates = len(set(plates))
    some = f"The first {len(grids)} of {n_plates} plates. " if n_plates > len(grids) else ""
    return Figure(
        f"{some}Every square is a well; its colour is the median absolute value of its normalised features (bright: "
        "far from the plate's controls). Single bright wells are strong treatments; bright rows, columns, edges or "
        "corners are position effects. Pale: no value.",
        "Plate maps of the median absolute normalised feature value of every well",
        _draw(grids, float(np.nanquantile(strength[known], 0.98))),
        "plate-maps",
        csv_text(pd.concat(drawn)),
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
        colours = matplotlib.colormaps["cividis"].with_extremes(bad="#EEF0F2")
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
