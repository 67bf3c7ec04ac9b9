"""What choices of preprocessing do to this screen."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dssl.preprocessing.agreement import BATCH_MAP, MECHANISM, METRICS, PLATE_MAP, REPLICATE, ROW_MAP
from dssl.preprocessing.choices import CONFIGURED
from dssl.report.content import (
    MISSING,
    Cell,
    Figure,
    Folded,
    Part,
    Table,
    Text,
    count,
    interval,
    number,
    p_text,
    records,
)
from dssl.report.figures import PALETTE, csv_text, data_uri, style, svg_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BETTER = {REPLICATE: "higher is better", MECHANISM: "higher is better"}
BETTER |= dict.fromkeys((BATCH_MAP, PLATE_MAP, ROW_MAP), "chance is best")
SIGNIFICANT = 0.05


INTRO = (
    "Each choice differs from the configuration in one respect. Replicate mAP: the wells of a treatment, on other plates "
    "where there are such, should come before the wells of other compounds. Mechanism mAP: compounds of one mechanism "
    "should come before the others. Batch, plate and row mAP: wells of other compounds from the same batch, plate or row "
    "of a plate should not come first; chance is what randomly ordered wells would give, and compounds that were measured "
    "in one batch only keep the figure above it. Replicates at one position on every plate also find one another by what "
    "the position does: a replicate mAP that rises together with the row mAP is no better.",
    "What is fitted on treated wells was fitted on one half of the compounds and measured on the other, both ways round; "
    "the test compounds of fold 0 were not looked at. Who chooses by this table has a strictly untouched test in fold 0 "
    "only.",
)


def preprocessing_parts(comparison: pd.DataFrame) -> list[Part]:
    """What the choices do, in words, as a figure and as a table.

    Parameters
    ----------
    comparison : DataFrame
        What `dssl.preprocessing.comparison.compare_choices` gives.
    """
    parts: list[Part] = [Text(sentence) for sentence in choice_sentences(comparison)]
    if comparison["value"].notna().any():
        how = Folded("How the choices were compared", [Text(text) for text in INTRO])
        parts += [_figure(comparison), how, _table(comparison)]
    skipped = comparison[comparison["value"].isna()]
    if len(skipped):
        parts.append(_skipped(skipped))
    return parts


def comparison_svg(comparison: pd.DataFrame) -> bytes:
    """The choices of `comparison`, a panel for each metric: value, 95 % interval and chance."""
    from matplotlib.figure import Figure as Canvas

    names = list(dict.fromkeys(comparison["choice"]))[::-1]
    shown = [name for name in METRICS if comparison.loc[comparison["metric"] == name, "value"].notna().any()]
    with style():
        canvas = Canvas(figsize=(1.75 * max(len(shown), 1) + 2.4, 0.28 * len(names) + 1.5), layout="constrained")
        axes = canvas.subplots(1, max(len(shown), 1), sharey=True, squeeze=False)[0]
        for axis, metric in zip(axes, shown, strict=False):
            _panel(axis, comparison[comparison["metric"] == metric].set_index("choice").reindex(names), metric)
        axes[0].set_yticks(range(len(names)), names)
        canvas.supxlabel("mean average precision (mAP, no unit)", fontsize=9.5)
        return svg_bytes(canvas)


def _panel(axis: "Axes", rows: pd.DataFrame, metric: str) -> None:
    place = np.arange(len(rows))
    values, chance = rows["value"].to_numpy(dtype=float), rows["chance"].to_numpy(dtype=float)
    bounds = [np.abs(values - rows[name].to_numpy(dtype=float)) for name in ("ci_low", "ci_high")]
    axis.errorbar(values, place, xerr=bounds, fmt="o", color=PALETTE[0], markersize=4, linewidth=1.2)
    axis.plot(chance, place, "|", color=PALETTE[5], markersize=9, label="chance")
    if CONFIGURED in rows.index:
        axis.axvline(float(rows["value"][CONFIGURED]), color="#C4C8CC", linewidth=0.9, zorder=0)
    known = rows["n_compounds"][rows["value"].notna()]
    n = f"{known.min():.0f}" if known.min() == known.max() else f"{known.min():.0f} to {known.max():.0f}"
    axis.set_title(f"{metric}\n{BETTER[metric]}\nn = {n}", fontsize=9)
    axis.locator_params(axis="x", nbins=3)


def _figure(comparison: pd.DataFrame) -> Figure:
    return Figure(
        "Dots: mean over compounds, with 95 % interval (bootstrap over compounds). Orange ticks: chance. Grey line: the "
        "configuration. The intervals are those of a single figure; whether a choice differs from the configuration is "
        "told by the paired difference in the table.",
        "Mean average precision of replicates, mechanisms, batches and plates under each choice of preprocessing",
        data_uri(comparison_svg(comparison), "image/svg+xml"),
        "preprocessing",
        csv_text(comparison),
    )


def _table(comparison: pd.DataFrame) -> Table:
    rows: list[list[Cell]] = []
    for metric, block in comparison[comparison["value"].notna()].groupby("metric", sort=False):
        rows.append([Cell(f"{metric} ({BETTER[str(metric)]})")])
        for row in records(block):
            rows.append(
                [
                    Cell(str(row["choice"])),
                    Cell(f"{row['n_compounds']:.0f}"),
                    Cell(number(row["value"]), interval(row["ci_low"], row["ci_high"])),
                    Cell(number(row["chance"])),
                    Cell(
                        number(row["difference"]),
                        interval(row["difference_low"], row["difference_high"]),
                        bool(row["p_value"] < SIGNIFICANT),
                    ),
                    Cell(p_text(row["p_value"]) or MISSING),
                ]
            )
    caption = (
        "Difference: to the configuration, on the same compounds, with 95 % interval (bootstrap) and two-sided p (random "
        f"signs), not corrected for the number of choices. Bold: p < {SIGNIFICANT:g}."
    )
    return Table(caption, ["choice", "n", "mAP", "chance", "difference", "p"], rows, folded=len(rows) > 16)


def _skipped(skipped: pd.DataFrame) -> Table:
    rows = [
        [Cell(f"{choice}: {', '.join(map(str, block['metric']))}"), Cell(str(reason))]
        for (choice, reason), block in skipped.groupby(["choice", "reason"], sort=False)
    ]
    return Table("Not measured.", ["choice", "reason"], rows, n_labels=2, folded=len(rows) > 8)


def choice_sentences(comparison: pd.DataFrame) -> list[str]:
    """How many choices differ from the configuration in what they are for, and by how much the most different ones."""
    found = []
    for metric in (REPLICATE, MECHANISM):
        tested = comparison[(comparison["metric"] == metric) & comparison["p_value"].notna()]
        clear = tested[tested["p_value"] < SIGNIFICANT].sort_values("difference", kind="stable")
        if tested.empty:
            continue
        said = [
            f"{len(rows)} {word} ({text})"
            for word, rows in (
                ("higher", clear[clear["difference"] > 0][::-1]),
                ("lower", clear[clear["difference"] < 0]),
            )
            if (text := _most(rows))
        ]
        found.append(
            f"Of {count(len(tested), 'other choice')} of preprocessing, this many give a {metric} that differs from the "
            f"configuration's at p < {SIGNIFICANT:g}, not corrected for their number: {'; '.join(said) or 'none'}."
        )
    return found


def _most(rows: pd.DataFrame) -> str:
    if rows.empty:
        return ""
    row = records(rows)[0]
    return f"most: {row['choice']}, {row['difference']:+.3f}, {p_text(row['p_value'])}".replace("-", "\N{MINUS SIGN}")


def effect_sentence(comparison: pd.DataFrame) -> str:
    """Whether wells of one batch or plate still resemble one another more than chance, as configured."""
    told = []
    configured = comparison[(comparison["choice"] == CONFIGURED) & comparison["value"].notna()]
    for metric, what in ((BATCH_MAP, "batch"), (PLATE_MAP, "plate")):
        for row in records(configured[configured["metric"] == metric]):
            left = f"some {what} effect is left" if row["ci_low"] > row["chance"] else f"no {what} effect is seen"
            told.append(
                f"{left} (wells of other compounds on the same {what} come first with mAP {number(row['value'])} "
                f"{interval(row['ci_low'], row['ci_high'])}; chance {number(row['chance'])})"
            )
    if not told:
        return "Whether batches and plates leave a trace was not measured."
    return f"As configured, {' and '.join(told)}."
