"""Counterfactual profiles: how far predicted profiles are from measured ones, beside the controls."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pandas as pd

from dssl import keys
from dssl.evaluation.counterfactuals import COLUMN, METHOD, TASK
from dssl.report.content import Cell, Figure, Note, Part, Section, Table, interval, number, p_text
from dssl.report.figures import OTHER_METHODS, PALETTE, csv_text, interval_dots, style, svg_uri
from dssl.report.names import in_sentence
from dssl.report.second_assay import reworded

MODEL, TRANSFER = "dssl", "transfer"
SIGNIFICANT = 0.05
NAMES = {
    MODEL: "decoder of the codes",
    "dssl_plain_swap": "codes swapped, decoder of single profiles",
    "profile_ridge": "ridge regression on the profile",
    "molecule_ridge": "ridge regression on the molecule's inputs",
    "mean_shift": "mean shift",
    "mean_shift_shrunken": "mean shift, shrunken",
    "no_change": "no change",
    "nearest_neighbor": "nearest neighbour",
    "context_mean": "mean of the context",
    "mean_profile": "mean training profile",
}
COLOURS = {MODEL: PALETTE[0], "dssl_plain_swap": PALETTE[4]}
TASK_NAMES = {TRANSFER: "from its profiles elsewhere", "structure": "from its structure"}
PARTS = {"shared": "shared code", "specific": "specific code", "both": "both codes", "chance": "both, permuted rows"}
PARTS |= {"inputs": "the encoders' inputs", "pca": "as many principal components"}
ALL = "all"


def counterfactuals_section(
    summary: pd.DataFrame,
    comparisons: pd.DataFrame,
    explained: pd.DataFrame,
    left_out: pd.DataFrame,
    other: str = keys.MOLECULE,
) -> Section:
    """What the decoders predict of held-out compounds, in words, as a figure and as tables.

    `other` is what the figure says is compared with the phenotypes.
    """
    text = (
        "A decoder puts profiles together from codes: the compound's shared code with the specific code of a context "
        "(a plate, a batch, a cell line), which is the mean over other compounds there, gives a profile of that compound "
        "in that context. Held-out compounds that were measured there tell how wrong it is; their own wells in that "
        "context are not used. Two questions are asked: the profile of a compound in one context from its profiles in "
        "others, and from its structure alone. Where a control does as well, the simpler profile is the one to trust."
    )
    paragraphs = [text, *map(_sentence, verdicts(summary, comparisons))]
    parts: list[Part] = [Note(f"Not predicted: {words}") for words in _unanswered(summary, left_out)]
    if len(summary):
        parts += [_figure(summary, other), _table(summary, comparisons)]
    if len(explained):
        parts.append(_explained_table(explained))
    return Section("counterfactuals", "Counterfactual profiles", paragraphs, parts)


def _by_task(summary: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    for (column, task), rows in summary.groupby([COLUMN, TASK], sort=False):
        yield str(column), str(task), rows


def _value(rows: pd.DataFrame, method: str, metric: str) -> "pd.Series[Any]":
    line: pd.Series[Any] = rows[(rows[METHOD] == method) & (rows["metric"] == metric)].iloc[0]
    return line


class Verdict(NamedTuple):
    """The model beside its best control, in one question.

    Attributes
    ----------
    column, task : which question.
    own, coverage, best : rows of the summary: the model's R2, the coverage of its intervals, the best control's R2.
    difference, p : of the squared error, model less control; p-value corrected for the number of controls.
    """

    column: str
    task: str
    own: "pd.Series[Any]"
    coverage: "pd.Series[Any]"
    best: "pd.Series[Any]"
    difference: float
    p: float

    @property
    def is_worse(self) -> bool:
        """Whether the best control is better."""
        return self.p < SIGNIFICANT and self.difference > 0

    @property
    def words(self) -> str:
        """The measured error beside the best control's, and the coverage of the intervals."""
        own, best = self.own, self.best
        verdict = "is not told apart from"
        if self.p < SIGNIFICANT:
            verdict = "is worse than" if self.is_worse else "is better than"
        return (
            f"R² {number(own['value'])} {interval(own['ci_low'], own['ci_high'])} (n = {own['n_compounds']:,} held-out "
            f"compounds, {own['n_queries']:,} profiles; chance {number(own['chance'])}). The model {verdict} the best "
            f"control, {NAMES[str(best[METHOD])]}, R² {number(best['value'])} "
            f"{interval(best['ci_low'], best['ci_high'])} ({p_text(self.p)}, corrected for the number of controls). Its "
            f"95 % intervals hold {number(100 * self.coverage['value'])} % of the measured values."
        )


def verdicts(summary: pd.DataFrame, comparisons: pd.DataFrame) -> list[Verdict]:
    """The verdict on every question that was evaluated."""
    found = []
    for column, task, rows in _by_task(summary):
        controls = rows[(rows["metric"] == "r2") & ~rows[METHOD].isin([MODEL, "mean_profile"])]
        best = controls.sort_values("value", kind="stable").iloc[-1]
        asked = (comparisons[COLUMN] == column) & (comparisons[TASK] == task)
        against = (comparisons["method_b"] == best[METHOD]) & (comparisons["metric"] == "squared_error")
        test = comparisons[asked & against].iloc[0]
        own, coverage = _value(rows, MODEL, "r2"), _value(rows, MODEL, "coverage")
        found.append(Verdict(column, task, own, coverage, best, float(test["difference"]), float(test["p_holm"])))
    return found


def context_words(column: str, task: str) -> str:
    """Which context is asked about: from its profiles one more, from its structure any."""
    return f"{'Another' if task == TRANSFER else 'Any'} {in_sentence(column)}"


def _title(column: str, task: str) -> str:
    return f"{context_words(column, task)}, {TASK_NAMES[task]}"


