"""What retrieval found, in words: the model beside chance and its strongest control."""

from itertools import product
from typing import Any

import pandas as pd

from dssl.evaluation.ranks import LOWER_IS_BETTER, MEAN_NORMALIZED_RANK, MRR
from dssl.report.content import count, interval, number, p_text, percent, percent_interval, records
from dssl.report.names import method_name
from dssl.report.retrieval_tables import COMPOUND, LEARNED, SIGNIFICANT, WHOLE, direction_name, is_control

# the first few that a person would look at; in a library of fewer than four times as many, only the first
FIRST_FEW = 5
WORDS = {"top_1": "in the first place", "top_5": "among the first five"}
ASKED = {
    "phenotype_to_molecule": ("phenotype", "molecule"),
    "molecule_to_phenotype": ("molecule", "phenotype"),
}
METRIC_WORDS = {MRR: "mean reciprocal rank", MEAN_NORMALIZED_RANK: "mean rank"}
METHOD_WORDS = {
    "cca": "canonical correlations",
    "cell_count": "cell count alone",
    "dmvae": "a disentangling autoencoder",
    "focal": "FOCAL, a learned baseline",
    "infonce": "a contrastive model without the bottleneck",
    "joint_opt": "both codes in one objective",
    "kernel_ridge": "kernel ridge regression from fingerprints",
    "kernel_ridge_both": "kernel ridge regression from fingerprints and descriptors",
    "kernel_ridge_descriptors": "kernel ridge regression from descriptors",
    "nearest_neighbor": "the most similar training molecules",
    "pls": "partial least squares",
    "random": "random vectors",
}


def whole_library(retrieval: pd.DataFrame, direction: str) -> pd.DataFrame:
    """Rows of one direction at the compound level, in the whole library."""
    chosen = (retrieval["direction"] == direction) & (retrieval["library"] == WHOLE) & (retrieval["level"] == COMPOUND)
    return retrieval[chosen]


def strongest_control(rows: pd.DataFrame, metric: str = MRR) -> str | None:
    """The control that is best by a metric; None without controls."""
    scores = rows[(rows["metric"] == metric) & is_control(rows["method"])]
    if scores.empty:
        return None
    values = scores["value"].astype(float)
    return str(scores["method"].iloc[int(values.argmin() if metric in LOWER_IS_BETTER else values.argmax())])


def method_words(method: str) -> str:
    """A method as people call it, with its short name, as it stands in tables and figures."""
    words = METHOD_WORDS.get(method)
    return f"{words} ({method_name(method)})" if words else method_name(method)


def retrieval_sentences(main: pd.DataFrame, comparisons: pd.DataFrame) -> list[str]:
    """A few sentences for each direction: shares found, chance, the strongest control, and whether the model beats it."""
    found = []
    for direction in ASKED:
        rows, compared = whole_library(main, direction), whole_library(comparisons, direction)
        scores = {(str(row["method"]), str(row["metric"])): row for row in records(rows)}
        if (LEARNED, MRR) not in scores:
            continue
        told = [_found_sentence(direction, scores), chance_verdict(scores[LEARNED, MRR])]
        control = strongest_control(rows)
        if control:
            told.append(_control_sentence(control, scores, compared))
        if (LEARNED, MEAN_NORMALIZED_RANK) in scores:
            told.append(_whole_list_sentence(scores, rows, compared))
        found.append(" ".join(told))
    return found


def _metric(row: dict[str, Any]) -> str:
    return "top_5" if row["library_size"] >= 4 * FIRST_FEW else "top_1"


def _found_sentence(direction: str, scores: dict[tuple[str, str], dict[str, Any]]) -> str:
    query, item = ASKED[direction]
    row = scores[LEARNED, _metric(scores[LEARNED, MRR])]
    return (
        f"{direction_name(direction)}: shown the {query} of a compound that it has never seen, the model puts the right "
        f"one of {count(round(row['library_size']), item)} {WORDS[str(row['metric'])]} for {percent(row['value'])} "
        f"{percent_interval(row['ci_low'], row['ci_high'])} of {count(int(row['n_compounds']), 'compound')}; a blind "
        f"guess would for {percent(row['chance'])}."
    )


def chance_verdict(row: dict[str, Any]) -> str:
    """Whether the model does better than guessing, by its mean reciprocal rank."""
    if row["chance"] >= 1:
        return "With a single one to choose from, this says nothing."
    if not row["p_value"] < SIGNIFICANT:
        p_value = p_text(row["p_value"])
        return f"That is not shown to be better than guessing{f' ({p_value})' if p_value else ''}."
    if row["value"] <= row["chance"]:
        return "On average over all ranks that is no better than guessing."
    return f"That is better than guessing ({p_text(row['p_value'])})."


