"""A comparison in words and tables, for the terminal and as a page."""

from typing import Any

import pandas as pd

from dssl.compare.comparison import Comparison
from dssl.compare.metrics import MODEL, PAIRED
from dssl.evaluation.ranks import LOWER_IS_BETTER
from dssl.report.content import Cell, Part, Section, Table, cells, frame_table, interval, number, p_text, records
from dssl.report.names import method_name
from dssl.report.retrieval_tables import METRIC_NAMES, direction_name

SHOWN = 20
SAME_CHANCE = 0.01


def sections_of(comparison: Comparison) -> list[Section]:
    """The parts of the comparison, in the order in which one asks."""
    return [
        _settings(comparison),
        _data(comparison),
        _retrieval(comparison.tables["retrieval"]),
        _neighbors(comparison),
        _codes(comparison),
    ]


def _settings(comparison: Comparison) -> Section:
    tables = comparison.tables
    parts: list[Part] = [
        _listed(tables[name], title) for name, title in (("settings", "Settings"), ("versions", "Versions"))
    ]
    said = (
        f"a is {comparison.folder_a} (screen {comparison.screen_a}), b is {comparison.folder_b} (screen "
        f"{comparison.screen_b}). Every difference is b minus a."
    )
    return Section("settings", "Settings and versions", [said], parts)


def _data(comparison: Comparison) -> Section:
    tables = comparison.tables
    changes = tables["compounds"]["change"].value_counts()
    said = (
        f"{comparison.n_common:,} compounds are in both, by InChIKey; b lost {changes.get('lost', 0):,} of a, and gained "
        f"{changes.get('gained', 0):,}."
    )
    parts: list[Part] = [
        _listed(tables["data"], "Input tables, by the first digits of their SHA-256"),
        frame_table(tables["counts"], "How much there is."),
        _listed(tables["compounds"], "Compounds gained and lost", 3),
    ]
    return Section("data", "Data", [said], parts)


def _listed(frame: pd.DataFrame, title: str, n_labels: int = 3) -> Table:
    """The first rows of a list of changes, and how many there are."""
    if frame.empty:
        return Table(f"{title}: nothing differs.", [str(name) for name in frame.columns], [], n_labels)
    beyond = f", of which the first {SHOWN} are shown" if len(frame) > SHOWN else ""
    return frame_table(frame.head(SHOWN), f"{title}: {len(frame):,} differ{beyond}.", n_labels)


def _retrieval(table: pd.DataFrame) -> Section:
    if table.empty:
        return Section("retrieval", "Held-out retrieval", ["The runs have no method, direction and library in common."])
    rows: list[list[Cell]] = []
    for (direction, library), block in table.groupby(["direction", "library"], sort=False):
        rows.append([Cell(f"{direction_name(str(direction))}, {library} library")])
        rows += [_metric_row(row) for row in records(block)]
    designs = set(table["design"])
    said = [
        "Compounds that a model had not seen. Every figure stands beside what chance gives in its own library: with "
        "libraries of other sizes, compare the distance from chance, not the figures.",
        "Paired: only compounds that both runs held out, compound by compound; p by random signs, corrected (Holm) for "
        "all rows of the model, or of the controls."
        if PAIRED in designs
        else "Unpaired: too few compounds were held out by both runs; the interval is that of two independent samples, "
        "and says less.",
    ]
    if len(designs) > 1:
        said.append("Rows marked unpaired compare all compounds of either run.")
    caption = (
        f"Compound level, all folds together; {MODEL} and the controls that both runs have. a, b: value, and below it "
        "chance and the mean library size. Difference: b minus a, with its 95 % interval (bootstrap over compounds)."
    )
    columns = ["method", "metric", "n (a, b)", "a", "b", "difference", "what it shows"]
    return Section("retrieval", "Held-out retrieval", said, [Table(caption, columns, rows, 2)])


def _metric_row(row: dict[str, Any]) -> list[Cell]:
    metric = str(row["metric"])
    name = METRIC_NAMES.get(metric, metric) + (" (0 is first)" if metric in LOWER_IS_BETTER else "")
    sides = [
        Cell(
            number(row[f"value_{side}"]),
            f"chance {number(row[f'chance_{side}'])} of {number(row[f'library_size_{side}'])}",
        )
        for side in "ab"
    ]
    difference = Cell(number(row["difference"]), interval(row["ci_low"], row["ci_high"]))
    return [
        Cell(method_name(row["method"])),
        Cell(name),
        Cell(f"{row['n_a']:,}, {row['n_b']:,}", str(row["design"])),
        *sides,
        difference,
        Cell(shown_by(row), p_text(row["p_holm"])),
    ]


def shown_by(row: dict[str, Any]) -> str:
    """What an interval of a difference shows, in words; nothing where chance is not the same for both."""
    if abs(row["chance_a"] - row["chance_b"]) > SAME_CHANCE:
        return "chance differs: not comparable"
    if row["ci_low"] == row["ci_high"] == 0:
        return "the same"
    if row["ci_low"] <= 0 <= row["ci_high"]:
        return "no difference shown"
    return "b is higher" if row["difference"] > 0 else "b is lower"


def _neighbors(comparison: Comparison) -> Section:
    overlaps, moved = comparison.tables["neighbors"], comparison.tables["moved"]
    if overlaps.empty:
        return Section("neighbors", "Neighbours", ["The runs have fewer than three compounds in common."])
    rows = [
        [
            *cells([row["code"], row["compared"], row["n"], row["k"]]),
            Cell(number(row["overlap"]), interval(row["ci_low"], row["ci_high"])),
            *cells([row["jaccard"], row["chance"]]),
        ]
        for row in records(overlaps)
    ]
    caption = (
        "Share of its k nearest of the n common compounds that a compound keeps (95 % interval: bootstrap over "
        "compounds), by the handed-over models. Chance: unrelated codes. Two seeds and two folds of one run are "
        "yardsticks: what moves between them is not due to what was changed."
    )
    columns = ["code", "compared", "n", "k", "overlap", "Jaccard", "chance"]
    listed = frame_table(moved, "The compounds that kept the fewest neighbours, with those lost and gained.", 5)
    return Section("neighbors", "Neighbours", [], [Table(caption, columns, rows, 2), listed])


def _codes(comparison: Comparison) -> Section:
    titles = {
        "probes": "What a linear model reads from each code",
        "dependence": "Dependence between codes",
        "leakage": "Retrieval by the specific codes alone, which should be at chance",
    }
    parts: list[Part] = [_measures(comparison.tables[name], title) for name, title in titles.items()]
    said = (
        "Means over the folds, and in brackets the lowest and the highest fold: a difference within the folds' spread "
        "is none."
    )
    return Section("codes", "What the codes know", [said], parts)


def _measures(table: pd.DataFrame, title: str) -> Table:
    names = [str(name) for name in table.columns[: list(table.columns).index("value_a")]]
    rows = []
    for row in records(table):
        sides = [
            Cell(number(row[f"value_{side}"]), interval(row[f"lowest_{side}"], row[f"highest_{side}"])) for side in "ab"
        ]
        chances = cells([row["chance_a"], row["chance_b"], row["difference"]])
        rows.append([*cells([row[name] for name in names]), *sides, *chances])
    columns = [*(name.replace("_", " ") for name in names), "a", "b", "chance a", "chance b", "difference"]
    return Table(f"{title}.", columns, rows, len(names))
