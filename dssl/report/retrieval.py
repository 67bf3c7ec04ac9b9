"""Section 4: how well held-out compounds are found, by every method."""

from typing import Any

import pandas as pd

from dssl.evaluation.ranks import MEAN_NORMALIZED_RANK, MRR
from dssl.evaluation.statistics import ALL_FOLDS
from dssl.report.content import Figure, Note, Part, Section, interval, number, p_text, records
from dssl.report.figures import OTHER_METHODS, PALETTE, interval_dots, style, svg_uri
from dssl.report.retrieval_neighbors import neighbor_parts, neighbor_sentences
from dssl.report.retrieval_question import held_out_text
from dssl.report.retrieval_strata import strata_parts
from dssl.report.retrieval_tables import (
    COMPOUND,
    SIGNIFICANT,
    WHOLE,
    comparison_table,
    direction_name,
    in_order,
    level_table,
    main_table,
)
from dssl.settings.preparation import PairAndSplitSettings

LEARNED = "dssl"


def retrieval_section(
    retrieval: pd.DataFrame,
    comparisons: pd.DataFrame,
    strata: pd.DataFrame,
    enrichment: pd.DataFrame,
    split: PairAndSplitSettings,
) -> Section:
    """Sentences, figure, main table, paired comparisons, strata, what neighbours share, and the other levels."""
    title = "Retrieval of held-out compounds"
    pooled = in_order(retrieval[retrieval["fold"].astype(str) == ALL_FOLDS])
    main = pooled[pooled["level"] == COMPOUND]
    if main.empty:
        return Section("retrieval", title, [], [Note("There are no retrieval results at the compound level.")])
    parts: list[Part] = [figure(main), main_table(main)]
    if len(comparisons):
        parts.append(comparison_table(in_order(comparisons)))
    parts += [*strata_parts(strata), *neighbor_parts(enrichment)]
    others = pooled[(pooled["level"] != COMPOUND) & pooled["metric"].isin([MRR, MEAN_NORMALIZED_RANK])]
    if len(others):
        parts.append(level_table(others))
    intro = (
        "A held-out compound's phenotype is compared with the structures of a library of held-out compounds (or the "
        "other way round), and the place of the right one in the order is recorded. The whole library holds all "
        "held-out compounds of the fold; the batch library only those measured in the query's own batch (or plate), "
        "so that batch effects cannot help. dssl is the model: the trained models of all seeds together "
        "(dssl_trained; dssl_one_model: of the first seed alone) averaged with the closed form of the same two steps, "
        "regularised canonical directions (dssl_closed_form), which makes it a stacked model; the other methods are "
        "controls that any model has to beat, tuned on "
        "validation compounds too: random vectors, cell count alone, the most similar training molecules, partial least "
        "squares (pls), canonical correlations (cca), kernel ridge regression from fingerprints, from descriptors and "
        "from both, and learned baselines (infonce: the shared code without its bottleneck; joint_opt: "
        "both codes in one objective; focal: both with a clamped cosine between them; dmvae: an autoencoder)."
    )
    paragraphs = [held_out_text(split), intro, *sentences(main, comparisons), *neighbor_sentences(enrichment)]
    return Section("retrieval", title, paragraphs, parts)


def sentences(main: pd.DataFrame, comparisons: pd.DataFrame) -> list[str]:
    """What the tables say of each direction, in the whole library at the compound level."""
    found = []
    scores = main[(main["metric"] == MRR) & (main["library"] == WHOLE)]
    for direction, block in scores.groupby("direction", sort=False):
        best = max(records(block), key=lambda row: (float(row["value"]), str(row["method"]) == LEARNED))
        text = (
            f"{direction_name(str(direction))}: of {len(block)} methods, {best['method']} has the highest MRR, "
            f"{number(best['value'])} {interval(best['ci_low'], best['ci_high'])}; chance is {number(best['chance'])} "
            f"(n = {best['n_compounds']:.0f} compounds, libraries of {best['library_size']:.4g} on average)."
        )
        is_here = (comparisons["direction"] == direction) & (comparisons["library"] == WHOLE)
        is_here &= (comparisons["level"] == COMPOUND) & (comparisons["metric"] == MRR)
        found.append(" ".join([text, *verdicts(records(comparisons[is_here]))]))
    return found


def verdicts(compared: list[dict[str, Any]]) -> list[str]:
    """Paired comparisons in words, corrected for their number; a difference that is not significant is no equality."""
    clear = [row for row in compared if row["p_holm"] < SIGNIFICANT]
    unclear = [row for row in compared if not row["p_holm"] < SIGNIFICANT]
    found = [
        f"{row['method_a']} is significantly {'better' if row['difference'] > 0 else 'worse'} than {row['method_b']} "
        f"({_difference(row)})."
        for row in clear
    ]
    if unclear:
        which = "; ".join(f"{row['method_a']} and {row['method_b']} ({_difference(row)})" for row in unclear)
        found.append(f"Not significant, so that these data do not tell which of the two is better: {which}.")
    return found


def _difference(row: dict[str, Any]) -> str:
    bounds = interval(row["ci_low"], row["ci_high"])
    return ", ".join(
        part
        for part in (f"difference {number(row['difference'])} {bounds}", f"corrected {p_text(row['p_holm'])}")
        if part != "corrected "
    )


def figure(main: pd.DataFrame) -> Figure:
    """MRR with intervals by method, a panel for each direction and library."""
    from matplotlib.figure import Figure as Canvas

    scores = main[main["metric"] == MRR]
    methods = list(dict.fromkeys(scores["method"].astype(str)))[::-1]
    directions, libraries = (list(dict.fromkeys(scores[name].astype(str))) for name in ("direction", "library"))
    height = (0.34 * len(methods) + 1.1) * len(libraries)
    with style():
        canvas = Canvas(figsize=(4.4 * len(directions) + 0.6, height), layout="constrained")
        axes = canvas.subplots(len(libraries), len(directions), squeeze=False, sharex="row", sharey=True)
        for row, library in enumerate(libraries):
            for column, direction in enumerate(directions):
                axis = axes[row, column]
                block = scores[(scores["library"] == library) & (scores["direction"] == direction)]
                _dots(axis, block, methods)
                axis.set_xlim(0, 1.05 * scores.loc[scores["library"] == library, "ci_high"].max())
                size = f"n = {block['n_compounds'].max():.0f} compounds, size {block['library_size'].mean():.4g}"
                axis.set_title(f"{direction_name(direction)}\n{library} library ({size})", parse_math=False)
                axis.set_xlabel("mean reciprocal rank (no unit)" if row == len(libraries) - 1 else "")
        uri = svg_uri(canvas)
    return Figure(
        "Mean reciprocal rank (MRR) of every method with its 95 % interval, compound level, all folds together. "
        "Dashed: chance. A method whose interval reaches the dashed line may be guessing. Where the intervals of "
        "two methods overlap, one may still be better, since both are asked about the same compounds: see the "
        "paired comparisons.",
        "Mean reciprocal rank by method, direction and library, with intervals and chance",
        uri,
    )


def _dots(axis: Any, block: pd.DataFrame, methods: list[str]) -> None:
    found = (
        (method := str(row["method"]), row["value"], (row["ci_low"], row["ci_high"]), _colour(method))
        for row in records(block)
    )
    interval_dots(axis, methods, found)
    if len(block):
        axis.axvline(block["chance"].mean(), color=PALETTE[5], ls="--", lw=1.2)


def _colour(method: str) -> str:
    return PALETTE[0] if method == LEARNED else OTHER_METHODS
