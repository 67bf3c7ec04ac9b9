"""What the test folds say, against the obvious computation from their embeddings."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator
from scipy.stats import rankdata

from dssl.io import read_anndata
from tests.steps.new_data.conftest import Trained


def held_out(trained: Trained, fold: str) -> tuple[AnnData, AnnData]:
    """Profiles and molecules of a fold's test compounds, in the same order."""
    folder = trained.embedded.parent / fold
    profiles, molecules = (read_anndata(folder / f"{level}.h5ad") for level in ("compounds", "molecules"))
    names = list(molecules.obs_names[molecules.obs["split"] == "test"])
    return profiles[names], molecules[names]


def test_performance_is_that_of_the_held_out_compounds(trained: Trained) -> None:
    table = pd.read_csv(trained.model / "performance.tsv", sep="\t")
    reciprocal: dict[str, list[float]] = {"phenotype_to_molecule": [], "molecule_to_phenotype": []}
    for fold in ("0", "1"):
        profiles, molecules = held_out(trained, fold)
        scores = profiles.obsm["X_shared"] @ molecules.obsm["X_shared"].T
        for direction, matrix in zip(reciprocal, (scores, scores.T), strict=True):
            reciprocal[direction] += [1 / rankdata(-row)[place] for place, row in enumerate(matrix)]
    for direction, values in reciprocal.items():
        chosen = table[(table["direction"] == direction) & (table["metric"] == "mrr")].set_index("applicability")
        assert chosen.loc["all", "value"] == pytest.approx(np.mean(values), abs=1e-3)
        assert chosen.loc["all", "n_compounds"] == len(values) == chosen.drop("all")["n_compounds"].sum()


def test_similarities_of_held_out_compounds_are_to_the_training_compounds_of_their_fold(trained: Trained) -> None:
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    nearest = []
    for fold in ("0", "1"):
        obs = read_anndata(trained.embedded.parent / fold / "molecules.h5ad").obs
        prints = [generator.GetFingerprint(Chem.MolFromSmiles(text)) for text in obs["smiles"]]
        training = [each for each, role in zip(prints, obs["split"], strict=True) if role == "train"]
        tested = [each for each, role in zip(prints, obs["split"], strict=True) if role == "test"]
        nearest += [max(DataStructs.TanimotoSimilarity(one, other) for other in training) for one in tested]
    table = pd.read_csv(trained.model / "held_out.tsv", sep="\t")
    found = table.loc[table["measure"] == "nearest_tanimoto", "value"]
    np.testing.assert_allclose(found, np.sort(nearest))


def test_every_level_is_calibrated(trained: Trained) -> None:
    table = pd.read_csv(trained.model / "calibration.tsv", sep="\t")
    assert list(table["level"].unique()) == ["well", "treatment", "compound"]
    n_compounds = sum(held_out(trained, fold)[1].n_obs for fold in ("0", "1"))
    assert (table["n_compounds"] == n_compounds).all()
    assert (table["ratio_low"] <= table["likelihood_ratio"]).all()
    assert (table["likelihood_ratio"] <= table["ratio_high"]).all()
