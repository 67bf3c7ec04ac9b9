"""What is shared and what is specific: explained features, the information curve, probes, leakage, dependence."""

import numpy as np
import pandas as pd

from dssl import keys
from dssl.report.attribution import attribution_parts, variance_sentences
from dssl.report.content import MISSING, Cell, Figure, Heading, Note, Part, Section, Table, Text, interval, number
from dssl.report.figures import csv_text, style, svg_uri
from dssl.report.information import information_figure, information_table
from dssl.report.leakage import leakage_sentence, leakage_table
from dssl.report.names import readable
from dssl.report.second_assay import reworded

N_FOLDS = "n_folds"


def knowledge_section(
    probes: pd.DataFrame,
    dependence: pd.DataFrame,
    information: pd.DataFrame,
    attribution: pd.DataFrame,
    leakage: pd.DataFrame,
    other: str = keys.MOLECULE,
) -> Section:
    """Where the codes explain the features, the information over beta, what probes find, leakage and dependence.

    `other` is what the figures say is compared with the phenotypes.
    """
    text = (
        "A linear model is fitted on the codes of some held-out compounds and asked about others: what it can tell, "
        "the code knows. Numbers are scored by R² (1: perfect; 0 or less: nothing), classes by balanced accuracy "
        "(1: perfect; chance: 1 / number of classes). Shared codes should know what a structure can tell; specific "
        "codes of phenotypes what it cannot, such as plate effects."
    )
    parts: list[Part] = [Heading("Which features follow from the structure?"), *attribution_parts(attribution)]
    if len(information):
        curve = information_figure(information, other), information_table(information)
        parts += [Heading("How much information do the codes share?"), *curve]
    parts += [Heading("What does each code know?"), Text(text)]
    done = mean_probes(probes)
    if len(done):
        parts += [heat_map(done, other), probe_table(done)]
    else:
        parts.append(Note("No column could be probed; the table of skipped columns says why."))
    skipped = probes[probes["skipped_reason"].fillna("").astype(str) != ""]
    if len(skipped):
        parts.append(_skipped(skipped))
    if len(leakage):
        parts.append(leakage_table(leakage))
    if len(dependence):
        parts.append(dependence_table(dependence))
    return Section("knowledge", "What is shared, what is specific", knowledge_sentences(attribution, leakage), parts)


def knowledge_sentences(attribution: pd.DataFrame, leakage: pd.DataFrame) -> list[str]:
    """The shares of variance, and whether the specific codes give away the partner."""
    return [*variance_sentences(attribution), *([leakage_sentence(leakage)] if len(leakage) else [])]


def mean_probes(probes: pd.DataFrame) -> pd.DataFrame:
    """Probes that were done, averaged over folds; n_folds, and in how many of them p < 0.05 (n_significant)."""
    done = probes[probes["score"].notna()]
    grouped = done.assign(significant=done["p_value"] < 0.05).groupby(
        ["level", "column", "score_name", "code"], sort=False
    )
    return grouped.agg(
        score=("score", "mean"),
        ci_low=("ci_low", "mean"),
        ci_high=("ci_high", "mean"),
        chance=("chance", "mean"),
        n_significant=("significant", "sum"),
        n_folds=("fold", "nunique"),
        n_groups=("n_groups", "mean"),
    ).reset_index()


def heat_map(done: pd.DataFrame, other: str = keys.MOLECULE) -> Figure:
    """Score above chance, as a share of what is possible, by column and code."""
    from matplotlib.figure import Figure as Canvas

    shown = done.assign(
        label=done["column"].astype(str).map(readable)
        + " ("
        + done["level"].astype(str)
        + ", "
        + _unit(done["score_name"])
        + ")"
    )
    gain = (shown["score"] - shown["chance"]) / (1 - shown["chance"]).clip(lower=1e-9)
    shown = shown.assign(gain=gain.clip(0, 1))
    labels, codes = list(dict.fromkeys(shown["label"])), sorted(set(shown["code"].astype(str)), key=_code_order)
    grid = shown.pivot_table(index="label", columns="code", values="gain").reindex(index=labels, columns=codes)
    scores = shown.pivot_table(index="label", columns="code", values="score").reindex(index=labels, columns=codes)
    with style():
        canvas = Canvas(figsize=(1.35 * len(codes) + 4.2, max(2.4, 0.3 * len(labels) + 1.3)), layout="constrained")
        axis = canvas.subplots()
        gains = grid.to_numpy(dtype=float)
        image = axis.imshow(np.ma.masked_invalid(gains), cmap="cividis", vmin=0, vmax=1, aspect="auto")
        for (row, column), value in np.ndenumerate(scores.to_numpy(dtype=float)):
            if np.isfinite(value):
                colour = "white" if gains[row, column] < 0.55 else "black"
                axis.text(column, row, number(value, 2), ha="center", va="center", fontsize=8.5, color=colour)
        axis.set_xticks(range(len(codes)), [reworded(code.replace("_", "\n"), other) for code in codes])
        axis.set_yticks(range(len(labels)), labels, parse_math=False)
        axis.spines[:].set_visible(False)
        axis.set_xlabel("code")
        canvas.colorbar(image, ax=axis, label="gain over chance")
        folds = int(done[N_FOLDS].max())
        return Figure(
            f"Rows: what is asked; columns: codes (mean over n = {folds} fold{'s' if folds > 1 else ''}). The figure "
            "is the score (R² or balanced accuracy), the colour how much of the way from chance to perfect it is. "
            "Empty: not asked of that code. A useful separation shows as rows that are bright in one code and dark "
            "in the other.",
            "Heat map of probe scores by column and code",
            svg_uri(canvas),
            "probes",
            csv_text(done),
        )


