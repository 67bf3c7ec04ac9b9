"""Which compounds differ from the controls: in words, as a figure, and counted."""

import numpy as np
import pandas as pd

from dssl.report.content import Cell, Figure, Note, Part, Table, count, number, percent
from dssl.report.figures import OTHER_METHODS, PALETTE, csv_text, style, svg_uri

N_BINS = 30


def called(activity: pd.DataFrame) -> pd.DataFrame:
    """Compounds whose activity could be called; `active` as yes or no."""
    found = activity[activity["mean_average_precision"].notna()]
    return found.assign(active=found["active"].astype(str) == "True")


def activity_sentence(activity: pd.DataFrame) -> str:
    """How many compounds have a phenotype of their own, beside chance, in words."""
    found = called(activity)
    if found.empty:
        return f"Which compounds are active could not be called: {_reasons(activity)}."
    n = int(found["active"].sum())
    score = found["mean_average_precision"].astype(float)
    low, middle, high = (number(float(value)) for value in score.quantile([0.25, 0.5, 0.75]))
    return (
        f"{n:,} of {count(len(found), 'compound')} ({percent(n / len(found))}) have a phenotype that differs from the "
        f"controls: their replicate wells find one another before they find controls (median mAP {middle}, half of the "
        f"compounds between {low} and {high}; wells in random order would give {number(found['chance'].astype(float).median())})."
    )


def activity_parts(activity: pd.DataFrame) -> list[Part]:
    """Figure and counts; a note where nothing could be called."""
    found = called(activity)
    if found.empty:
        return [Note(f"Activity could not be called: {_reasons(activity)}.")]
    return [activity_figure(found), activity_table(activity, found)]


def activity_figure(found: pd.DataFrame) -> Figure:
    """Distribution of the compounds' mean average precision, active ones apart."""
    from matplotlib.figure import Figure as Canvas

    scores = found["mean_average_precision"].astype(float)
    bins = np.linspace(0, 1, N_BINS + 1)
    groups = {"active": (scores[found["active"]], PALETTE[0]), "not active": (scores[~found["active"]], OTHER_METHODS)}
    with style():
        canvas = Canvas(figsize=(7.4, 2.9), layout="constrained")
        axis = canvas.subplots()
        axis.hist(
            [values for values, _ in groups.values()],
            bins=list(bins),
            stacked=True,
            color=[colour for _, colour in groups.values()],
            label=[f"{name} (n = {len(values)})" for name, (values, _) in groups.items()],
            edgecolor="white",
            linewidth=0.4,
        )
        chance = float(found["chance"].astype(float).median())
        axis.axvline(chance, color=PALETTE[5], ls="--", lw=1.4, label=f"chance (median, {number(chance)})")
        axis.set(xlim=(0, 1), xlabel="replicate mAP of the compound (no unit)", ylabel="compounds")
        canvas.legend(loc="outside right upper")
        uri = svg_uri(canvas)
    columns = ["compound_id", "n_wells", "mean_average_precision", "chance", "q_value", "active"]
    return Figure(
        "Each compound counts once, where the mean average precision (mAP) of its replicate wells against the controls "
        "lies: 1, its wells always come before all controls; dashed, what random order would give. Far to the right: "
        "a reproducible phenotype. Near the dashed line: no phenotype, or one that does not repeat.",
        f"Histogram of replicate mAP: {int(found['active'].sum())} active of {len(found)} compounds",
        uri,
        "replicates",
        csv_text(found[columns]),
    )


def activity_table(activity: pd.DataFrame, found: pd.DataFrame) -> Table:
    """How many compounds were called, and active; those left out by reason."""
    left_out = activity.loc[~activity.index.isin(found.index), "reason"].value_counts()
    n = int(found["active"].sum())
    medians = {
        "mean average precision, median": "mean_average_precision",
        "its chance level, median": "chance",
        "replicate wells of a compound, median": "n_wells",
        "controls they compete with, median": "n_controls",
    }
    rows = [
        [Cell("compounds of treated wells"), Cell(f"{len(activity):,}")],
        *([Cell(f"\N{MINUS SIGN} {reason}"), Cell(f"{lost:,}")] for reason, lost in left_out.items()),
        [Cell("= called"), Cell(f"{len(found):,}")],
        [Cell("active", strong=True), Cell(f"{n:,}", f"{n / len(found):.0%} of those called", strong=True)],
        *([Cell(name), Cell(number(float(found[column].astype(float).median())))] for name, column in medians.items()),
    ]
    caption = (
        "Activity: a compound's wells should find one another before the controls. Mean average precision by copairs, "
        "p-value by random rankings, active where the false discovery rate (q) is small enough; every compound is listed in "
        "call_activity/activity.tsv."
    )
    return Table(caption, ["activity", "n"], rows, folded=True)


def _reasons(activity: pd.DataFrame) -> str:
    reasons = activity["reason"].value_counts()
    return "; ".join(f"{reason} ({n:,} compounds)" for reason, n in reasons.items()) or "no treated wells"