def _control_sentence(control: str, scores: dict[tuple[str, str], dict[str, Any]], comparisons: pd.DataFrame) -> str:
    row = scores.get((control, _metric(scores[LEARNED, MRR])))
    share = f" does so for {percent(row['value'])} {percent_interval(row['ci_low'], row['ci_high'])}" if row else ""
    start = f"The strongest control, {method_words(control)},{share};"
    return f"{start} {_compared(control, MRR, comparisons)}."


def _whole_list_sentence(
    scores: dict[tuple[str, str], dict[str, Any]], rows: pd.DataFrame, comparisons: pd.DataFrame
) -> str:
    """Where the right one stands on average, which the first places do not tell, beside chance and the best control."""
    row = scores[LEARNED, MEAN_NORMALIZED_RANK]
    told = (
        f"Down the whole list, the right one stands on average before {percent(1 - row['value'])} "
        f"{percent_interval(1 - row['ci_high'], 1 - row['ci_low'])} of the others (guessing: {percent(1 - row['chance'])})"
    )
    control = strongest_control(rows, MEAN_NORMALIZED_RANK)
    if control is None:
        return f"{told}."
    theirs = percent(1 - scores[control, MEAN_NORMALIZED_RANK]["value"])
    return (
        f"{told}; by the strongest control there, {method_words(control)}, before {theirs}; "
        f"{_compared(control, MEAN_NORMALIZED_RANK, comparisons)}."
    )


def _compared(control: str, metric: str, comparisons: pd.DataFrame) -> str:
    """What the paired test of the model against a control says."""
    is_pair = (comparisons["method_a"] == LEARNED) & (comparisons["method_b"] == control)
    pairs = records(comparisons[is_pair & (comparisons["metric"] == metric)])
    if not pairs:
        return "the two were not compared on the same compounds"
    (pair,) = pairs
    return f"{verdict(pair)} ({_difference(pair)})"


def verdict(pair: dict[str, Any]) -> str:
    """Whether the model beats a control, by a corrected paired test; a difference that is not significant is no equality."""
    if not pair["p_holm"] < SIGNIFICANT:
        return "these data do not tell which of the two is better"
    if is_better(pair):
        return "the model is better than it"
    return "the model is worse than it, so that the control should be used instead"


def is_better(pair: dict[str, Any]) -> bool:
    """Whether a difference favours the model: above 0, or below where lower is better."""
    return bool(pair["difference"] < 0 if pair["metric"] in LOWER_IS_BETTER else pair["difference"] > 0)


def _difference(pair: dict[str, Any]) -> str:
    # three decimals: what is smaller is no difference to a reader
    value, low, high = (round(float(pair[name]), 3) for name in ("difference", "ci_low", "ci_high"))
    tests = [text for text in (p_text(pair["p_value"]), _corrected(pair)) if text]
    tested = f", paired {', '.join(tests)}" if tests else ""
    return f"difference in {METRIC_WORDS[str(pair['metric'])]} {number(value)} {interval(low, high)}{tested}"


def _corrected(pair: dict[str, Any]) -> str:
    text = p_text(pair["p_holm"])
    return f"corrected {text}" if text else ""


def tally(comparisons: pd.DataFrame) -> list[str]:
    """Of all controls, how many the model beats, loses to, and is not told apart from, in each direction and metric."""
    found = []
    for direction, metric in product(ASKED, METRIC_WORDS):
        rows = whole_library(comparisons, direction)
        chosen = (rows["metric"] == metric) & (rows["method_a"] == LEARNED) & is_control(rows["method_b"])
        pairs = records(rows[chosen])
        if not pairs:
            continue
        clear = [pair for pair in pairs if pair["p_holm"] < SIGNIFICANT]
        better = [str(pair["method_b"]) for pair in clear if is_better(pair)]
        worse = [str(pair["method_b"]) for pair in clear if not is_better(pair)]
        unclear = [str(pair["method_b"]) for pair in pairs if pair not in clear]
        found.append(
            f"{direction_name(direction)}, {METRIC_WORDS[metric]}: of {count(len(pairs), 'control')} the model is better "
            f"than {_named(better)}, worse than {_named(worse)}, and not told apart from {_named(unclear)} (paired, "
            f"corrected p < {SIGNIFICANT:g}; what is not told apart is not therefore equal)."
        )
    return found


def _named(methods: list[str]) -> str:
    return f"{len(methods)} ({', '.join(map(method_name, methods))})" if methods else "none"
