"""`snakemake new_data`: the trained model of a finished screen on what its YAML names."""

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pandas as pd
import yaml

from dssl.io import read_json

Run = Callable[..., "CompletedProcess[str]"]
PLATE = "results/tiny/simulate_screen/plates/map01_rep1.csv.gz"
NEW = {
    "library": {"molecules": {"table": "library.csv", "compound_id": "ID", "smiles": "SMILES"}},
    "controls": {"compounds": ["DSSL-0001"], "library": "library"},
    "again": {"plates": [PLATE]},
}


def with_new_data(folder: Path, content: dict[str, Any], new: dict[str, Any]) -> Path:
    (folder / "more.yaml").write_text(yaml.safe_dump({**content, "new_data": new}))
    return folder


def test_new_data_are_embedded_and_ranked_without_training_again(
    tiny: Path, tiny_content: dict[str, Any], tmp_path: Path, snakemake: Run
) -> None:
    folder = shutil.copytree(tiny, tmp_path / "tiny", symlinks=True)
    pd.DataFrame({"ID": ["a", "b"], "SMILES": ["CCOC(=O)c1ccccc1", "wrong"]}).to_csv(
        folder / "library.csv", index=False
    )
    run = snakemake(with_new_data(folder, tiny_content, NEW), "new_data", "--configfile", "more.yaml")
    assert run.returncode == 0, run.stderr[-4000:]
    results = folder / "results/tiny/new_data"
    hits = pd.read_csv(results / "controls/query/hits.tsv", sep="\t")
    assert hits[["query", "item"]].to_numpy().tolist() == [["DSSL-0001", "a"]]
    assert list(pd.read_csv(results / "library/embed/rejected.tsv", sep="\t")["input_id"]) == ["b"]
    assert (results / "again/embed/wells.h5ad").exists()
    assert pd.read_csv(results / "again/query/hits.tsv", sep="\t")["query"].nunique() > 10
    record = read_json(results / "library/embed.json")
    assert {Path(file["path"]).name for file in record["outputs"]["out"]} >= {"molecules.h5ad", "neighbors.tsv.gz"}
    assert not (results / "library/query").exists()


def test_a_library_that_is_not_there_is_named(empty: Path, tiny_content: dict[str, Any], snakemake: Run) -> None:
    new = {"controls": {"compounds": ["DSSL-0001"], "library": "nothing"}}
    run = snakemake(with_new_data(empty, tiny_content, new), "new_data", "--dry-run", "--configfile", "more.yaml")
    assert run.returncode != 0
    assert "new_data.controls.library: 'nothing' is not another entry of new_data; it has controls" in (
        run.stdout + run.stderr
    )
