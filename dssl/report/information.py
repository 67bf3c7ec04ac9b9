"""The information-bottleneck curve over beta: figure and numbers."""

from typing import Any

import pandas as pd

from dssl import keys
from dssl.report.content import MISSING, Cell, Figure, Table, number, records
from dssl.report.figures import INK, PALETTE, csv_text, style, svg_uri
from dssl.report.second_assay import reworded

LOWER, UPPER = "lower bound on I(Z;X2)", "upper bound on I(Z;X1|X2)"


def information_figure(curve: pd.DataFrame, other: str = keys.MOLECULE) -> Figure:
    """Lower bound on I(Z;X2) against the upper bound on I(Z;X1|X2), a panel for each modality as X1."""
    from matplotlib.figure import Figure as Canvas

    modalities = list(dict.fromkeys(curve["modality"].astype(str)))
    with style():
        canvas = Canvas(figsize=(4.5 * len(modalities) + 1.8, 3.6), layout="constrained")
        axes = canvas.subplots(1, len(modalities), squeeze=False, sharey=True)[0]
        for axis, modality in zip(axes, modalities, strict=True):
            rows = curve[curve["modality"] == modality].sort_values("beta")
            axis.axhline(rows["log_n"].mean(), color=PALETTE[5], ls="--", lw=1.2, label="log n: no bound is higher")
            axis.plot(rows["kl_upper"], rows["infonce_lower"], color=PALETTE[0], lw=1.2, zorder=1)
            for row in records(rows):
                _point(axis, row)
            of = reworded(f"code of the {modality}", other)
            axis.set_title(f"{of} (n = {rows['n_models'].max():.0f} models per beta)")
            axis.set_xlabel(f"{UPPER} (nats, KL)")
            axis.set_xlim(left=0)
            axis.set_ylim(min(0.0, float(curve["infonce_lower_lowest"].min())), 1.08 * curve["log_n"].max())
        axes[0].set_ylabel(f"{LOWER}\n(nats, InfoNCE)")
        unique = dict(zip(*reversed(axes[0].get_legend_handles_labels()), strict=True))
        canvas.legend(unique.values(), unique.keys(), loc="outside right upper")
        uri = svg_uri(canvas)
    knees = curve[curve["knee"].astype(bool)]
    if len(knees):
        where = "; ".join(f"code of the {row['modality']}: beta {row['beta']:g}" for row in records(knees))
        knee = f"The knee, the point farthest above the straight line between the ends, is at: {where}."
    else:
        knee = "No knee is marked: there are fewer than three betas, or no point lies above the line between the ends."
    return Figure(
        "What the shared code Z of one modality (X1) says of the other (X2), against what it says of X1 alone, for "
        "every beta of the sweep: means over folds and seeds, bars from the lowest to the highest model, drawn codes "
        "of test compounds. Higher and further left is better; larger beta moves to the left. Both are bounds: the "
        "true curve lies above and to the left of this one, and the lower bound cannot exceed the logarithm of the "
        f"number of compounds. {knee}",
        "Information-bottleneck curve: bounds on shared against superfluous information by beta",
        uri,
        "information",
        csv_text(curve),
    )


def _point(axis: Any, row: dict[str, Any]) -> None:
    x, y = row["kl_upper"], row["infonce_lower"]
    across = [[x - row["kl_upper_lowest"]], [row["kl_upper_highest"] - x]]
    up = [[y - row["infonce_lower_lowest"]], [row["infonce_lower_highest"] - y]]
    axis.errorbar(x, y, xerr=across, yerr=up, fmt="none", ecolor=PALETTE[4], elinewidth=1.4)
    if row["n_folds_chosen"]:
        axis.plot(x, y, "s", color=PALETTE[1], ms=11, label="chosen in a fold", zorder=2)
    if row["knee"]:
        axis.plot(x, y, "o", mfc="none", mec=INK, mew=1.4, ms=16, label="knee", zorder=2)
    axis.plot(x, y, "o", color=PALETTE[0], ms=6, zorder=3)
    axis.annotate(f"beta {row['beta']:g}", (x, y), xytext=(8, -5), textcoords="offset points", va="top", fontsize=9)


def information_table(curve: pd.DataFrame) -> Table:
    """The numbers behind the curve."""
    rows = [
        [
            Cell(str(row["modality"])),
            Cell(f"{row['beta']:g}"),
            *(_with_range(row, name) for name in ("infonce_lower", "kl_upper")),
            Cell(number(row["log_n"])),
            Cell("knee" if row["knee"] else MISSING),
            Cell(f"{row['n_folds_chosen']:.0f}"),
        ]
        for row in records(curve)
    ]
    absent = (
        " The KL between deterministic codes is infinite, so that they have no upper bound."
        if curve["kl_upper"].isna().any()
        else ""
    )
    caption = (
        "Bounds on the information of shared codes in nats: means over folds and seeds (below: lowest to highest). "
        f"log n: what the lower bound cannot exceed.{absent}"
    )
    columns = ["code of (X1)", "beta", LOWER, UPPER, "log n", "knee", "chosen in folds"]
    return Table(caption, columns, rows, n_labels=2, folded=True)


def _with_range(row: dict[str, Any], name: str) -> Cell:
    low, high = number(row[f"{name}_lowest"]), number(row[f"{name}_highest"])
    return Cell(number(row[name]), "" if low == high else f"{low} to {high}")
