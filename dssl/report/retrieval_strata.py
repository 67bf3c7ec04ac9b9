"""For which compounds retrieval works: figure and table of the strata."""

from typing import Any

import pandas as pd

from dssl import keys
from dssl.evaluation.ranks import MEAN_NORMALIZED_RANK, MRR
from dssl.evaluation.strata import ACTIVITY, CORRELATION, DOSE, LENGTH, SIMILARITY
from dssl.report.content import Cell, Figure, Part, Table, interval, number, records
from dssl.report.figures import PALETTE, csv_text, style, svg_uri
from dssl.report.names import method_name
from dssl.report.retrieval_tables import COMPOUND, LEARNED, WHOLE, direction_name, in_order, is_control
from dssl.report.second_assay import reworded

BY_NAMES = {
    SIMILARITY: "similarity to the nearest training compound (Tanimoto)",
    ACTIVITY: "activity call",
    CORRELATION: "agreement of replicate wells (correlation)",
    LENGTH: "strength of the phenotype (length of the profile)",
    DOSE: "dose of the phenotype",
}
# one measure of how strong a phenotype is: the first of these that there is
STRENGTH = (ACTIVITY, CORRELATION, LENGTH)
ALWAYS_SHOWN = "nearest_neighbor"
FEW_STRATA = 8  # whose labels stand side by side in the usual size


def strata_parts(strata: pd.DataFrame, other: str = keys.MOLECULE) -> list[Part]:
    """Figure of the model beside its strongest control, and a table of all methods; nothing without strata."""
    shown = shown_strata(strata)
    if shown.empty:
        return []
    return [strata_figure(shown, other), strata_table(shown)]


def shown_strata(strata: pd.DataFrame) -> pd.DataFrame:
    """Strata in the whole library, by similarity, by one measure of strength, and by dose."""
    there = set(strata["by"].astype(str))
    strength = next((name for name in STRENGTH if name in there), None)
    chosen = [name for name in (SIMILARITY, strength, DOSE) if name in there]
    found = strata[(strata["library"] == WHOLE) & strata["by"].isin(chosen)]
    order = found["by"].map({name: place for place, name in enumerate(chosen)})
    return in_order(found.assign(order=order)).sort_values("order", kind="stable").drop(columns="order")


def compared_methods(shown: pd.DataFrame) -> list[str]:
    """The model, the control with the highest mean MRR over strata of compounds, and the nearest neighbour."""
    scores = shown[(shown["metric"] == MRR) & (shown["level"] == COMPOUND)]
    weighted = scores["value"] * scores["n_compounds"]
    means = weighted[is_control(scores["method"])].groupby(scores["method"]).sum()
    names = [LEARNED, *([str(means.idxmax())] if len(means) else []), ALWAYS_SHOWN]
    return [name for name in dict.fromkeys(names) if name in set(shown["method"])]


def strata_figure(shown: pd.DataFrame, other: str = keys.MOLECULE) -> Figure:
    """MRR by stratum, a row for each way to stratify and a column for each direction."""
    from matplotlib.figure import Figure as Canvas

    scores, methods = shown[shown["metric"] == MRR], compared_methods(shown)
    rows, directions = (list(dict.fromkeys(scores[name].astype(str))) for name in ("by", "direction"))
    with style():
        canvas = Canvas(figsize=(4.9 * len(directions) + 0.4, 3.3 * len(rows) + 0.5), layout="constrained")
        grid = canvas.add_gridspec(len(rows), len(directions))
        for row, by in enumerate(rows):
            of_row = scores[scores["by"] == by]
            there = [direction for direction in directions if (of_row["direction"] == direction).any()]
            for column, direction in enumerate(there):
                # doses have one direction, and the whole row
                axis = canvas.add_subplot(grid[row, column] if len(there) == len(directions) else grid[row, :])
                _strata_axis(axis, of_row[of_row["direction"] == direction], methods)
                axis.set_title(reworded(f"{direction_name(direction)}, by\n{BY_NAMES[by]}", other), parse_math=False)
        handles, labels = canvas.axes[0].get_legend_handles_labels()
        canvas.legend(handles, labels, loc="outside lower center", ncols=len(labels))
        uri = svg_uri(canvas)
    return Figure(
        "Mean reciprocal rank in strata of the held-out compounds, with 95 % intervals; below each stratum the number "
        "of its compounds. Shown: the model, its strongest control, and the most similar training compound. Chance is "
        "drawn for each stratum. A method that works only where a similar compound was trained on looks it up; one "
        "that works only for strong phenotypes tells nothing of weak ones. Where a stratum has few compounds, its "
        "interval is wide, or left out (fewer than five), and the difference to its neighbours may be chance.",
        "Mean reciprocal rank by stratum of the compounds",
        uri,
        "retrieval-strata",
        csv_text(scores),
    )


