"""Section 1: what was screened, and what became of every well and molecule."""

from dataclasses import dataclass

import pandas as pd

from dssl import keys
from dssl.pairs.levels import SEPARATOR
from dssl.report.content import Cell, Section, Table, text_of

N_REASONS = 15


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
    n_wells, n_excluded = int(screened.quality["n_wells"].sum()), len(screened.excluded_wells)
    n_ids = len(screened.molecules) + len(screened.merged) + len(screened.rejected)
    paragraph = (
        f"{_count(n_wells, 'well')} on {_count(len(screened.quality), 'plate')} and {_count(n_ids, 'compound id')} "
        f"came in; {_count(n_wells - n_excluded, 'treated well')} of {_count(len(screened.folds), 'compound')} are "
        "paired with a structure and were used."
    )
    parts: list[Table] = [
        _funnel("Wells", n_wells, "wells in the tables", screened.excluded_wells, "paired wells"),
        _funnel("Molecules", n_ids, "compound ids in the table", _lost_ids(screened), "paired compounds"),
    ]
    if len(screened.dropped_features):
        parts.append(
            _reasons_table("Features that were dropped before the split, by reason.", screened.dropped_features)
        )
    parts.append(_folds_table(screened.folds))
    return Section("screened", "What was screened", [paragraph], list(parts))


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


def _funnel(title: str, n_first: int, first: str, lost: pd.DataFrame, last: str) -> Table:
    rows = [[Cell(first), Cell(text_of(n_first))]]
    rows += [
        [Cell(f"\N{MINUS SIGN} {kind}"), Cell(text_of(int(count)))]
        for kind, count in reason_kinds(lost["reason"]).items()
    ]
    rows.append([Cell(f"= {last}", strong=True), Cell(text_of(n_first - len(lost)), strong=True)])
    return Table(
        f"{title}: from the input to what was used; of several reasons the first is counted.", [title, "n"], rows
    )


def _reasons_table(caption: str, lost: pd.DataFrame) -> Table:
    rows = [[Cell(str(kind)), Cell(text_of(int(count)))] for kind, count in reason_kinds(lost["reason"]).items()]
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
    return Table(caption, ["fold", *roles], rows)


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"
