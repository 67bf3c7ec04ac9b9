"""Figures of the synthetic study: the paper's 4a and 4b with the published points, and the information plane."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dssl.evaluation.study_tables import specific_points
from dssl.io import atomic_path
from dssl.report.figures import PALETTE, STYLE, style
from dssl.report.names import method_name
from dssl.report.published import FIGURE_4A, FIGURE_4B, SOURCE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABEL_NAMES = {"zs": "label of Zs (shared)", "z1": "label of Z1", "z2": "label of Z2"}
FORMS = ["o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "h", "p"]
CHANCE = 0.5
# participation ratio of 100 dimensions below which a code counts as collapsed
COLLAPSED = 20
# distance of beta = 0 from the lowest other beta on a logarithmic axis
ZERO_FACTOR = 3.0


def draw_shared(table: pd.DataFrame, *paths: Path) -> None:
    """Figure 4a: test accuracy of the labels from the shared code over beta, a panel per preset and noise level.

    Parameters
    ----------
    table : the study's table.
    paths : of the figure, each in the format of its ending.
    """
    from matplotlib.figure import Figure

    shared = table[(table["code"] == "shared") & table["accuracy"].notna()]
    ours = shared[shared["method"] == "dssl"]
    panels = list(ours.groupby(["noise", "preset"], sort=True))
    with style():
        figure = Figure(figsize=(4.2 * max(len(panels), 1) + 2.2, 4.0), layout="constrained")
        axes = figure.subplots(1, max(len(panels), 1), sharey=True, squeeze=False)[0]
        for axis, ((noise, preset), of_panel) in zip(axes, panels, strict=False):
            _published_4a(axis)
            for number, label in enumerate(LABEL_NAMES):
                _sweep(axis, of_panel[of_panel["label"] == label], PALETTE[number], FORMS[number], LABEL_NAMES[label])
                raw = shared[
                    (shared["method"] == "raw input") & (shared["noise"] == noise) & (shared["label"] == label)
                ]
                for value in raw["accuracy"]:
                    axis.axhline(value, color=PALETTE[number], lw=0.8, ls=":")
            axis.axhline(CHANCE, color="#555", lw=0.8, ls="--")
            axis.set_title(f"preset {preset}, noise {noise:g} (test n = {int(of_panel['n_test'].iloc[0]):,})")
            axis.set_xlabel("beta (released code's scale; 0 at the left end)")
        axes[0].set_ylabel("test accuracy of a logistic regression\nfrom the shared code")
        figure.legend(handles=_handles(), loc="outside right upper", fontsize=8)
        save_all(figure, paths)


def draw_specific(table: pd.DataFrame, *paths: Path) -> None:
    """Figure 4b: accuracy on the label of Zs over that of Z1 from the specific code of X, a panel per noise level."""
    from matplotlib.figure import Figure

    points = specific_points(table)
    points["name"] = points["name"].map(method_name).str.replace("dssl", "DisentangledSSL")
    noises = sorted(points["noise"].unique())
    names = sorted(points["name"].unique(), key=lambda name: (not name.startswith("Dis"), name))
    with style():
        figure = Figure(figsize=(5.2 * max(len(noises), 1) + 3.0, 4.8), layout="constrained")
        axes = figure.subplots(1, max(len(noises), 1), sharex=True, sharey=True, squeeze=False)[0]
        for axis, noise in zip(axes, noises, strict=False):
            if noise == 0:
                for number, (name, published) in enumerate(FIGURE_4B.items()):
                    x, y = zip(*published, strict=True)
                    axis.plot(
                        x, y, "-", marker=FORMS[number], ms=4, lw=0.8, color="#8A949E", mfc="none", label=f"{name}*"
                    )
            for number, name in enumerate(names):
                _cloud(axis, points[(points["name"] == name) & (points["noise"] == noise)], number, name)
            axis.axhline(CHANCE, color="#555", lw=0.8, ls="--")
            axis.axvline(CHANCE, color="#555", lw=0.8, ls="--")
            axis.set(title=f"noise {noise:g}: right and low is better", xlabel="accuracy, label of Z1 (specific)")
        axes[0].set_ylabel("accuracy, label of Zs (shared)")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper", fontsize=7.5)
        figure.supxlabel(
            f"* {SOURCE}. Bars: 95 % binomial intervals. Faint: participation ratio below {COLLAPSED}. Dashed: chance.",
            fontsize=8,
        )
        save_all(figure, paths)


def draw_information(curves: pd.DataFrame, n_test: int, *paths: Path) -> None:
    """Bounds on the information in the learned codes beside the exact Gaussian optimum, a panel per noise level.

    Means over seeds.

    Parameters
    ----------
    curves : the study's bounds and optima.
    n_test : pairs that the bounds are made from: the lower bound cannot exceed their logarithm.
    paths : of the figure, each in the format of its ending.
    """
    from matplotlib.figure import Figure

    keys = ["method", "preset", "noise", "beta", "seed"]
    flat = pd.DataFrame(
        dict(zip(keys, values, strict=True)) | dict(zip(rows["quantity"], rows["nats"], strict=True))
        for values, rows in curves.groupby(keys, dropna=False, sort=False)
    )
    flat = flat.groupby(keys[:-1], dropna=False, sort=False).mean().reset_index()
    noises = sorted(curves["noise"].unique())
    with style():
        figure = Figure(figsize=(4.8 * max(len(noises), 1) + 2.0, 4.0), layout="constrained")
        axes = figure.subplots(1, max(len(noises), 1), squeeze=False)[0]
        for axis, noise in zip(axes, noises, strict=False):
            here = flat[flat["noise"] == noise]
            exact = here[here["method"] == "gaussian optimum"]
            if {"I(Z;X1|X2)", "I(Z;X2)"} <= set(exact.columns) and exact["I(Z;X2)"].notna().any():
                line = exact.dropna(subset=["I(Z;X2)", "I(Z;X1|X2)"]).sort_values("I(Z;X1|X2)")
                axis.plot(line["I(Z;X1|X2)"], line["I(Z;X2)"], "k-", marker="*", label="exact Gaussian optimum")
            else:
                infinite = "exact optimum: I(Z;X2) infinite\n(X and Y share directions exactly)"
                axis.text(0.03, 0.03, infinite, transform=axis.transAxes)
            axis.axhline(
                np.log(n_test), color="#555", lw=0.8, ls="--", label=f"log n = {np.log(n_test):.2f}: no bound is higher"
            )
            for number, (preset, learned) in enumerate(here[here["method"] == "dssl"].groupby("preset")):
                line = learned.sort_values("beta")
                look = {"color": PALETTE[number], "marker": FORMS[number]}
                x, y = line["upper_bound_I(Z;X1|X2)"], line["lower_bound_I(Z;X2)"]
                axis.plot(x, y, ls="-", lw=0.8, ms=5, label=f"learned, preset {preset} (bounds)", **look)
                for beta, at_x, at_y in zip(line["beta"], x, y, strict=True):
                    axis.annotate(f"{beta:g}", (at_x, at_y), xytext=(3, 3), textcoords="offset points", fontsize=7)
            axis.set_xscale("symlog", linthresh=1)
            lowest, highest = axis.dataLim.y0, axis.dataLim.y1
            axis.set_ylim(min(0.0, lowest), 1.1 * highest)
            axis.set(title=f"noise {noise:g} (numbers: beta, released scale)", xlabel="I(Z;X1|X2), upper bound (nats)")
        axes[0].set_ylabel("I(Z;X2), lower bound, at most log n (nats)")
        figure.legend(*axes[-1].get_legend_handles_labels(), loc="outside right upper", fontsize=8)
        save_all(figure, paths)


def save_all(figure: "Figure", paths: Iterable[Path]) -> None:
    """Write a figure in the formats that the paths end in: PNG or SVG, the same bytes every time."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        for path in paths:
            with atomic_path(path) as temporary:
                metadata: dict[str, Any] = {"Date": None} if path.suffix == ".svg" else {"Software": None}
                figure.savefig(temporary, dpi=130, bbox_inches="tight", metadata=metadata)