def _sentence(found: Verdict) -> str:
    return f"{_title(found.column, found.task)}: {found.words}"


def _unanswered(summary: pd.DataFrame, left_out: pd.DataFrame) -> list[str]:
    """Why profiles were not predicted: a sentence for every task that has no figure, or left rows out."""
    known = left_out.dropna(subset=[COLUMN, TASK]) if len(left_out) else left_out
    found = []
    for (column, task, reason), rows in known.groupby([COLUMN, TASK, "reason"], sort=False):
        n = int(rows["treatment"].notna().sum())
        what = f"{n} profile{'s' if n != 1 else ''}" if n else "all profiles"
        done = ((summary[COLUMN] == column) & (summary[TASK] == task)).any()
        tail = "" if done else "; there is no held-out pair to measure an error with, so no figure is given"
        found.append(f"{what}, {in_sentence(str(column))}, {TASK_NAMES[str(task)]}: {reason}{tail}.")
    return found


def _figure(summary: pd.DataFrame, other: str) -> Figure:
    from matplotlib.figure import Figure as Canvas

    panels = list(_by_task(summary))
    values = [rows[rows["metric"] == "r2"] for _, _, rows in panels]
    heights = [len(rows) for rows in values]
    with style():
        canvas = Canvas(figsize=(8.6, sum(0.27 * height + 0.75 for height in heights)), layout="constrained")
        axes = canvas.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
        for axis, (column, task, _), rows in zip(axes, panels, values, strict=True):
            ordered = rows.sort_values("value", kind="stable")
            dots = [
                (
                    reworded(NAMES[str(row[METHOD])], other),
                    float(row["value"]),
                    (float(row["ci_low"]), float(row["ci_high"])),
                    COLOURS.get(str(row[METHOD]), OTHER_METHODS),
                )
                for _, row in ordered.iterrows()
            ]
            interval_dots(axis, [name for name, *_ in dots], dots)
            axis.axvline(0, color="#8A949E", lw=0.8, zorder=0)
            n = int(rows["n_compounds"].max())
            axis.set_title(f"{reworded(_title(column, task), other)} (n = {n} compounds)", parse_math=False)
        axes[-1].set_xlabel("R² of predicted profiles of held-out compounds (1: as measured; 0: mean training profile)")
        uri = svg_uri(canvas)
    return Figure(
        "Predicted profiles of held-out compounds against the measured ones: R² over features and compounds with its 95 % "
        "interval (bootstrap over compounds). Blue: the model (light: its codes swapped, with a decoder that was fitted to "
        "single profiles only); grey: controls. Below 0 a prediction is worse than the mean training profile. Chance, the "
        "score of a prediction against other compounds' profiles in the same context, is in the table. Mean shift adds "
        "the difference of the contexts' means over the same training treatments; shrunken, so much of the compound's own "
        "deviation is kept as is best on validation compounds. Features are in standard deviations of training wells. A "
        "measured profile is noisy too, so that 1 cannot be reached.",
        "R squared of counterfactual profiles by the model and by every control",
        uri,
        "counterfactuals",
        csv_text(pd.concat(values)),
    )


def _table(summary: pd.DataFrame, comparisons: pd.DataFrame) -> Table:
    rows: list[list[Cell]] = []
    for column, task, of_task in _by_task(summary):
        rows.append([Cell(_title(column, task))])
        tests = comparisons[(comparisons[COLUMN] == column) & (comparisons[TASK] == task)]
        tests = tests[tests["metric"] == "squared_error"].set_index("method_b")
        for method in dict.fromkeys(of_task[METHOD]):
            r2, cosine = _value(of_task, method, "r2"), _value(of_task, method, "cosine")
            against = tests.loc[method] if method in tests.index else None
            rows.append(
                [
                    Cell(NAMES[str(method)], strong=method == MODEL),
                    Cell(number(r2["value"]), interval(r2["ci_low"], r2["ci_high"])),
                    Cell(number(r2["chance"])),
                    Cell(number(cosine["value"]), interval(cosine["ci_low"], cosine["ci_high"])),
                    Cell(number(cosine["chance"])),
                    Cell("") if against is None else Cell(number(against["difference"]), p_text(against["p_holm"])),
                    Cell(f"{r2['n_compounds']:,}", f"{r2['n_queries']:,} profiles"),
                ]
            )
    caption = (
        "Measured error of counterfactual profiles, means over held-out compounds (below: 95 % interval). model − "
        "control: difference of the squared error per feature, negative where the model is better, with the p-value of a "
        "paired sign-flip test over compounds, corrected by Holm."
    )
    columns = ["method", "R²", "chance", "cosine", "chance", "model − control", "compounds"]
    return Table(caption, columns, rows)


def _explained_table(explained: pd.DataFrame) -> Table:
    rows: list[list[Cell]] = []
    for (column, grouping), lines in explained.groupby([COLUMN, "grouping"], sort=False):
        if grouping != ALL:
            rows.append([Cell(f"{grouping} (profiles by {in_sentence(str(column))})")])
        for line in lines.to_dict("records"):
            name = f"all features (profiles by {in_sentence(str(column))})" if grouping == ALL else str(line["group"])
            shares = [Cell(number(float(line[f"r2_{part}"]))) for part in PARTS]
            rows.append([Cell(name), *shares, Cell(f"{line['n_features']:.0f}")])
    caption = (
        "Explained variance (R²) of held-out compounds' profiles decoded from their own codes, mean over folds. chance: a "
        "decoder fitted on permuted rows. The encoders' inputs, and as many principal components of the profiles as both "
        "codes of one model have dimensions, are what a decoder could reach."
    )
    return Table(caption, ["features", *PARTS.values(), "n"], rows, folded=True)
