"""Tables of retrieval, and which methods are the model's and which are controls."""

from typing import Any

import pandas as pd

from dssl.evaluation.ranks import LOWER_IS_BETTER, MEAN_NORMALIZED_RANK, MRR
from dssl.report.content import MISSING, Cell, Table, interval, number, p_text, records
from dssl.report.names import method_name

COMPOUND, WHOLE = "compound", "whole"
METRIC_NAMES = {"top_1": "top-1", "top_5": "top-5", "top_10": "top-10", MRR: "MRR", MEAN_NORMALIZED_RANK: "mean rank"}
DIRECTION_NAMES = {
    "phenotype_to_molecule": "Phenotype → molecule",
    "molecule_to_phenotype": "Molecule → phenotype",
}
SIGNIFICANT = 0.05
LEARNED = "dssl"


def is_control(methods: "pd.Series[str]") -> "pd.Series[bool]":
    """Methods that a model has to beat: parts of the model are none."""
    return ~methods.astype(str).str.startswith(LEARNED)


def direction_name(direction: str) -> str:
    """A direction as people read it."""
    return DIRECTION_NAMES.get(direction, direction)


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Phenotype to molecule first, and the whole library first; otherwise as it is."""
    first = {"direction": list(DIRECTION_NAMES), "library": [WHOLE]}

    def place(column: "pd.Series[Any]") -> "pd.Series[int]":
        names = first[str(column.name)]
        return column.map(lambda name: names.index(name) if name in names else len(names))

    return table.sort_values(["direction", "library"], key=place, kind="stable")


def _place(direction: object, library: object) -> str:
    return f"{direction_name(str(direction))}, {library} library"


def main_table(main: pd.DataFrame) -> Table:
    """A block per direction and library: a row for each method, and chance below."""
    rows: list[list[Cell]] = []
    for (direction, library), block in main.groupby(["direction", "library"], sort=False):
        rows.append([Cell(_place(direction, library))])
        best = best_methods(block)
        for method, lines in block.groupby("method", sort=False):
            scores = {str(row["metric"]): row for row in records(lines)}
            first = next(iter(scores.values()))
            head = [
                Cell(method_name(str(method))),
                Cell(f"{first['n_compounds']:.0f}"),
                Cell(number(first["library_size"])),
            ]
            rows.append(
                [*head, *(score_cell(scores.get(name), str(method) == best.get(name)) for name in METRIC_NAMES)]
            )
        chance = dict(zip(block["metric"], block["chance"], strict=True))
        rows.append(
            [Cell("chance"), Cell(""), Cell(""), *(Cell(number(chance.get(m, float("nan")))) for m in METRIC_NAMES)]
        )
    caption = (
        "Compound level, all folds together. top-1, top-5, top-10: share of the n compounds whose partner comes first, or "
        "among the first five or ten; MRR: mean of 1 / rank; mean rank: 0 is always first, 0.5 is chance. Higher is better, "
        "but for the mean rank. In brackets the 95 % interval (bootstrap over compounds); p: how often random "
        "pairings do as well. Bold: the best figure of the block, which need not be significantly better than the "
        "next."
    )
    return Table(caption, ["method", "n", "library size", *METRIC_NAMES.values()], rows, folded=len(rows) > 12)


def best_methods(block: pd.DataFrame) -> dict[str, str]:
    """Method with the best value of every metric; none where several share it."""
    found = {}
    for name, lines in block.groupby("metric"):
        values = lines["value"].astype(float)
        top = values.min() if name in LOWER_IS_BETTER else values.max()
        methods = lines["method"][values == top]
        if len(methods) == 1 and len(lines) > 1:
            found[str(name)] = str(methods.iloc[0])
    return found


def score_cell(row: dict[str, Any] | None, strong: bool = False) -> Cell:
    """A score with its interval and p-value; a dash where there is none."""
    if row is None:
        return Cell(MISSING)
    notes = (interval(row["ci_low"], row["ci_high"]), p_text(row["p_value"]))
    return Cell(number(row["value"]), "\n".join(filter(None, notes)), strong)


def comparison_cells(row: dict[str, Any]) -> list[Cell]:
    """A paired comparison: metric, methods, difference (bold: significant after correction), interval, p-values, n."""
    return [
        Cell(METRIC_NAMES[str(row["metric"])]),
        Cell(" \N{MINUS SIGN} ".join(method_name(str(row[name])) for name in ("method_a", "method_b"))),
        Cell(number(row["difference"]), strong=bool(row["p_holm"] < SIGNIFICANT)),
        Cell(interval(row["ci_low"], row["ci_high"])),
        Cell(p_text(row["p_value"])),
        Cell(p_text(row["p_holm"])),
        Cell(f"{row['n_compounds']:.0f}"),
    ]


def comparison_table(comparisons: pd.DataFrame) -> Table:
    """Every paired comparison at the compound level."""
    shown = comparisons[(comparisons["level"] == COMPOUND) & comparisons["metric"].isin(METRIC_NAMES)]
    rows: list[list[Cell]] = []
    for (direction, library), block in shown.groupby(["direction", "library"], sort=False):
        rows.append([Cell(_place(direction, library))])
        rows += map(comparison_cells, records(block))
    caption = (
        "Paired comparisons on the same compounds, compound level: mean difference, 95 % interval (bootstrap), "
        "two-sided p (random signs), and p corrected for the comparisons with all other methods in the same metric, "
        f"direction and library (Holm). Bold: corrected p < {SIGNIFICANT:g}. A difference above 0 favours the first "
        "method; in the mean rank, below 0."
    )
    return Table(
        caption, ["metric", "methods", "difference", "95 % interval", "p", "corrected p", "n"], rows, 2, len(rows) > 16
    )


def level_table(others: pd.DataFrame) -> Table:
    """MRR and mean rank of treatments and wells."""
    rows: list[list[Cell]] = []
    for (level, direction, library), block in others.groupby(["level", "direction", "library"], sort=False):
        rows.append([Cell(f"{str(level).capitalize()} level. {_place(direction, library)}")])
        for method, lines in block.groupby("method", sort=False):
            scores = {str(row["metric"]): row for row in records(lines)}
            first = next(iter(scores.values()))
            head = [
                Cell(method_name(str(method))),
                Cell(f"{first['n_queries']:.0f}"),
                Cell(number(first["library_size"])),
            ]
            chance = Cell(number(scores[MRR]["chance"] if MRR in scores else float("nan")))
            rows.append([*head, score_cell(scores.get(MRR)), chance, score_cell(scores.get(MEAN_NORMALIZED_RANK))])
    caption = (
        "The same for single treatments (compound and dose) and single wells; scores are averaged per compound "
        "first, so that compounds with many wells do not count more."
    )
    return Table(caption, ["method", "queries", "library size", "MRR", "chance (MRR)", "mean rank"], rows, folded=True)