def _unit(score_names: "pd.Series[str]") -> "pd.Series[str]":
    return score_names.astype(str).replace({"r2": "R²", "balanced_accuracy": "accuracy"})


def _code_order(code: str) -> tuple[int, str]:
    order = ["shared_phenotype", "specific_phenotype", "shared_molecule", "specific_molecule"]
    return (order.index(code) if code in order else len(order), code)


def probe_table(done: pd.DataFrame) -> Table:
    """The numbers behind the heat map."""
    rows = [
        [
            Cell(readable(str(row["column"]))),
            Cell(str(row["level"])),
            Cell(str(row["code"]).replace("_", " ")),
            Cell(str(row["score_name"]).replace("_", " ")),
            Cell(number(row["score"]), interval(row["ci_low"], row["ci_high"])),
            Cell(number(row["chance"])),
            Cell(f"{row['n_significant']:.0f} of {row['n_folds']:.0f}"),
            Cell(f"{row['n_groups']:.0f}"),
        ]
        for _, row in done.iterrows()
    ]
    caption = (
        "Probes of held-out codes, means over folds (in brackets the mean of the folds' 95 % intervals). chance: "
        "the same fit on permuted values; p < 0.05: in how many folds; compounds: per fold, on average."
    )
    columns = ["column", "level", "code", "score name", "score", "chance", "p < 0.05 in folds", "compounds"]
    return Table(caption, columns, rows, n_labels=4, folded=True)


def _skipped(skipped: pd.DataFrame) -> Table:
    pairs = skipped[["column", "skipped_reason"]].astype(str).drop_duplicates()
    rows = [[Cell(readable(row["column"])), Cell(row["skipped_reason"])] for _, row in pairs.iterrows()]
    return Table("Columns that were not probed.", ["column", "reason"], rows, n_labels=2, folded=True)


def dependence_table(dependence: pd.DataFrame) -> Table:
    """Dependence between codes and the dimensions they use, means over folds."""
    grouped = dependence.groupby(["measure", "code_a", "code_b"], sort=False)
    rows = []
    for (measure, code_a, code_b), lines in grouped:
        pair = str(code_a) if code_a == code_b else f"{code_a} and {code_b}"
        values, p = lines["value"].astype(float), lines["p_value"].dropna().to_numpy(dtype=float)
        above = f"{int((p < 0.05).sum())} of {len(p)}" if len(p) else MISSING
        spread = f"{number(values.min())} to {number(values.max())}" if len(values) > 1 else ""
        rows.append(
            [
                Cell(str(measure).replace("_", " ")),
                Cell(pair.replace("_", " ")),
                Cell(number(values.mean()), spread),
                Cell(number(lines["chance"].mean())),
                Cell(above),
                Cell(f"{lines['n_rows'].mean():.0f}"),
            ]
        )
    caption = (
        "Dependence between codes of held-out compounds, means over folds (below: lowest to highest). linear CKA "
        "and HSIC (Gaussian kernels, normalised): 0 independent, 1 the same up to rotation; with few compounds "
        "chance is well above 0, so compare with it. Shared codes of the two modalities should depend on each "
        "other, specific on shared ones as little as possible. participation ratio: how many dimensions a code "
        "uses; a code near 1 has collapsed."
    )
    columns = ["measure", "codes", "value", "chance", "p < 0.05 in folds", "n"]
    return Table(caption, columns, rows, n_labels=2, folded=True)
