"""How far down the list one has to look: the share of compounds found, by the share of the library looked at."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.evaluation.ranks import MEAN_NORMALIZED_RANK
from dssl.evaluation.statistics import CONFIDENCE, per_compound
from dssl.report.content import Figure
from dssl.report.figures import PALETTE, csv_text, style, svg_uri
from dssl.report.names import method_name
from dssl.report.retrieval_tables import COMPOUND, LEARNED, WHOLE, direction_name
from dssl.report.retrieval_words import ASKED, strongest_control, whole_library
from dssl.report.second_assay import reworded

N_POINTS = 80
LOOKS = ((PALETTE[0], "-"), (PALETTE[1], "--"))
Values = NDArray[np.float64]


def curve_table(queries: pd.DataFrame, main: pd.DataFrame) -> pd.DataFrame:
    """Shares found by the model and by its strongest control in each direction.

    Parameters
    ----------
    queries : of all folds, with method, level, library, direction, fold, compound_id, library_size and
        mean_normalized_rank (0: first, 1: last).
    main : summary of retrieval, which tells the strongest control.

    Returns
    -------
    DataFrame
        direction, method, n_compounds, library_size, share_looked_at, share_found, ci_low, ci_high (exact binomial,
        pointwise).
    """
    found = []
    shown = queries[(queries["level"] == COMPOUND) & (queries["library"] == WHOLE)]
    for direction in ASKED:
        for method in (LEARNED, strongest_control(whole_library(main, direction))):
            rows = shown[(shown["direction"] == direction) & (shown["method"] == method)]
            if len(rows):
                found.append(_curve(rows).assign(direction=direction, method=method))
    columns = [
        "direction",
        "method",
        "n_compounds",
        "library_size",
        "share_looked_at",
        "share_found",
        "ci_low",
        "ci_high",
    ]
    return pd.concat(found)[columns] if found else pd.DataFrame(columns=columns)


def _curve(rows: pd.DataFrame) -> pd.DataFrame:
    compounds = per_compound(rows, [MEAN_NORMALIZED_RANK, "library_size"])
    size = compounds["library_size"].to_numpy(dtype=np.float64)
    share = (compounds[MEAN_NORMALIZED_RANK].to_numpy(dtype=np.float64) * (size - 1) + 1) / size
    looked = np.geomspace(1 / size.max(), 1, N_POINTS)
    # a rank that lies on a point is found at it, whatever the last digit
    found = (share[None, :] <= looked[:, None] + 1e-9).sum(axis=1)
    low, high = exact_interval(found, len(share))
    return pd.DataFrame(
        {
            "n_compounds": len(share),
            "library_size": size.mean(),
            "share_looked_at": looked,
            "share_found": found / len(share),
            "ci_low": low,
            "ci_high": high,
        }
    )


def exact_interval(found: NDArray[Any], n: int) -> tuple[Values, Values]:
    """Clopper and Pearson's 95 % interval of `found` of `n`."""
    from scipy.stats import beta

    tail = (1 - CONFIDENCE) / 2
    low, high = beta.ppf(tail, found, n - found + 1), beta.ppf(1 - tail, found + 1, n - found)
    return np.where(found == 0, 0.0, low), np.where(found == n, 1.0, high)


def curve_figure(curves: pd.DataFrame, other: str = keys.MOLECULE) -> Figure:
    """A panel for each direction: the model, its strongest control, and chance."""
    from matplotlib.figure import Figure as Canvas

    directions = list(dict.fromkeys(curves["direction"].astype(str)))
    lowest = float(curves["share_looked_at"].min())
    ticks = [tick for tick in (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if tick >= min(lowest, 1.0)]
    with style():
        canvas = Canvas(figsize=(4.5 * len(directions) + 0.4, 3.9), layout="constrained")
        axes = canvas.subplots(1, len(directions), squeeze=False, sharey=True)[0]
        for axis, direction in zip(axes, directions, strict=True):
            block = curves[curves["direction"] == direction]
            for (method, rows), (colour, dashes) in zip(block.groupby("method", sort=False), LOOKS, strict=False):
                x, y = 100 * rows["share_looked_at"], 100 * rows["share_found"]
                axis.step(x, y, where="post", color=colour, ls=dashes, lw=1.8, label=method_name(str(method)))
                axis.fill_between(
                    x, 100 * rows["ci_low"], 100 * rows["ci_high"], step="post", color=colour, alpha=0.18, lw=0
                )
            axis.plot(
                100 * rows["share_looked_at"], 100 * rows["share_looked_at"], color=PALETTE[5], ls=":", label="chance"
            )
            axis.set_xscale("log")
            axis.set_xticks([100 * tick for tick in ticks], [f"{100 * tick:g}" for tick in ticks])
            axis.minorticks_off()
            axis.set(xlim=(100 * min(lowest, 0.5), 100), ylim=(0, 102), xlabel="share of the library looked at (%)")
            n, size = int(block["n_compounds"].iloc[0]), float(block["library_size"].iloc[0])
            shown = reworded(direction_name(direction), other)
            axis.set_title(f"{shown}\n(n = {n:,} compounds, {size:.3g} in a library)")
            axis.legend(loc="upper left")
        axes[0].set_ylabel("compounds whose partner\nis found by then (%)")
        uri = svg_uri(canvas)
    return Figure(
        "How far down its list one has to look. Read it like this: above 5 on the horizontal axis, the height of the line "
        "is the share of held-out compounds whose partner is among the first 5 % of the library. Bands: 95 % intervals "
        "(exact, for each point alone). Dotted: a blind guess. Dashed: the strongest control. The higher and the "
        "further left, the better; lines whose bands overlap may still differ, see the paired comparisons.",
        "Share of compounds found against the share of the library looked at, model, strongest control and chance",
        uri,
        "retrieval-curve",
        csv_text(curves),
    )
