"""The step that describes compounds, where wells are split and a compound occurs once for each of its roles."""

from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

from dssl import keys
from dssl.evaluation.libraries import Pairings
from dssl.evaluation.retrieval import evaluate_embedding
from dssl.io import write_table
from dssl.pairs.storage import as_mudata, write_pairs
from dssl.settings.evaluation import DescribeCompoundsSettings
from dssl.settings.inputs import MoleculeTableSettings
from dssl.steps.describe import describe_compounds, read_compounds

IDS = ["a", "=cmd()", "<script>"]


def test_the_table_of_a_split_of_wells(tmp_path: Path) -> None:
    wells = pd.DataFrame(
        {"compound_id": IDS * 2, "plate": ["P1"] * 3 + ["P2"] * 3, "dose_um": 1.0}, index=list("uvwxyz")
    )
    described = {
        "name": ["a\tb", "c\rd", "\u03b2"],
        "smiles": "C",
        "inchikey": "K",
        "fold_0": ["train|test", "train", "test"],
    }
    molecules = pd.DataFrame(described, index=IDS)
    phenotype, molecule = (
        AnnData(np.zeros((len(obs), 1), np.float32), obs, pd.DataFrame(index=[name]))
        for name, obs in (("x", wells), ("y", molecules))
    )
    write_pairs(tmp_path / "pairs.h5mu", as_mudata(phenotype, molecule))
    embedded = pd.DataFrame({"compound_id": ["<script>", "a", "a (test)"], "original_id": ["<script>", "a", "a"]})
    embedded.index = embedded["compound_id"].tolist()
    AnnData(np.zeros((3, 1), np.float32), embedded).write_h5ad(tmp_path / "compounds.h5ad")
    activity = {
        "compound_id": IDS,
        "mean_average_precision": [1, 0.5, 0.1],
        "q_value": 0.01,
        "active": [True, None, False],
    }
    write_table(tmp_path / "activity.tsv", pd.DataFrame(activity))
    held_out = ["a", "<script>"]
    queries = evaluate_embedding(
        np.eye(2), pd.DataFrame({"compound_id": held_out, "batch": "1"}, index=held_out), np.eye(2), held_out, "compound",
        method="dssl", fold="0", pairings=Pairings(100, np.random.default_rng(0)),
    ).queries  # fmt: skip
    write_table(tmp_path / "queries.parquet", queries)
    similar = {"fold": "0", "compound_id": held_out, "nearest_training_similarity": [1.0, 0.3]}
    write_table(tmp_path / "described.tsv", pd.DataFrame(similar))
    names = {"pairs": "pairs.h5mu", "compounds": "compounds.h5ad", "activity": "activity.tsv", "table": "table.tsv"}
    describe_compounds(
        settings=DescribeCompoundsSettings(),
        columns=MoleculeTableSettings(),
        fold="0",
        queries=[tmp_path / "queries.parquet"],
        described=[tmp_path / "described.tsv"],
        **{name: tmp_path / file for name, file in names.items()},
    )
    table = read_compounds(tmp_path / "table.tsv").set_index("compound_id")
    assert table.index.tolist() == ["<script>", "a"]
    assert table["name"].tolist() == ["\u03b2", "a\tb"]
    assert table["n_wells"].tolist() == table["n_plates"].tolist() == [2, 2]
    assert table[keys.SEEN_IN_HANDOVER_MODEL].tolist() == [False, True]
    assert table[keys.ACTIVE].tolist() == [False, True]
    assert table[keys.NOVEL].tolist() == [True, False]
    assert table[keys.RANK_PHENOTYPE_TO_MOLECULE].tolist() == [1, 1]
    assert (tmp_path / "table.tsv").read_text().count("true") == 5
