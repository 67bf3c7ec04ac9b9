"""Section 3: how training went, and which model was chosen."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from dssl.report.content import Cell, Figure, Part, Section, Table, number, text_of
from dssl.report.figures import PALETTE, csv_text, style, svg_uri

SHARED, SPECIFIC = "step 1: shared codes", "step 2: specific codes"
LINES = ["-", "--", ":", "-."]


@dataclass(frozen=True)
class Run:
    """History of one training run of a chosen model."""

    step: str
    fold: str
    seed: str
    history: pd.DataFrame


@dataclass(frozen=True)
class Selection:
    """What was chosen in one fold, and among what."""

    fold: str
    selected: dict[str, Any]
    candidates: pd.DataFrame


def learning_section(selections: list[Selection], runs: list[Run]) -> Section:
    """The chosen values per fold, all candidates, and the curves of the chosen models."""
    paragraph = (
        "Step 1 learns the codes that a molecule and its phenotype share; beta weighs what the phenotype's code may "
        "keep beyond the molecule's. Step 2 learns what is specific to each; lambda weighs how independent of the "
        "shared codes it has to be. Both are chosen on validation compounds, never on test compounds."
    )
    parts: list[Part] = [_choices(selections)]
    if runs:
        parts.append(curves(runs))
    parts.append(_candidates(selections))
    return Section("training", "How the models were chosen", [paragraph], parts)


def _choices(selections: list[Selection]) -> Table:
    rows = [
        [
            Cell(each.fold),
            Cell(f"{each.selected['beta']:g}"),
            Cell(f"{each.selected['lam']:g}"),
            Cell(str(each.selected.get("reason", ""))),
        ]
        for each in selections
    ]
    return Table("What was chosen in each fold, and why.", ["fold", "beta", "lambda", "reason"], rows, n_labels=4)


def _candidates(selections: list[Selection]) -> Table:
    measures = [name for name in selections[0].candidates.columns if name not in ("beta", "lam", "selected")]
    rows = []
    for each in selections:
        for row in each.candidates.to_dict("records"):
            chosen = bool(row.get("selected", False))
            line = [each.fold, f"{row['beta']:g}", f"{row['lam']:g}", *(number(float(row[name])) for name in measures)]
            rows.append([Cell(text, strong=chosen) for text in line])
    caption = (
        "All candidates: validation figures, means over seeds; the chosen ones in bold. contrastive: the validation "
        "loss in nats (lower is better); kl: information in the shared code that the other modality does not give; "
        "dependence: of the specific on the shared code (0: none); participation ratio: how many dimensions a "
        "specific code uses."
    )
    columns = ["fold", "beta", "lambda", *(text_of(name.replace("_", " ")) for name in measures)]
    return Table(caption, columns, rows, n_labels=3, folded=True)


def histories(runs: list[Run]) -> pd.DataFrame:
    """The losses that the curves show, one row per run and epoch."""
    return pd.concat(
        [
            run.history.filter(["epoch", "train_loss", "validation_loss"]).assign(
                step=run.step, fold=run.fold, seed=run.seed
            )
            for run in runs
        ]
    )


def curves(runs: list[Run]) -> Figure:
    """Training (thin) and validation (thick) loss by epoch; a colour for each fold."""
    from matplotlib.figure import Figure as Canvas
    from matplotlib.lines import Line2D

    folds = list(dict.fromkeys(run.fold for run in runs))
    seeds = list(dict.fromkeys(run.seed for run in runs))
    with style():
        canvas = Canvas(figsize=(9, 3.3), layout="constrained")
        axes = canvas.subplots(1, 2)
        for axis, step in zip(axes, (SHARED, SPECIFIC), strict=True):
            of_step = [run for run in runs if run.step == step]
            for run in of_step:
                look = {
                    "color": PALETTE[folds.index(run.fold) % len(PALETTE)],
                    "ls": LINES[seeds.index(run.seed) % len(LINES)],
                }
                axis.plot(run.history["epoch"], run.history["train_loss"], lw=0.8, alpha=0.45, **look)
                seen = run.history.dropna(subset=["validation_loss"]) if "validation_loss" in run.history else None
                if seen is not None and len(seen):
                    axis.plot(seen["epoch"], seen["validation_loss"], lw=1.6, **look)
                    best = int(seen["validation_loss"].to_numpy().argmin())
                    axis.plot(
                        seen["epoch"].iloc[best], seen["validation_loss"].iloc[best], "o", ms=4, color=look["color"]
                    )
            axis.set(title=f"{step} (n = {len(of_step)} runs)", xlabel="epoch", ylabel="loss (nats)")
        handles = [
            Line2D([], [], color=PALETTE[k % len(PALETTE)], label=f"fold {fold}") for k, fold in enumerate(folds)
        ]
        handles += [
            Line2D([], [], color="#555", lw=0.8, alpha=0.5, label="training"),
            Line2D([], [], color="#555", label="validation"),
        ]
        handles += [
            Line2D([], [], color="#555", lw=1, ls=LINES[k % len(LINES)], label=f"seed {seed}")
            for k, seed in enumerate(seeds)
            if len(seeds) > 1
        ]
        canvas.legend(handles=handles, loc="outside right upper")
        return Figure(
            "Loss of the chosen models by epoch. The dot is the best validation epoch, whose weights are kept. "
            "Training losses are measured with noise and dropout and on other minibatches than validation losses, "
            "so that the two are not to be compared with each other; a validation curve that rises after its dot is "
            "overfitting that the kept weights do not have.",
            "Training and validation loss by epoch for both training steps",
            svg_uri(canvas),
            "training",
            csv_text(histories(runs)),
        )