def _strata_axis(axis: Any, block: pd.DataFrame, methods: list[str]) -> None:
    strata = list(dict.fromkeys(block["stratum"].astype(str)))
    sizes = block.groupby("stratum", sort=False)["n_compounds"].first()
    chances = block.groupby("stratum", sort=False)["chance"].first()
    for place, method in enumerate(methods):
        lines = block[block["method"] == method]
        offset = 0.18 * (place - (len(methods) - 1) / 2)
        x = [strata.index(str(one)) + offset for one in lines["stratum"]]
        # an interval need not hold its value, and bars cannot be negative
        errors = [(lines["value"] - lines["ci_low"]).clip(lower=0), (lines["ci_high"] - lines["value"]).clip(lower=0)]
        axis.errorbar(x, lines["value"], errors, fmt="o", color=PALETTE[place], ms=6, lw=2, label=method_name(method))
    for place, name in enumerate(strata):
        label = "chance" if place == 0 else None
        axis.plot([place - 0.4, place + 0.4], [chances[name]] * 2, color=PALETTE[5], ls="--", lw=1.2, label=label)
    labels = [f"{name}\nn = {sizes[name]}" for name in strata]
    axis.set_xticks(range(len(strata)), labels, parse_math=False, fontsize=9 if len(strata) <= FEW_STRATA else 7)
    axis.set_xlim(-0.6, len(strata) - 0.4)
    axis.set_ylim(bottom=0)
    axis.set_ylabel("mean reciprocal rank")


def strata_table(shown: pd.DataFrame) -> Table:
    """Every method in every stratum: MRR and mean rank, chance, number of compounds, size of the library."""
    rows: list[list[Cell]] = []
    for (by, direction), block in shown.groupby(["by", "direction"], sort=False):
        rows.append([Cell(f"By {BY_NAMES[str(by)]}. {direction_name(str(direction))}")])
        for (stratum, method), lines in block.groupby(["stratum", "method"], sort=False):
            scores = {str(row["metric"]): row for row in records(lines)}
            mrr, rank = scores[MRR], scores[MEAN_NORMALIZED_RANK]
            rows.append(
                [
                    Cell(str(stratum)),
                    Cell(method_name(str(method))),
                    Cell(f"{mrr['n_compounds']:.0f}"),
                    Cell(number(mrr["library_size"])),
                    Cell(number(mrr["value"]), interval(mrr["ci_low"], mrr["ci_high"])),
                    Cell(number(mrr["chance"])),
                    Cell(number(rank["value"]), interval(rank["ci_low"], rank["ci_high"])),
                    Cell(number(rank["chance"])),
                ]
            )
    caption = (
        "Retrieval in strata, whole library, all folds together: a stratum chooses which compounds are asked about, "
        "not what they are compared with. Compound level, but for doses: there, single treatments (compound and dose), "
        "averaged per compound. Thirds are of all held-out compounds. In brackets: 95 % interval (bootstrap over "
        "compounds)."
    )
    columns = ["stratum", "method", "n", "library size", "MRR", "chance (MRR)", "mean rank", "chance (mean rank)"]
    return Table(caption, columns, rows, n_labels=2, folded=True)
