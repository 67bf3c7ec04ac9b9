"""All three pairs of molecule, phenotype and second assay, from one screen: how well they find each other, and what helps."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from dssl.evaluation.ranks import MEAN_NORMALIZED_RANK, MRR
from dssl.evaluation.statistics import ALL_FOLDS
from dssl.keys import FULL_FOLD, MOLECULE, PHENOTYPE, SECOND_ASSAY
from dssl.plan import ASSAY_PAIRS, pair_name
from dssl.report.content import (
    Cell,
    Figure,
    Folded,
    Part,
    Section,
    Table,
    Text,
    count,
    interval,
    number,
    p_text,
    records,
)
from dssl.report.figures import OTHER_METHODS, PALETTE, csv_text, interval_dots, style, svg_uri
from dssl.report.names import method_name
from dssl.report.retrieval_tables import METRIC_NAMES, SIGNIFICANT, comparison_cells, score_cell
from dssl.report.retrieval_words import METHOD_WORDS

ALL, COMPLETE, ALONE, SCREEN = "all_compounds", "complete_compounds", "pair_alone", "dssl"
METHODS = {
    ALL: "one model of all three, trained on every compound that has a structure and one of the assays",
    COMPLETE: "the same, trained only on the compounds that have both assays",
    ALONE: "the same encoders, trained on these two alone, with every compound that has both",
    SCREEN: "the model of the two assays that the rest of this report is about",
}


def assays_section(retrieval: pd.DataFrame, comparisons: pd.DataFrame, counts: pd.DataFrame, name: str) -> Section:
    """Which compounds have what, whether the third modality and compounds with one assay help, and all methods.

    Parameters
    ----------
    retrieval, comparisons : DataFrame
        What summarize_assays wrote.
    counts : DataFrame
        What join_assays counted.
    name : str
        What the second assay is called.
    """
    words = {PHENOTYPE: "phenotype", MOLECULE: "molecule", SECOND_ASSAY: name}
    pooled = retrieval[retrieval["fold"].astype(str) == ALL_FOLDS]
    intro = (
        f"Beside the two assays' own model, one model learns a shared code of molecule, phenotype and {name} at once, from "
        "all three pairs. A compound that lacks an assay takes part in the pairs that it has. Whoever is held out is "
        "held out of all three. In each pair, both directions: a held-out compound is shown in one and looked for in the "
        "other, among all held-out compounds of its fold that have both."
    )
    parts: list[Part] = [
        _figure(pooled, words),
        Folded(
            "What the methods are",
            [Text(f"{method_name(method)}: {meaning}.") for method, meaning in _meanings(pooled)],
        ),
        _table(pooled, words),
        _comparisons(comparisons, words),
    ]
    sentences = [text for pair in ASSAY_PAIRS for text in _verdicts(comparisons, pair, words)]
    title = f"Molecule, phenotype and {name} together"
    return Section("assays", title, [intro, _counted(counts, words), *sentences], parts)


def _counted(counts: pd.DataFrame, words: dict[str, str]) -> str:
    fold = next(iter(counts["fold"].astype(str)))
    of_fold = counts[counts["fold"].astype(str) == fold]
    found = of_fold.groupby([PHENOTYPE, SECOND_ASSAY])["n_compounds"].sum()
    both, first, second = (int(found.get(flags, 0)) for flags in ((True, True), (True, False), (False, True)))
    unused = of_fold[~of_fold["role"].isin(["train", "validation", "test"])]["n_compounds"].sum()
    left_out = (
        f" {count(int(unused), 'compound')} would join groups that are held out apart, and {'is' if unused == 1 else 'are'} "
        "left out of such folds."
        if unused and fold != FULL_FOLD
        else ""
    )
    return (
        f"{count(both, 'compound')} have both assays, {first:,} the phenotype only, {second:,} the {words[SECOND_ASSAY]} "
        f"only; all have a structure.{left_out}"
    )


def _verdicts(comparisons: pd.DataFrame, pair: tuple[str, str], words: dict[str, str]) -> Iterator[str]:
    first, second = (words[modality] for modality in pair)
    rows = comparisons[(comparisons["pair"] == pair_name(pair)) & (comparisons["metric"] == MRR)]
    found = {(row["method_a"], row["method_b"]): row for row in records(rows)}
    asked = {
        (ALL, ALONE): "does the third modality help, with its further compounds, beside these two alone?",
        (COMPLETE, ALONE): "do molecules help as the third modality, on the same compounds?",
        (ALL, COMPLETE): "do the compounds that have one assay help, beside those that have both?",
    }
    for methods, what in asked.items():
        if methods in found:
            yield f"{first[0].upper()}{first[1:]} and {second}: {what} {_verdict(found[methods])}"


def _verdict(row: dict[str, Any]) -> str:
    difference = (
        f"difference in mean reciprocal rank {number(row['difference'])} {interval(row['ci_low'], row['ci_high'])}, "
        f"paired over {count(int(row['n_compounds']), 'compound')}, corrected {p_text(row['p_holm'])}"
    )
    if not row["p_holm"] < SIGNIFICANT:
        return f"These data do not tell ({difference})."
    return f"{'Yes' if row['difference'] > 0 else 'No, harm is done'} ({difference})."


def _meanings(pooled: pd.DataFrame) -> list[tuple[str, str]]:
    known = METHODS | METHOD_WORDS
    return [(name, known[name]) for name in _in_order(pooled["method"]) if name in known]


def _in_order(methods: "pd.Series[str]") -> list[str]:
    """The models first, then the controls."""
    there = list(dict.fromkeys(methods.astype(str)))
    return [*(name for name in METHODS if name in there), *(name for name in there if name not in METHODS)]


def _directions(pair: tuple[str, str]) -> tuple[str, str]:
    first, second = pair
    return f"{first}_to_{second}", f"{second}_to_{first}"


def _direction(direction: str, words: dict[str, str]) -> str:
    first, _, second = direction.partition("_to_")
    return f"{words[first]} → {words[second]}"


def _figure(pooled: pd.DataFrame, words: dict[str, str]) -> Figure:
    from matplotlib.figure import Figure as Canvas

    scores = pooled[pooled["metric"] == MRR]
    of_pairs = [scores[scores["pair"] == pair_name(pair)] for pair in ASSAY_PAIRS]
    listed = [_in_order(of_pair["method"])[::-1] for of_pair in of_pairs]
    heights = [0.3 * len(methods) + 1.3 for methods in listed]
    with style():
        canvas = Canvas(figsize=(9.4, sum(heights)), layout="constrained")
        axes = canvas.subplots(
            len(ASSAY_PAIRS), 2, squeeze=False, sharex="row", sharey="row", gridspec_kw={"height_ratios": heights}
        )
        for row, pair, of_pair, methods in zip(axes, ASSAY_PAIRS, of_pairs, listed, strict=True):
            for axis, direction in zip(row, _directions(pair), strict=True):
                block = of_pair[of_pair["direction"] == direction]
                dots = (
                    (
                        method_name(each["method"]),
                        each["value"],
                        (each["ci_low"], each["ci_high"]),
                        _colour(each["method"]),
                    )
                    for each in records(block)
                )
                interval_dots(axis, list(map(method_name, methods)), dots)
                axis.axvline(block["chance"].mean(), color=PALETTE[5], ls="--", lw=1.2)
                axis.set_xlim(0, 1.05 * of_pair["ci_high"].max())
                size = f"n = {block['n_compounds'].max():.0f}, library {block['library_size'].mean():.3g}"
                axis.set_title(f"{_direction(direction, words)}\n{size}", parse_math=False)
        for axis in axes[-1]:
            axis.set_xlabel("mean reciprocal rank (no unit)")
        uri = svg_uri(canvas)
    return Figure(
        "Mean reciprocal rank of every method in every pair, with its 95 % interval, all folds together. Dashed: "
        "chance. Of the controls, those stand here that can be made of what the pair has.",
        "Mean reciprocal rank by pair, direction and method, with intervals and chance",
        uri,
        "assays-methods",
        csv_text(scores),
    )


def _colour(method: str) -> str:
    return PALETTE[0] if method in (ALL, COMPLETE) else OTHER_METHODS


def _table(pooled: pd.DataFrame, words: dict[str, str]) -> Table:
    rows: list[list[Cell]] = []
    for direction in (each for pair in ASSAY_PAIRS for each in _directions(pair)):
        block = pooled[pooled["direction"] == direction]
        rows.append([Cell(_direction(direction, words))])
        for method in _in_order(block["method"]):
            lines = block[block["method"] == method]
            scores = {str(row["metric"]): row for row in records(lines)}
            first = next(iter(scores.values()))
            head = [Cell(method_name(method)), Cell(f"{first['n_compounds']:.0f}"), Cell(number(first["library_size"]))]
            rows.append([*head, *(score_cell(scores[metric]) for metric in METRIC_NAMES)])
        chance = dict(zip(block["metric"], block["chance"], strict=True))
        rows.append([Cell("chance"), Cell(""), Cell(""), *(Cell(number(chance[metric])) for metric in METRIC_NAMES)])
    caption = (
        "Every pair, direction and method, all folds together. In brackets the 95 % interval (bootstrap over compounds); "
        "p: how often random pairings do as well (of dssl: see its own section). Lower is better only for the mean rank, of "
        "which 0.5 is chance."
    )
    return Table(caption, ["method", "n", "library size", *METRIC_NAMES.values()], rows, folded=True)


def _comparisons(comparisons: pd.DataFrame, words: dict[str, str]) -> Table:
    rows: list[list[Cell]] = []
    for pair in ASSAY_PAIRS:
        rows.append([Cell(" and ".join(words[modality] for modality in pair))])
        of_pair = comparisons[comparisons["pair"] == pair_name(pair)]
        rows += map(comparison_cells, records(of_pair[of_pair["metric"].isin([MRR, MEAN_NORMALIZED_RANK])]))
    caption = (
        "Paired comparisons on the same compounds, both directions of a compound together: mean difference, 95 % interval "
        "(bootstrap), two-sided p (random signs), and p corrected for the comparisons of the pair in the same metric (Holm). "
        f"Bold: corrected p < {SIGNIFICANT:g}. Above 0 favours the first method; in the mean rank, below 0."
    )
    columns = ["metric", "methods", "difference", "95 % interval", "p", "corrected p", "n"]
    return Table(caption, columns, rows, 2, folded=True)
