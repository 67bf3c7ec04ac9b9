"""A page of text beside the tables: what was embedded, how far it lies from the training set, what scores are worth."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from dssl import keys
from dssl.evaluation.applicability import ALL, APPLICABILITY, FLAGS, SHOWN_METRICS
from dssl.evaluation.retrieval import MOLECULE_TO_PHENOTYPE, PHENOTYPE_TO_MOLECULE
from dssl.io import read_table, write_text
from dssl.steps.bundle import Bundle
from dssl.steps.new_sides import word_for

if TYPE_CHECKING:
    from dssl.steps.hits import Side

DIRECTION = {keys.PHENOTYPE: PHENOTYPE_TO_MOLECULE, keys.MOLECULE: MOLECULE_TO_PHENOTYPE}
OUTCOMES = {"rejected.tsv": "rejected molecules", "merged.tsv": "merged ids", "excluded_wells.tsv": "excluded wells"}


def write_summary(bundle: Bundle, folder: Path, source: Path | None, sides: "tuple[Side, Side] | None" = None) -> None:
    """Write summary.md into a folder.

    Parameters
    ----------
    bundle : Bundle
        The trained model.
    folder : Path
        Where the summary goes.
    source : Path, optional
        Folder that holds the embeddings of new data.
    sides : (Side, Side), optional
        Queries and items of a ranking.
    """
    lines = [
        f"# New data for the model of screen {bundle.settings.screen}",
        "",
        f"Trained on {bundle.description['n_training_compounds']} compounds (fold {bundle.description['fold']}), "
        f"{len(bundle.models)} models together, dssl {bundle.description['versions']['dssl']}.",
        "",
    ]
    if source is not None:
        lines += [
            f"- {_rows(source / name)} {what}: {source / name}"
            for name, what in OUTCOMES.items()
            if _rows(source / name)
        ]
    for modality, obs in ({} if source is None else _embedded(source)).items():
        lines += [
            "",
            f"## {len(obs)} {word_for(bundle, modality)}: where the model was measured",
            "",
            *_domain(bundle, modality, obs),
        ]
    if sides is not None:
        lines += ["", *_ranking(bundle, *sides)]
    write_text(folder / "summary.md", "\n".join(lines) + "\n")


def _rows(path: Path) -> int:
    return len(read_table(path)) if path.exists() else 0


def _embedded(folder: Path) -> dict[str, pd.DataFrame]:
    import anndata

    files = {keys.MOLECULE: folder / "molecules.h5ad", keys.PHENOTYPE: folder / "compounds.h5ad"}
    return {modality: anndata.read_h5ad(path, backed="r").obs for modality, path in files.items() if path.exists()}


def _domain(bundle: Bundle, modality: str, obs: pd.DataFrame) -> Iterator[str]:
    """Counts of each flag, and how well held-out compounds of that flag were retrieved."""
    limits = bundle.settings.calibrate_scores
    yield (
        f"Outside: fewer than {limits.outside_below:.0%} of the held-out compounds are as far from their training "
        f"compounds; borderline: fewer than {limits.borderline_below:.0%}. Retrieval of held-out compounds of that flag "
        f"({_direction(bundle, modality)}, 95 % interval) tells what to expect:"
    )
    yield ""
    yield "| applicability | here | held out | library | MRR | chance | mean normalised rank (chance 0.5) |"
    yield "|---|---|---|---|---|---|---|"
    measured = bundle.performance[bundle.performance["direction"] == DIRECTION[modality]]
    counts = obs[APPLICABILITY].astype(str).value_counts()
    for name in (*FLAGS, ALL):
        here = len(obs) if name == ALL else int(counts.get(name, 0))
        of_flag = measured[measured[APPLICABILITY] == name]
        if of_flag.empty:
            yield f"| {name} | {here} | 0 | | not measured | | |"
            continue
        mrr, rank = (of_flag[of_flag["metric"] == metric].iloc[0] for metric in SHOWN_METRICS)
        yield (
            f"| {name} | {here} | {mrr['n_compounds']} | {mrr['library_size']:.0f} | {_with_interval(mrr)} "
            f"| {mrr['chance']:.3f} | {_with_interval(rank)} |"
        )


def _direction(bundle: Bundle, modality: str) -> str:
    other = f"{bundle.second_assay} profile" if bundle.second_assay else "molecule"
    return f"phenotype to {other}" if modality == keys.PHENOTYPE else f"{other} to phenotype"


def _with_interval(row: pd.Series) -> str:
    return f"{row['value']:.3f} ({row['ci_low']:.3f} to {row['ci_high']:.3f})"


def _ranking(bundle: Bundle, queries: "Side", items: "Side") -> Iterator[str]:
    calibration = bundle.calibration[bundle.calibration["level"] == "compound"].iloc[0]
    n, size = queries.adata.n_obs, items.adata.n_obs
    yield f"## hits.tsv: {n} {word_for(bundle, queries.modality)} against {size} {word_for(bundle, items.modality)}"
    yield ""
    yield (
        "The score is the cosine of the shared codes. `percentile_match` and `percentile_other` are the shares of "
        "matching and of other pairs of held-out compounds that score lower. `precision` is the chance that the hit is "
        "the match if exactly one item of the library is (chance without the score: "
        f"1/{size} = {1 / size:.2g}); it rests on {calibration['n_compounds']:.0f} held-out compounds in libraries of "
        f"{calibration['library_size']:.0f}, and in a larger library on the assumption that its other items score as "
        "theirs did. If the library need not hold the match at all, precision is lower in proportion."
    )
    seen = {
        name: int((side.adata.obs[keys.SPLIT].astype(str) == keys.TRAIN).sum())
        for name, side in (("queries", queries), ("items", items))
    }
    if any(seen.values()):
        yield ""
        yield (
            f"{seen['queries']} of {n} queries and {seen['items']} of {size} items are compounds that the model was "
            "trained on: no held-out pair tells what their scores are worth, and their precision is left empty."
        )