def _axis_betas(betas: Iterable[float]) -> list[float]:
    lowest = min((beta for beta, *_ in FIGURE_4A), default=0.001)
    return [beta if beta > 0 else lowest / ZERO_FACTOR for beta in betas]


def _published_4a(axis: "Axes") -> None:
    betas = _axis_betas(point[0] for point in FIGURE_4A)
    for number, column in enumerate((1, 2, 3)):
        values = [point[column] for point in FIGURE_4A]
        axis.plot(betas, values, "-", lw=0.8, marker=FORMS[number], ms=4, mfc="none", color="#8A949E", zorder=1)
    axis.set_xscale("log")


def _sweep(axis: "Axes", rows: pd.DataFrame, color: str, marker: str, name: str) -> None:
    mean = rows.groupby("beta")[["accuracy", "ci_low", "ci_high"]].mean().reset_index()
    errors = np.array([mean["accuracy"] - mean["ci_low"], mean["ci_high"] - mean["accuracy"]])
    look: dict[str, Any] = {"color": color, "marker": marker, "ms": 5, "lw": 1.4, "capsize": 2}
    axis.errorbar(_axis_betas(mean["beta"]), mean["accuracy"], yerr=errors, label=name, zorder=2, **look)


def _handles() -> list[Any]:
    from matplotlib.lines import Line2D

    lines = [
        Line2D([], [], color=PALETTE[number], marker=FORMS[number], label=name)
        for number, name in enumerate(LABEL_NAMES.values())
    ]
    return [
        *lines,
        Line2D([], [], color="#8A949E", marker="o", mfc="none", lw=0.8, label="published, same markers:\n" + SOURCE),
        Line2D([], [], color="#555", ls=":", lw=0.8, label="raw input, same colours"),
        Line2D([], [], color="#555", ls="--", lw=0.8, label="chance"),
    ]


def _cloud(axis: "Axes", points: pd.DataFrame, number: int, name: str) -> None:
    """Points with their intervals; those of collapsed codes faint."""
    for row, point in enumerate(points.to_dict("records")):
        axis.errorbar(
            point["z1"],
            point["zs"],
            xerr=[[point["z1"] - point["z1_low"]], [point["z1_high"] - point["z1"]]],
            yerr=[[point["zs"] - point["zs_low"]], [point["zs_high"] - point["zs"]]],
            color=PALETTE[number % len(PALETTE)],
            marker=FORMS[number % len(FORMS)],
            ms=5,
            lw=0.7,
            alpha=0.35 if point["participation_ratio"] < COLLAPSED else 1.0,
            label=f"{name} (n = {len(points)})" if row == 0 else None,
            linestyle="none",
        )
