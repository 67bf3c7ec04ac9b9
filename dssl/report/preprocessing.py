"""What choices of preprocessing do to this screen, and which compounds are active."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dssl.preprocessing.agreement import BATCH_MAP, MECHANISM, METRICS, PLATE_MAP, REPLICATE, ROW_MAP
from dssl.preprocessing.choices import CONFIGURED
from dssl.report.content import MISSING, Cell, Figure, Note, Part, Section, Table, interval, number, p_text, records
from dssl.report.figures import PALETTE, data_uri, style, svg_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BETTER = {REPLICATE: "higher is better", MECHANISM: "higher is better"}
BETTER |= dict.fromkeys((BATCH_MAP, PLATE_MAP, ROW_MAP), "chance is best")
SIGNIFICANT = 0.05


def preprocessing_section(comparison: pd.DataFrame, activity: pd.DataFrame) -> Section:
    """The compared choices, and the activity of the compounds.

    Parameters
    ----------
    comparison : DataFrame
        What `dssl.preprocessing.comparison.compare_choices` gives.
    activity : DataFrame
        What `dssl.phenotypes.activity.call_activity` gives.
    """
    intro = (
        "Each choice below differs from the configuration in one respect. Replicate mAP: the wells of a treatment, "
        "on other plates where there are such, should come before the wells of other compounds. Mechanism mAP: "
        "compounds of one mechanism should come before the others. Batch, plate and row mAP: wells of other "
        "compounds from the same batch, plate or row of a plate should not come first; chance is what randomly "
        "ordered wells would give, and compounds that were measured in one batch only keep the figure above it. "
        "Replicates at one position on every plate also find one another by what the position does: a replicate "
        "mAP that rises together with the row mAP is no better. What is fitted on treated wells was fitted on one "
        "half of the compounds and measured on the other, both ways round; the test compounds of fold 0 were not "
        "looked at. Who chooses by this table has a strictly untouched test in fold 0 only."
    )
    parts: list[Part] = []
    if comparison["value"].notna().any():
        parts += [_figure(comparison), _table(comparison)]
    skipped = comparison[comparison["value"].isna()]
    if len(skipped):
        parts.append(_skipped(skipped))
    parts.append(_activity_note(activity) if activity["mean_average_precision"].isna().all() else _active(activity))
    return Section("preprocessing", "Preprocessing and activity", [intro, *_sentences(comparison)], parts)


def comparison_svg(comparison: pd.DataFrame) -> bytes:
    """The choices of `comparison`, a panel for each metric: value, 95 % interval and chance."""
    from matplotlib.figure import Figure as Canvas

    names = list(dict.fromkeys(comparison["choice"]))[::-1]
    shown = [name for name in METRICS if comparison.loc[comparison["metric"] == name, "value"].notna().any()]
    with style():
        canvas = Canvas(figsize=(2.6 * max(len(shown), 1) + 2.6, 0.3 * len(names) + 1.3), layout="constrained")
        axes = canvas.subplots(1, max(len(shown), 1), sharey=True, squeeze=False)[0]
        for axis, metric in zip(axes, shown, strict=False):
            _panel(axis, comparison[comparison["metric"] == metric].set_index("choice").reindex(names), metric)
        axes[0].set_yticks(range(len(names)), names)
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
    axis.set_title(f"{metric}\n{BETTER[metric]}, n = {n}", fontsize=9)


def _figure(comparison: pd.DataFrame) -> Figure:
    return Figure(
        "Dots: mean over compounds, with 95 % interval (bootstrap over compounds). Orange ticks: chance. Grey line: the "
        "configuration. The intervals are those of a single figure; whether a choice differs from the configuration is "
        "told by the paired difference in the table.",
        "Mean average precision of replicates, mechanisms, batches and plates under each choice of preprocessing",
        data_uri(comparison_svg(comparison), "image/svg+xml"),
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


def _sentences(comparison: pd.DataFrame) -> list[str]:
    """Which choices differ from the configuration in what they are for."""
    found = []
    for metric in (REPLICATE, MECHANISM):
        block = comparison[(comparison["metric"] == metric) & (comparison["p_value"] < SIGNIFICANT)]
        told = [
            f"{row['choice']} ({row['difference']:+.3f}, {p_text(row['p_value'])})"
            for row in records(block.sort_values("difference", ascending=False))
        ]
        tested = int((comparison["p_value"].notna() & (comparison["metric"] == metric)).sum())
        if tested:
            told_of = "; ".join(told) if told else "none"
            found.append(f"{metric}, choices that differ from the configuration at p < 0.05, of {tested}: {told_of}.")
    return found


def _active(activity: pd.DataFrame) -> Table:
    called = activity[activity["mean_average_precision"].notna()]
    active = called["active"].astype(str) == "True"
    rows = [
        [Cell("compounds of treated wells"), Cell(f"{len(activity):,}")],
        *(
            [Cell(f"\N{MINUS SIGN} {reason}"), Cell(f"{count:,}")]
            for reason, count in activity.loc[~activity.index.isin(called.index), "reason"].value_counts().items()
        ),
        [Cell("= called"), Cell(f"{len(called):,}")],
        [Cell("active", strong=True), Cell(f"{active.sum():,}", f"{active.mean():.0%} of those called", strong=True)],
        [Cell("mean average precision, median"), Cell(number(float(called["mean_average_precision"].median())))],
        [Cell("its chance level, median"), Cell(number(float(called["chance"].median())))],
        [Cell("replicate wells of a compound, median"), Cell(number(float(called["n_wells"].median())))],
        [Cell("controls they compete with, median"), Cell(number(float(called["n_controls"].median())))],
    ]
    caption = (
        "Activity: a compound's wells should find one another before the controls. Mean average precision by copairs, "
        "p-value by random rankings, active where the false discovery rate (q) is small enough; every compound is listed in "
        "call_activity/activity.tsv."
    )
    return Table(caption, ["activity", "n"], rows)


def _activity_note(activity: pd.DataFrame) -> Note:
    reasons = activity["reason"].value_counts()
    told = "; ".join(f"{reason} ({count:,} compounds)" for reason, count in reasons.items()) or "no treated wells"
    return Note(f"Activity could not be called: {told}.")
