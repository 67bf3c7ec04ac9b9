"""Two small finished runs as the workflow would have written them."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest

from dssl import keys
from dssl.io import write_json, write_table
from dssl.settings.screen import parse_screen

N_COMPOUNDS = 24
FOLDS = ("0", "1")


@dataclass(frozen=True)
class Run:
    """What a made-up run consists of; compounds are numbers, which stand for InChIKeys in every run."""

    compounds: tuple[int, ...] = tuple(range(N_COMPOUNDS))
    prefix: str = "C"
    settings: dict[str, Any] = field(default_factory=dict)
    mrr: float = 0.4
    table: str = "same table"
    torch: str = "2.6"
    code_seed: int = 0
    probe: float = 0.6
    library_size: int = 12
    n_seeds: int = 1


def key_of(compound: int) -> str:
    return f"{'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[compound]:A<14}-UHFFFAOYSA-N"


def write_run(folder: Path, run: Run) -> Path:
    ids = [f"{run.prefix}{number}" for number in run.compounds]
    molecules = pd.DataFrame(
        {
            keys.COMPOUND_ID: ids,
            keys.NAME: [f"drug {n}" for n in run.compounds],
            keys.INCHIKEY: map(key_of, run.compounds),
        }
    )
    empty = pd.DataFrame({keys.COMPOUND_ID: [], "reason": []})
    write_table(folder / "standardize_molecules/molecules.tsv", molecules)
    write_table(folder / "standardize_molecules/rejected.tsv", empty)
    write_table(folder / "pair_and_split/folds.tsv", molecules[[keys.COMPOUND_ID]])
    write_table(folder / "pair_and_split/excluded_compounds.tsv", empty)
    write_table(folder / "pair_and_split/excluded_wells.tsv", empty)
    write_table(folder / "assemble_profiles/dropped_features.tsv", empty)
    _write_codes(folder, run, ids)
    for fold in FOLDS:
        write_table(folder / f"evaluate_retrieval/fold~{fold}/queries.parquet", _queries(run, ids, fold))
    _write_summaries(folder, run)
    screen = parse_screen({"screen": "made-up", "simulate_screen": {}} | run.settings, "test")
    artifact = {"versions": {"dssl": "0.1.0", "torch": run.torch}, "parameters": {}, "made_from": [], "seed": None}
    name = "results/made-up/"
    artifacts = [
        artifact
        | {"path": f"{name}simulate_screen/P1.csv", "rule": "simulate_screen", "role": "plates", "sha256": run.table},
        artifact | {"path": f"{name}report.html", "rule": "report", "role": "html", "sha256": "0"},
    ]
    artifacts[1]["parameters"] = {"screen": screen.model_dump(mode="json")}
    content = {"screen": "made-up", "licence": "CC0", "artifacts": artifacts, "sources": []}
    write_json(folder / "manifest.json", content)
    return folder


def _queries(run: Run, ids: list[str], fold: str) -> pd.DataFrame:
    rows = []
    for number, (identifier, compound) in enumerate(zip(ids, run.compounds, strict=True)):
        if number % 2 != int(fold):
            continue
        for method, shift in (("dssl", run.mrr), ("random", 0.1)):
            # a spread over compounds that is the same in every run
            score = shift + 0.01 * np.sin(compound)
            values = {"top_1": 0.0, "top_10": 1.0, "mrr": score, "mean_normalized_rank": 0.5 - score / 2}
            labels = {"method": method, "level": "compound", "direction": "phenotype_to_molecule", "library": "whole"}
            chances = {f"chance_{name}": 1 / run.library_size for name in values}
            head = {"query": identifier, keys.COMPOUND_ID: identifier, "fold": fold, "library_size": run.library_size}
            rows.append(head | labels | values | chances)
    return pd.DataFrame(rows)


def _write_codes(folder: Path, run: Run, ids: list[str]) -> None:
    rows = list(run.compounds)
    for fold in (*FOLDS, keys.FULL_FOLD):
        for level in ("compounds", "molecules"):
            # rows of all compounds are drawn, so that a compound has its code whichever others are there
            rng = np.random.default_rng([run.code_seed, fold == keys.FULL_FOLD, level == "molecules"])
            obs = pd.DataFrame({keys.COMPOUND_ID: ids}, index=ids)
            adata = anndata.AnnData(np.zeros((len(ids), 1), np.float32), obs=obs)
            for key in (keys.X_SHARED, keys.X_SPECIFIC):
                codes = rng.normal(size=(26, 8)).astype(np.float32)[rows]
                adata.obsm[key] = np.tile(codes, (1, run.n_seeds))
            adata.uns[keys.CODE_SIZES], adata.uns[keys.CODE_KINDS] = [8] * run.n_seeds, [0] * run.n_seeds
            (folder / f"embed_screen/fold~{fold}").mkdir(parents=True, exist_ok=True)
            adata.write_h5ad(folder / f"embed_screen/fold~{fold}/{level}.h5ad")
        write_table(folder / f"embed_screen/fold~{fold}/wells.csv.gz", pd.DataFrame({"id": ids}))


def _write_summaries(folder: Path, run: Run) -> None:
    folds = pd.DataFrame({"fold": list(FOLDS), "chance": 0.1, "p_value": 0.01})
    probes = folds.assign(
        level="compound", code="shared_phenotype", column="mechanism", score_name="balanced_accuracy"
    ).assign(score=[run.probe, run.probe + 0.02])
    write_table(folder / "summarize_folds/probes.tsv", probes)
    dependence = folds.assign(code_a="shared_phenotype", code_b="shared_molecule", measure="hsic", value=0.5)
    write_table(folder / "summarize_folds/dependence.tsv", dependence)
    leakage = folds.assign(code="specific", alignment="raw", direction="phenotype_to_molecule", mrr=0.1)
    write_table(folder / "summarize_folds/leakage.tsv", leakage)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Writes a run that differs from the standard one as given, and returns its folder."""

    def made(name: str, **changes: Any) -> Path:
        return write_run(tmp_path / name, replace(Run(), **changes))

    return made
