"""What explains the features: bars for every group of them, and the numbers behind the bars."""

import pandas as pd

from dssl.evaluation.attribution import CHANCE, NEITHER, PARTS
from dssl.report.content import Cell, Figure, Note, Part, Table, count, number, percent
from dssl.report.figures import GREY, PALETTE, csv_text, style, svg_uri

ALL = "all"
N_SHOWN = 40  # bars of a figure
COLOURS = {"shared": PALETTE[0], "both": PALETTE[2], "specific": PALETTE[1], "neither": GREY}
LABELS = {"shared": "shared code only", "both": "either code", "specific": "specific code only", "neither": "neither"}


def attribution_parts(groups: pd.DataFrame) -> list[Part]:
    """A figure for every grouping of the features, and one table; a note where nothing could be attributed."""
    means = _over_folds(groups)
    if means[NEITHER].isna().all():
        return [Note("No feature's variance could be attributed to the codes: too few compounds are held out.")]
    names = list(dict.fromkeys(means["grouping"]))
    everything = means[means["grouping"] == ALL]
    shown = [name for name in names if name != ALL] or [ALL]
    figures = [_bars(name, means[means["grouping"] == name], everything, place) for place, name in enumerate(shown, 1)]
    return [*figures, _table(means)]


def variance_sentences(groups: pd.DataFrame) -> list[str]:
    """How much of the phenotypes follows from the structure and how much does not, and where each is strongest."""
    means = _over_folds(groups)
    everything = means[(means["grouping"] == ALL) & means[NEITHER].notna()]
    if everything.empty:
        return []
    row = everything.iloc[0]
    told = [
        f"Of what varies between the phenotypes of held-out compounds ({count(int(row['n_features']), 'feature')}), "
        f"{percent(row['shared'])} is told by the shared code only, and so follows from the structure; "
        f"{percent(row['specific'])} by the specific code only, biology or technique that the structure does not tell; "
        f"{percent(row['both'])} by either; {percent(row[NEITHER])} by neither, such as noise (chance: at most "
        f"{percent(max(float(row[name]) for name in CHANCE))})."
    ]
    names = [name for name in dict.fromkeys(means["grouping"]) if name != ALL]
    first = means[(means["grouping"] == names[0]) & means[NEITHER].notna()] if names else means.iloc[:0]
    if len(first) > 1:
        shared, specific = (first.iloc[int(first[part].astype(float).argmax())] for part in ("shared", "specific"))
        told.append(
            f"By {names[0]}, the structure tells most of {shared['group']} ({percent(shared['shared'])} by the shared code "
            f"only), and the specific code most of {specific['group']} ({percent(specific['specific'])})."
        )
    return told


def _over_folds(groups: pd.DataFrame) -> pd.DataFrame:
    grouped = groups.groupby(["grouping", "group"], sort=False)
    means = grouped[["n_features", "n_left_out", *PARTS, *CHANCE]].mean()
    return means.assign(n_folds=grouped["fold"].nunique()).reset_index()


def _bars(name: str, rows: pd.DataFrame, everything: pd.DataFrame, number_of: int) -> Figure:
    from matplotlib.figure import Figure as Canvas

    # the largest groups where there are too many to be read
    largest = rows.sort_values("n_features", ascending=False, kind="stable").head(N_SHOWN)
    shown = pd.concat([everything, largest.sort_values("group")]).drop_duplicates("group")[::-1].reset_index(drop=True)
    with style():
        canvas = Canvas(figsize=(8.6, 0.27 * len(shown) + 1.3), layout="constrained")
        axis = canvas.subplots()
        left = pd.Series(0.0, index=shown.index)
        for part, colour in COLOURS.items():
            axis.barh(shown.index, shown[part], left=left, color=colour, height=0.8, label=LABELS[part])
            left += shown[part]
        labels = [f"{group} ({n:.0f})" for group, n in zip(shown["group"], shown["n_features"], strict=True)]
        axis.set_yticks(shown.index, labels, parse_math=False)
        axis.set(xlim=(0, 1), ylim=(-0.6, len(shown) - 0.4), xlabel="mean share of a feature's variance")
        axis.tick_params(axis="y", length=0)
        canvas.legend(loc="outside upper center", ncols=4)
        uri = svg_uri(canvas)
    left_out = f" The {len(largest)} largest of {len(rows)} groups are shown." if len(largest) < len(rows) else ""
    folds = int(shown["n_folds"].max())
    return Figure(
        f"What explains the features, by {name} (in brackets: features; mean over n = {folds} fold"
        f"{'s' if folds > 1 else ''}). Shares of the variance between held-out compounds that ridge regression on "
        "the phenotype's codes predicts for compounds it was not fitted on. Blue: only the shared code tells it, so it "
        "follows from the structure; orange: only the specific code, biology or technique that the structure does not "
        f"tell; green: either code alone; grey: neither, such as noise.{left_out}",
        f"Stacked bars of explained variance by {name}",
        uri,
        f"variance-{number_of}",
        csv_text(rows),
    )


def _table(means: pd.DataFrame) -> Table:
    rows: list[list[Cell]] = []
    for grouping, lines in means.groupby("grouping", sort=False):
        rows.append([Cell(str(grouping))])
        for line in lines.to_dict("records"):
            chance = max(float(line[name]) for name in CHANCE)
            shares = [number(float(line[part])) for part in PARTS]
            rows.append(
                [Cell(str(line["group"])), *map(Cell, shares), Cell(number(chance)), Cell(f"{line['n_features']:.0f}")]
            )
    left_out = int(means.loc[means["grouping"] == ALL, "n_left_out"].max())
    caption = (
        "Shares of the features' variance explained by the shared code only, by the specific code only, by either, by "
        "neither: means over features and folds; they add up to 1. chance: the highest R² of the codes with rows "
        f"permuted. {left_out} feature{'s' if left_out != 1 else ''} that did not vary between held-out compounds "
        "could not be asked."
    )
    return Table(caption, ["group", *PARTS, "chance", "features"], rows, folded=True)
