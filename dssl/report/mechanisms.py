"""Which mechanisms are found and which are not: in words, as a figure and as a table."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dssl import keys
from dssl.evaluation.enrichment import EXPECTED, SHARING
from dssl.evaluation.mechanisms import FEWEST, mean_by_value
from dssl.report.content import (
    Cell,
    Figure,
    Heading,
    Part,
    Section,
    Table,
    Text,
    count,
    percent,
    percent_interval,
    records,
)
from dssl.report.figures import GREY, INK, PALETTE, csv_text, style, svg_uri
from dssl.report.names import in_sentence, method_name, readable
from dssl.report.retrieval_neighbors import ACROSS, NO_NEIGHBORS, neighbor_parts, neighbor_sentences
from dssl.report.retrieval_tables import LEARNED, is_control
from dssl.report.second_assay import reworded

PERCENTILE = keys.PERCENTILE_PHENOTYPE_TO_MOLECULE
N_SHOWN, N_ROWS, N_NAMED = 24, 200, 4
N_BOOTSTRAP = 1000
FOUND, NOT_TOLD, LESS, TOO_FEW = "found", "not told from chance", "rarer than by chance", "too few compounds"
COLOURS = {FOUND: PALETTE[0], NOT_TOLD: "#7A858F", LESS: PALETTE[5], TOO_FEW: GREY}


@dataclass(frozen=True)
class Values:
    """What became of the values of one annotated column.

    Attributes
    ----------
    column : its name.
    control : the control whose nearest molecules share a value most often; None without controls.
    n_neighbors : molecules looked at for each phenotype.
    table : a row per value: value, n_compounds, sharing and percentile with intervals, expected, control, verdict.
    """

    column: str
    control: str | None
    n_neighbors: int
    table: pd.DataFrame


def values_of(
    rates: pd.DataFrame, enrichment: pd.DataFrame, compounds: pd.DataFrame, rng: np.random.Generator
) -> list[Values]:
    """For every annotated column, which of its values the nearest molecules of a phenotype share.

    Parameters
    ----------
    rates : neighbours of every fold: compound_id, method, space, column, sharing, expected, n_neighbors.
    enrichment : their summary, which tells the strongest control.
    compounds : the table of compounds, with the annotated columns.
    rng : draws the bootstrap samples.
    """
    across = rates[rates["space"] == ACROSS]
    found = []
    for column, block in across.groupby("column", sort=False):
        own = block[block["method"] == LEARNED]
        if column not in compounds or own.empty:
            continue
        control = _control(enrichment[enrichment["method"].isin(block["method"])], str(column))
        table = _verdicts(_means(own, compounds, str(column), rng))
        theirs = _means(block[block["method"] == control], compounds, str(column), rng)
        beside = theirs.set_index("value")[SHARING].reindex(table["value"]).to_numpy(dtype=float)
        found.append(Values(str(column), control, int(own["n_neighbors"].max()), table.assign(control=beside)))
    return found


def _control(enrichment: pd.DataFrame, column: str) -> str | None:
    rows = enrichment[(enrichment["space"] == ACROSS) & (enrichment["column"] == column)]
    rows = rows[is_control(rows["method"])]
    return str(rows["method"].iloc[int(rows[SHARING].astype(float).argmax())]) if len(rows) else None


def _means(rows: pd.DataFrame, compounds: pd.DataFrame, column: str, rng: np.random.Generator) -> pd.DataFrame:
    """Sharing, chance, and percentile of the own molecule, averaged over folds and then by value."""
    scores = rows.groupby(keys.COMPOUND_ID, sort=True)[[SHARING, EXPECTED]].mean()
    described = compounds.set_index(keys.COMPOUND_ID).reindex(scores.index)
    scores = scores.assign(percentile=described[PERCENTILE].astype(float))
    # rows that were ranked are held out and have a percentile, but for a library of one
    scores = scores.fillna({"percentile": 0.5})
    return mean_by_value(scores, described[column], N_BOOTSTRAP, rng)


def _verdicts(table: pd.DataFrame) -> pd.DataFrame:
    above, below = table[f"{SHARING}_low"] > table[EXPECTED], table[f"{SHARING}_high"] < table[EXPECTED]
    verdict = np.select([table["n_compounds"] < FEWEST, above, below], [TOO_FEW, FOUND, LESS], NOT_TOLD)
    return table.assign(verdict=verdict)


def mechanism_sentences(values: list[Values]) -> list[str]:
    """How many values are found, which most clearly, and which are not, with what chance would give."""
    told = []
    for each in values:
        asked = each.table[each.table["verdict"] != TOO_FEW]
        few = len(each.table) - len(asked)
        unasked = (
            f" {few} more {'has' if few == 1 else 'have'} fewer than {FEWEST} and cannot be judged." if few else ""
        )
        if asked.empty:
            told.append(
                f"No value of {in_sentence(each.column)} has {FEWEST} held-out compounds, so that none can be judged."
            )
            continue
        gain = (asked[SHARING] - asked[EXPECTED]).sort_values(ascending=False, kind="stable")
        ordered = asked.loc[gain.index]
        found, missed = ordered[ordered["verdict"] == FOUND], ordered[ordered["verdict"] != FOUND]
        told.append(
            f"Of {count(len(asked), 'value')} of {in_sentence(each.column)} with at least {FEWEST} held-out compounds, {len(found)} "
            f"{'is' if len(found) == 1 else 'are'} found: more of the {count(each.n_neighbors, 'molecule')} nearest to the "
            f"phenotype of such a compound have a value in common with it than by chance{_named(found, 'most clearly')}. "
            f"{_missed(missed)}{_beside(each, asked)} Of so many, about {0.025 * len(asked):.1f} would be called found by "
            f"chance alone.{unasked}"
        )
    return told


def _beside(each: Values, asked: pd.DataFrame) -> str:
    """For how many values the strongest control does as well."""
    known = asked[asked["control"].notna()]
    if each.control is None or known.empty:
        return ""
    n = int((known["control"] >= known[SHARING]).sum())
    return f" The strongest control, {method_name(each.control)}, does as well or better for {n} of the {len(known)}."


def _missed(missed: pd.DataFrame) -> str:
    if missed.empty:
        return "None is missed."
    return f"{len(missed)} {'is' if len(missed) == 1 else 'are'} not{_named(missed[::-1], 'least')}."


def _named(rows: pd.DataFrame, how: str) -> str:
    if rows.empty:
        return ""
    named = [
        f"{row['value']}, {percent(row[SHARING])} against {percent(row[EXPECTED])} by chance, n = {row['n_compounds']}"
        for row in records(rows.head(N_NAMED))
    ]
    return f" ({how}: {'; '.join(named)})"


def mechanisms_section(values: list[Values], enrichment: pd.DataFrame, other: str = keys.MOLECULE) -> Section:
    """Sentences, a figure and a table for each column, and how all methods compare.

    `other` is what the figures say is compared with the phenotypes.
    """
    parts: list[Part] = []
    for place, each in enumerate(values, 1):
        parts += [mechanism_figure(each, f"mechanisms-{place}", other), mechanism_table(each)]
    beside = neighbor_parts(enrichment, other)
    if beside:
        told = [Text(sentence) for sentence in neighbor_sentences(enrichment)]
        parts += [Heading("All annotated compounds together, and all methods"), *told, *beside]
    paragraphs = mechanism_sentences(values) or [NO_NEIGHBORS]
    return Section("mechanisms", "Which mechanisms are found, and which are not", paragraphs, parts)


def mechanism_figure(each: Values, name: str, other: str = keys.MOLECULE) -> Figure:
    """Two panels with a row per value: neighbours that share it, and the place of the own molecule."""
    from matplotlib.figure import Figure as Canvas

    shown = each.table.head(N_SHOWN)
    order = (shown[SHARING] - shown[EXPECTED]).sort_values(kind="stable").index
    shown = shown.loc[order].reset_index(drop=True)
    with style():
        canvas = Canvas(figsize=(9.6, 0.29 * len(shown) + 1.5), layout="constrained")
        axes = canvas.subplots(1, 2, sharey=True)
        for axis, column in zip(axes, (SHARING, "percentile"), strict=True):
            for place, row in enumerate(records(shown)):
                colour = COLOURS[str(row["verdict"])]
                axis.plot([100 * row[f"{column}_low"], 100 * row[f"{column}_high"]], [place] * 2, color=colour, lw=2.2)
                axis.plot(100 * row[column], place, "o", color=colour, ms=6.5, zorder=3)
        axes[0].plot(100 * shown["control"], shown.index, "D", mfc="none", mec=INK, ms=5, lw=0, zorder=2)
        axes[0].plot(100 * shown[EXPECTED], shown.index, "|", color=PALETTE[5], ms=11, mew=1.8)
        axes[1].axvline(50, color=PALETTE[5], ls="--", lw=1.2)
        labels = [f"{_short(str(row['value']))} ({row['n_compounds']})" for row in records(shown)]
        axes[0].set_yticks(shown.index, labels, parse_math=False)
        axes[0].set_ylim(-0.6, len(shown) - 0.4)
        nearest = reworded(f"of the {each.n_neighbors} nearest molecules, share with it (%)", other)
        axes[0].set(xlim=(-2, 102), xlabel=nearest)
        axes[1].set(xlim=(-2, 102), xlabel=reworded("other molecules that the right one beats (%)", other))
        axes[0].set_title("Is the mechanism found?")
        axes[1].set_title("Is the compound itself found?")
        canvas.legend(handles=_handles(each, set(shown["verdict"])), loc="outside lower center", ncols=3)
        uri = svg_uri(canvas)
    left_out = (
        f" The {len(shown)} values with most compounds of {len(each.table):,} are shown."
        if len(each.table) > len(shown)
        else ""
    )
    return Figure(
        f"Values of {in_sentence(each.column)} (in brackets: n held-out compounds), with 95 % intervals (bootstrap over compounds; "
        f"none for fewer than {FEWEST}). Left: of the molecules nearest to the phenotype of a compound that has it, how "
        "many have a value in common with that compound (where compounds have several values, not always this one). "
        "Orange-red tick: by chance; diamond: the strongest control"
        f"{f', {method_name(each.control)}' if each.control else ''}. Right: where the compound's own molecule stands among all "
        "(100: always first; dashed, 50: chance). A mechanism can be found though its compounds are mixed up with one "
        f"another: high on the left, low on the right.{left_out}",
        f"Values of {in_sentence(each.column)}: share of nearest molecules with the same value, and place of the own molecule",
        uri,
        name,
        csv_text(each.table),
    )


def _handles(each: Values, verdicts: set[str]) -> list[object]:
    from matplotlib.lines import Line2D

    dots = [
        Line2D([], [], marker="o", color=colour, lw=2.2, label=verdict)
        for verdict, colour in COLOURS.items()
        if verdict in verdicts
    ]
    control = [f"strongest control ({method_name(each.control)})"] if each.control else []
    diamond = [Line2D([], [], marker="D", mfc="none", mec=INK, lw=0, label=label) for label in control]
    chance = Line2D([], [], marker="|", color=PALETTE[5], ms=11, mew=1.8, lw=0, label="chance")
    return [*dots, *diamond, chance]


def mechanism_table(each: Values) -> Table:
    """The numbers, the values of most compounds first."""
    rows = [
        [
            Cell(str(row["value"]), quoted=True),
            Cell(str(row["verdict"])),
            Cell(f"{row['n_compounds']}"),
            Cell(percent(row[SHARING]), percent_interval(row[f"{SHARING}_low"], row[f"{SHARING}_high"])),
            Cell(percent(row[EXPECTED])),
            Cell(percent(row["control"])),
            Cell(percent(row["percentile"]), percent_interval(row["percentile_low"], row["percentile_high"])),
        ]
        for row in records(each.table.head(N_ROWS))
    ]
    more = (
        f" The {N_ROWS} values with most compounds of {len(each.table):,}; all are in the figure's data."
        if len(each.table) > N_ROWS
        else ""
    )
    caption = (
        f"Values of {in_sentence(each.column)}. found: the 95 % interval of the share lies above chance, not corrected for the number "
        f"of values; compounds of one series are no independent witnesses. place: share of the other molecules that the "
        f"right one beats, chance 50 %.{more}"
    )
    columns = [
        readable(each.column),
        "verdict",
        "n",
        "share it",
        "by chance",
        "strongest control",
        "place of the right one",
    ]
    return Table(caption, columns, rows, n_labels=2, folded=True)


def _short(text: str, width: int = 34) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
