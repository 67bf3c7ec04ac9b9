"""How well held-out compounds are found, by every method."""

from typing import Any

import pandas as pd

from dssl import keys
from dssl.evaluation.ranks import MEAN_NORMALIZED_RANK, MRR
from dssl.evaluation.statistics import ALL_FOLDS
from dssl.report.content import Figure, Folded, Heading, Note, Part, Section, Text, records
from dssl.report.figures import OTHER_METHODS, PALETTE, csv_text, interval_dots, style, svg_uri
from dssl.report.names import method_name
from dssl.report.retrieval_curve import curve_figure, curve_table
from dssl.report.retrieval_question import held_out_text
from dssl.report.retrieval_strata import strata_parts
from dssl.report.retrieval_tables import (
    COMPOUND,
    LEARNED,
    comparison_table,
    direction_name,
    in_order,
    level_table,
    main_table,
)
from dssl.report.retrieval_words import retrieval_sentences, tally
from dssl.report.second_assay import reworded
from dssl.settings.preparation import PairAndSplitSettings

METHODS = (
    "dssl is the model: the trained models of all seeds together (dssl trained; dssl one model: of the first seed alone) "
    "averaged with the closed form of the same two steps, regularised canonical directions (dssl closed form), which makes "
    "it a stacked model.",
    "The other methods are controls that any model has to beat, tuned on validation compounds too: random vectors, cell "
    "count alone, the most similar training molecules, partial least squares (PLS), canonical correlations (CCA), kernel "
    "ridge regression from fingerprints, from descriptors and from both, and learned baselines (InfoNCE: the shared code "
    "without its bottleneck; JointOpt: both codes in one objective; FOCAL: both with a clamped cosine between them; "
    "DMVAE: an autoencoder).",
)


def retrieval_section(
    retrieval: pd.DataFrame,
    comparisons: pd.DataFrame,
    strata: pd.DataFrame,
    queries: pd.DataFrame,
    split: PairAndSplitSettings,
    other: str = keys.MOLECULE,
) -> Section:
    """What was asked, what was found in words, how far down the list, all methods, and for which compounds.

    `other` is what the figures say is compared with the phenotypes.
    """
    title = "Do molecule and phenotype find each other?"
    pooled = in_order(retrieval[retrieval["fold"].astype(str) == ALL_FOLDS])
    main = pooled[pooled["level"] == COMPOUND]
    if main.empty:
        return Section("retrieval", title, [], [Note("There are no retrieval results at the compound level.")])
    intro = (
        "A held-out compound's phenotype is compared with the structures of a library of held-out compounds (or the "
        "other way round), and the place of the right one in the order is recorded. The whole library holds all "
        "held-out compounds of the fold; the batch library only those measured in the query's own batch (or plate), "
        "so that batch effects cannot help."
    )
    curves = curve_table(queries, main)
    parts: list[Part] = [curve_figure(curves, other)] if len(curves) else []
    parts += [
        Heading("The model beside its controls"),
        *(Text(sentence) for sentence in tally(comparisons)),
        figure(main, other),
        Folded("What the methods are", [Text(text) for text in METHODS]),
        main_table(main),
    ]
    if len(comparisons):
        parts.append(comparison_table(in_order(comparisons)))
    of_strata = strata_parts(strata, other)
    if of_strata:
        parts += [Heading("For which compounds does it work?"), *of_strata]
    others = pooled[(pooled["level"] != COMPOUND) & pooled["metric"].isin([MRR, MEAN_NORMALIZED_RANK])]
    if len(others):
        parts.append(level_table(others))
    return Section("retrieval", title, [*retrieval_sentences(main, comparisons), held_out_text(split), intro], parts)


def figure(main: pd.DataFrame, other: str = keys.MOLECULE) -> Figure:
    """MRR with intervals by method, a panel for each direction and library."""
    from matplotlib.figure import Figure as Canvas

    scores = main[main["metric"] == MRR]
    methods = _methods_in_order(scores)[::-1]
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
                size = f"n = {block['n_compounds'].max():.0f} compounds, size {block['library_size'].mean():.3g}"
                shown = reworded(direction_name(direction), other)
                axis.set_title(f"{shown}\n{library} library ({size})", parse_math=False)
                axis.set_xlabel("mean reciprocal rank (no unit)" if row == len(libraries) - 1 else "")
        uri = svg_uri(canvas)
    return Figure(
        "Mean reciprocal rank (MRR) of every method with its 95 % interval, compound level, all folds together. "
        "Dashed: chance. A method whose interval reaches the dashed line may be guessing. Where the intervals of "
        "two methods overlap, one may still be better, since both are asked about the same compounds: see the "
        "paired comparisons.",
        "Mean reciprocal rank by method, direction and library, with intervals and chance",
        uri,
        "retrieval-methods",
        csv_text(scores),
    )


def _methods_in_order(scores: pd.DataFrame) -> list[str]:
    """The model and its parts first, then the controls; the best first in each."""
    means = scores.groupby(scores["method"].astype(str))["value"].mean().sort_values(ascending=False, kind="stable")
    names = pd.Series(means.index, dtype=str)
    return sorted(names, key=lambda name: (name != LEARNED, not name.startswith(LEARNED)))


def _dots(axis: Any, block: pd.DataFrame, methods: list[str]) -> None:
    found = (
        (method_name(row["method"]), row["value"], (row["ci_low"], row["ci_high"]), _colour(row["method"]))
        for row in records(block)
    )
    interval_dots(axis, list(map(method_name, methods)), found)
    if len(block):
        axis.axvline(block["chance"].mean(), color=PALETTE[5], ls="--", lw=1.2)


def _colour(method: str) -> str:
    return PALETTE[0] if method == LEARNED else OTHER_METHODS
