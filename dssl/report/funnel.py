"""What was screened, and what became of every well and molecule."""

import textwrap
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dssl import keys
from dssl.pairs.levels import SEPARATOR
from dssl.report.content import Cell, Figure, Folded, Part, Section, Table, count, text_of
from dssl.report.figures import PALETTE, csv_text, style, svg_uri

N_REASONS = 15
LONGEST_REASON = 46


@dataclass(frozen=True)
class Screened:
    """Tables that say what came in and what was left out.

    Attributes
    ----------
    quality : one row per plate.
    excluded_wells, excluded_compounds, rejected, merged, dropped_features : with a column reason.
    molecules : compounds after standardisation.
    folds : paired compounds with their group and their role in every fold.
    """

    quality: pd.DataFrame
    excluded_wells: pd.DataFrame
    excluded_compounds: pd.DataFrame
    molecules: pd.DataFrame
    rejected: pd.DataFrame
    merged: pd.DataFrame
    dropped_features: pd.DataFrame
    folds: pd.DataFrame


def funnel_section(screened: Screened) -> Section:
    """Count wells, molecules and features from the input to what was used, with every reason."""
    stages = pd.concat([_stages(*each) for each in _funnels(screened)], ignore_index=True)
    tables: list[Part] = [_funnel_table(str(title), rows) for title, rows in stages.groupby("what", sort=False)]
    if len(screened.dropped_features):
        tables.append(
            _reasons_table("Features that were dropped before the split, by reason.", screened.dropped_features)
        )
    parts: list[Part] = [funnel_figure(stages), Folded("The same as tables", tables), _folds_table(screened.folds)]
    return Section("screened", "What was screened", [screened_sentence(screened)], parts)


def screened_sentence(screened: Screened) -> str:
    """What came in and what was used, in words."""
    (_, n_wells, _, lost, _), (_, n_ids, *_) = _funnels(screened)
    return (
        f"{count(n_wells, 'well')} on {count(len(screened.quality), 'plate')} and {count(n_ids, 'compound id')} "
        f"came in; {count(n_wells - len(lost), 'treated well')} of {count(len(screened.folds), 'compound')} are "
        "paired with a structure and were used."
    )


def _funnels(screened: Screened) -> list[tuple[str, int, str, pd.DataFrame, str]]:
    """For wells and molecules: their name, how many came in, as what, what was lost, and what is left."""
    n_ids = len(screened.molecules) + len(screened.merged) + len(screened.rejected)
    return [
        (
            "Wells",
            int(screened.quality["n_wells"].sum()),
            "wells in the tables",
            screened.excluded_wells,
            "paired wells",
        ),
        ("Molecules", n_ids, "compound ids in the table", _lost_ids(screened), "paired compounds"),
    ]


def _stages(what: str, n_first: int, first: str, lost: pd.DataFrame, last: str) -> pd.DataFrame:
    """The steps of one funnel: stage, n (lost ones below 0), and how many remain after it."""
    kinds = reason_kinds(lost["reason"])
    stages = [first, *map(str, kinds.index), last]
    remaining = [n_first, *(n_first - kinds.cumsum()).astype(int), n_first - len(lost)]
    n = [n_first, *(-kinds).astype(int), n_first - len(lost)]
    return pd.DataFrame({"what": what, "stage": stages, "n": n, "remaining": remaining})


