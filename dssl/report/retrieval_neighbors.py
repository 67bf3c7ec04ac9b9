"""Whether neighbours share a mechanism or target: sentences, figure and table."""

from typing import Any

import pandas as pd

from dssl import keys
from dssl.report.content import Cell, Figure, Part, Table, interval, number, p_text, records
from dssl.report.figures import OTHER_METHODS, PALETTE, csv_text, interval_dots, style, svg_uri
from dssl.report.names import in_sentence, method_name, readable
from dssl.report.retrieval_tables import SIGNIFICANT
from dssl.report.second_assay import reworded

LEARNED = {"dssl": PALETTE[0], "dssl_specific": PALETTE[1]}
ACROSS = "phenotype_to_molecule"
SPACES = {
    "phenotype": "phenotypes near a phenotype",
    "molecule": "molecules near a molecule",
    ACROSS: "molecules near a phenotype",
}
NO_NEIGHBORS = (
    "What neighbours share could not be asked: no kept column of the molecules (molecules.keep) has a value that two "
    "held-out compounds of a fold share."
)


def neighbor_sentences(enrichment: pd.DataFrame) -> list[str]:
    """What the model's codes say, one paragraph for each annotated column."""
    found = []
    for column, block in enrichment.groupby("column", sort=False):
        said = [_said(row) for row in records(block[block["method"].isin(LEARNED)])]
        if said:
            found.append(
                f"Of two random held-out compounds, {100 * block['expected'].mean():.1f} % have a value of {in_sentence(str(column))} in "
                f"common (n = {block['n_compounds'].max():.0f} annotated compounds). Of a compound and its "
                f"{block['n_neighbors'].max():.0f} nearest: {'; '.join(said)}."
            )
    return found or [NO_NEIGHBORS]


def _said(row: dict[str, Any]) -> str:
    code = "specific" if row["method"] == "dssl_specific" else "shared"
    bounds = interval(row["fold_enrichment_low"], row["fold_enrichment_high"])
    return (
        f"{100 * row['sharing']:.1f} % by {code} codes, {SPACES[str(row['space'])]} "
        f"({number(row['fold_enrichment'])} times as many {bounds}, corrected {p_text(row['p_holm'])})"
    )


def neighbor_parts(enrichment: pd.DataFrame, other: str = keys.MOLECULE) -> list[Part]:
    """Figure and table; nothing where no column could be asked about."""
    if enrichment.empty:
        return []
    return [neighbor_figure(enrichment, other), neighbor_table(enrichment)]


def neighbor_figure(enrichment: pd.DataFrame, other: str = keys.MOLECULE) -> Figure:
    """Fold enrichment with intervals by method, a row for each column and a panel for each space."""
    from matplotlib.figure import Figure as Canvas

    columns = list(dict.fromkeys(enrichment["column"].astype(str)))
    methods = list(dict.fromkeys(enrichment["method"].astype(str)))[::-1]
    furthest = enrichment.groupby(enrichment["column"].astype(str))["fold_enrichment_high"].max()
    with style():
        size = (3.0 * len(SPACES) + 1.8, (0.3 * len(methods) + 1.1) * len(columns) + 0.3)
        canvas = Canvas(figsize=size, layout="constrained")
        axes = canvas.subplots(len(columns), len(SPACES), squeeze=False, sharey=True)
        for row, column in enumerate(columns):
            for place, (space, name) in enumerate(SPACES.items()):
                chosen = (enrichment["column"] == column) & (enrichment["space"] == space)
                _forest(axes[row, place], enrichment[chosen], methods, other)
                axes[row, place].set_xlim(0, 1.05 * max(furthest[column], 1))
                axes[row, place].set_title(f"{readable(column)}:\n{reworded(name, other)}", parse_math=False)
                axes[row, place].set_xlabel("times as often as random pairs" if row == len(columns) - 1 else "")
        uri = svg_uri(canvas)
    return Figure(
        "How many times more often the nearest held-out compounds share a value of the column than random ones do, "
        "with 95 % intervals. Dashed: 1, no more often. Blue: shared codes; orange: specific codes; grey: controls, "
        "among them profiles and structures as they go into all methods. A shared code should bring together "
        "phenotypes of compounds with one mechanism; where structures alone do as well, it has learned chemistry.",
        "Fold enrichment of shared annotations among neighbours by method",
        uri,
        "neighbour-enrichment",
        csv_text(enrichment),
    )


def _forest(axis: Any, block: pd.DataFrame, methods: list[str], other: str) -> None:
    found = (
        (
            reworded(method_name(row["method"]), other),
            row["fold_enrichment"],
            (row["fold_enrichment_low"], row["fold_enrichment_high"]),
            LEARNED.get(row["method"], OTHER_METHODS),
        )
        for row in records(block)
    )
    interval_dots(axis, [reworded(method_name(method), other) for method in methods], found)
    axis.axvline(1, color=PALETTE[5], ls="--", lw=1.2)


def neighbor_table(enrichment: pd.DataFrame) -> Table:
    """Every method, space and column."""
    rows: list[list[Cell]] = []
    for (column, space), block in enrichment.groupby(["column", "space"], sort=False):
        rows.append([Cell(f"{readable(str(column))}: {SPACES[str(space)]}")])
        rows += [
            [
                Cell(method_name(row["method"])),
                Cell(f"{row['n_compounds']:.0f}"),
                Cell(f"{100 * row['sharing']:.1f} %"),
                Cell(f"{100 * row['expected']:.1f} %"),
                Cell(
                    number(row["fold_enrichment"]),
                    interval(row["fold_enrichment_low"], row["fold_enrichment_high"]),
                    bool(row["p_holm"] < SIGNIFICANT),
                ),
                Cell(number(row["odds_ratio"]), interval(row["odds_ratio_low"], row["odds_ratio_high"])),
                Cell(p_text(row["p_value"])),
                Cell(p_text(row["p_holm"])),
            ]
            for row in records(block)
        ]
    caption = (
        f"The {enrichment['n_neighbors'].max():.0f} nearest of the annotated held-out compounds of a fold: how many "
        "share a value with the compound asked about, and how many random ones would; their ratio, and the odds ratio "
        "of neighbours against the others. p: how often annotations dealt out at random do as well; corrected: for the "
        "methods of the same block (Holm). Bold: corrected p < "
        f"{SIGNIFICANT:g}. Several values of a compound are separated by |; one in common counts. Compounds without "
        "an annotation are left out. Compounds of one series share structure and mechanism: enrichment among molecules "
        "is expected, and does not show that the phenotype was used."
    )
    columns = ["method", "n", "share it", "by chance", "fold", "odds ratio", "p", "corrected p"]
    return Table(caption, columns, rows, folded=True)