def funnel_figure(stages: pd.DataFrame) -> Figure:
    """A bar for what came in, for each loss, and for what is left; a panel for wells and one for molecules."""
    from matplotlib.figure import Figure as Canvas

    blocks = list(stages.groupby("what", sort=False))
    heights = [len(rows) + 0.8 for _, rows in blocks]
    with style():
        canvas = Canvas(figsize=(9.4, 0.36 * sum(heights) + 0.9), layout="constrained")
        axes = canvas.subplots(len(blocks), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axis, (what, rows) in zip(axes, blocks, strict=True):
            _bars(axis, rows)
            axis.set_title(str(what))
            axis.set_xlabel(f"number of {'wells' if what == 'Wells' else 'compound ids'}")
        uri = svg_uri(canvas)
    return Figure(
        "Read from top to bottom: what came in (blue), what was left out and why (orange; of several reasons the first "
        "is counted), what is left and was used (green). The numbers stand beside the bars; small losses may be too "
        "thin to be seen.",
        "Funnels of wells and molecules: "
        + "; ".join(f"{stage} {abs(n):,}" for stage, n in zip(stages["stage"], stages["n"], strict=True)),
        uri,
        "screened",
        csv_text(stages),
    )


def _bars(axis: Any, rows: pd.DataFrame) -> None:
    """Bars from top to bottom; a loss hangs between what was there before it and what remains."""
    top = max(int(rows["n"].iloc[0]), 1)
    last = len(rows) - 1
    for place, (n, remaining) in enumerate(zip(rows["n"], rows["remaining"], strict=True)):
        is_loss = 0 < place < last
        colour = PALETTE[1] if is_loss else PALETTE[2] if place == last else PALETTE[0]
        axis.barh(place, abs(n), left=remaining if is_loss else 0, color=colour, height=0.68)
        text = f"\N{MINUS SIGN}{abs(n):,}" if is_loss else f"{n:,}"
        axis.text((remaining + abs(n) if is_loss else n) + 0.01 * top, place, text, va="center", fontsize=9)
    labels = [textwrap.shorten(str(stage), LONGEST_REASON, placeholder=" …") for stage in rows["stage"]]
    axis.set_yticks(range(len(rows)), labels, parse_math=False)
    axis.set_ylim(last + 0.5, -0.5)
    axis.set_xlim(0, 1.1 * top)
    axis.tick_params(axis="y", length=0)


def reason_kinds(reasons: "pd.Series[str]") -> "pd.Series[int]":
    """How often each kind of reason occurs, names and numbers of single rows left out; the most frequent first."""
    from dssl.pairs.pairing import without_names

    kinds = without_names(reasons).str.replace(r"\b\d+ (heavy atoms), more", r"\1: more", regex=True)
    kinds = kinds.str.replace(r"\b\d+ (different structures for one id): .*", r"\1", regex=True)
    counts = kinds.value_counts()
    if len(counts) <= N_REASONS:
        return counts
    rest = pd.Series(
        {f"{len(counts) - N_REASONS + 1} other reasons (see the table of this step)": counts[N_REASONS - 1 :].sum()}
    )
    return pd.concat([counts[: N_REASONS - 1], rest])


def _lost_ids(screened: Screened) -> pd.DataFrame:
    merged = "merged with another id (" + screened.merged["reason"].astype(str) + ")"
    rejected = "rejected: " + screened.rejected["reason"].astype(str)
    unpaired = "not paired: " + screened.excluded_compounds["reason"].astype(str)
    return pd.DataFrame({"reason": pd.concat([rejected, merged, unpaired], ignore_index=True)})


def _funnel_table(title: str, stages: pd.DataFrame) -> Table:
    signs = ["", *["\N{MINUS SIGN} "] * (len(stages) - 2), "= "]
    rows = [
        [Cell(f"{sign}{stage}", strong=sign == "= "), Cell(text_of(abs(int(n))), strong=sign == "= ")]
        for sign, stage, n in zip(signs, stages["stage"], stages["n"], strict=True)
    ]
    return Table(
        f"{title}: from the input to what was used; of several reasons the first is counted.", [title, "n"], rows
    )


def _reasons_table(caption: str, lost: pd.DataFrame) -> Table:
    rows = [[Cell(str(kind)), Cell(text_of(int(n)))] for kind, n in reason_kinds(lost["reason"]).items()]
    return Table(caption, ["reason", "n"], rows)


def _folds_table(folds: pd.DataFrame) -> Table:
    columns = [name for name in folds.columns if str(name).startswith(keys.fold_column(""))]
    roles = [keys.TRAIN, keys.VALIDATION, keys.TEST]
    roles_of = {column: folds[column].astype(str).str.split(SEPARATOR) for column in columns}
    rows = [
        [
            Cell(str(column).removeprefix(keys.fold_column(""))),
            *(Cell(text_of(int(roles_of[column].map(lambda held, role=role: role in held).sum()))) for role in roles),
        ]
        for column in columns
    ]
    caption = (
        "Compounds in each fold. Training compounds fit the model, validation compounds choose beta and lambda, test "
        "compounds are looked at once, for the figures below. Fold “full”, where present, has no test "
        "compounds: it is the model for hand-over. Where wells are split, a compound is counted for each role of its wells."
    )
    return Table(caption, ["fold", *roles], rows, folded=len(rows) > 8)
