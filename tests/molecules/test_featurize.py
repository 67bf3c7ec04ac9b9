"""Feature blocks against RDKit called one molecule at a time."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from rdkit import Chem
from rdkit.Chem import AllChem, Descriptors, MACCSkeys, rdFingerprintGenerator

from dssl.errors import TableError
from dssl.molecules import parallel
from dssl.molecules.featurize import featurize_molecules
from dssl.settings.preparation import FeaturizeMoleculesSettings

SMILES = [
    "CC(=O)Oc1ccccc1C(=O)O",
    "Cn1c(=O)c2c(ncn2C)n(C)c1=O",
    "CCO",
    "CN1CCN(CC1)Cc1ccc(cc1)C(=O)Nc1ccc(C)c(Nc2nccc(n2)-c2cccnc2)c1",
    "Nc1ccc(cc1)S(=O)(=O)Nc1ncccn1",
]
MOLECULES = pd.DataFrame({"compound_id": [f"c{i}" for i in range(5)], "name": "n", "smiles": SMILES})
EVERY = FeaturizeMoleculesSettings(
    featurizers=[
        "morgan_count", "morgan_bit", "feature_morgan_count", "atom_pair_count", "topological_torsion_count", "maccs",
        "rdkit_descriptors",
    ],
    n_bits=512,
)  # fmt: skip


def block(result: ad.AnnData, name: str) -> np.ndarray:
    return np.asarray(result[:, result.var["featurizer"] == name].X.toarray())


def folded(explicit: dict[int, int], n_bits: int) -> np.ndarray:
    row = np.zeros(n_bits)
    for bit, count in explicit.items():
        row[bit % n_bits] += count
    return row


def test_fingerprints_equal_rdkits_unhashed_ones_folded_by_hand() -> None:
    result = featurize_molecules(MOLECULES, EVERY)
    makers = {
        "morgan_count": rdFingerprintGenerator.GetMorganGenerator(radius=2),
        "feature_morgan_count": rdFingerprintGenerator.GetMorganGenerator(
            radius=2, atomInvariantsGenerator=rdFingerprintGenerator.GetMorganFeatureAtomInvGen()
        ),
    }
    for name, maker in makers.items():
        counts = block(result, name)
        for row, smiles in zip(counts, SMILES, strict=True):
            sparse = maker.GetSparseCountFingerprint(Chem.MolFromSmiles(smiles)).GetNonzeroElements()
            np.testing.assert_array_equal(row, folded(sparse, 512))
    np.testing.assert_array_equal(block(result, "morgan_bit"), block(result, "morgan_count") > 0)


def test_pair_and_torsion_counts_add_up_to_all_pairs_and_torsions() -> None:
    result = featurize_molecules(MOLECULES, EVERY)
    heavy = np.array([Chem.MolFromSmiles(smiles).GetNumHeavyAtoms() for smiles in SMILES])
    np.testing.assert_array_equal(block(result, "atom_pair_count").sum(axis=1), heavy * (heavy - 1) / 2)
    sums = block(result, "topological_torsion_count").sum(axis=1)
    unhashed = [
        sum(AllChem.GetTopologicalTorsionFingerprint(Chem.MolFromSmiles(smiles)).GetNonzeroElements().values())
        for smiles in SMILES
    ]
    np.testing.assert_array_equal(sums, unhashed)


def test_maccs_and_descriptors_equal_rdkit() -> None:
    result = featurize_molecules(MOLECULES, EVERY)
    names = result.var_names[result.var["featurizer"] == "maccs"]
    assert (names[0], names[-1]) == ("maccs:1", "maccs:166")
    for row, smiles in zip(block(result, "maccs"), SMILES, strict=True):
        assert (np.flatnonzero(row) + 1).tolist() == list(
            MACCSkeys.GenMACCSKeys(Chem.MolFromSmiles(smiles)).GetOnBits()
        )
    of_estates = ("MaxAbsEStateIndex", "MaxEStateIndex", "MinAbsEStateIndex", "MinEStateIndex")
    for name in ("MolWt", "MolLogP", "TPSA", "NumHDonors", "qed", *of_estates):
        expected = [getattr(Descriptors, name)(Chem.MolFromSmiles(smiles)) for smiles in SMILES]
        actual = result[:, f"rdkit_descriptors:{name}"].X.toarray().ravel()
        np.testing.assert_allclose(actual, expected, rtol=1e-6)
    assert "rdkit_descriptors:Ipc" not in result.var_names
    assert "rdkit_descriptors:AvgIpc" in result.var_names


def test_the_annotated_matrix() -> None:
    result = featurize_molecules(MOLECULES, EVERY)
    assert sp.issparse(result.X)
    assert result.X.format == "csr"
    assert result.X.dtype == np.float32
    assert result.obs_names.tolist() == MOLECULES["compound_id"].tolist()
    assert result.var_names.is_unique
    assert list(dict.fromkeys(result.var["featurizer"])) == EVERY.featurizers
    assert result.n_vars == 5 * 512 + 166 + len(Descriptors.descList) - 1
    assert result.uns["undefined_descriptors"].empty


def test_undefined_descriptors_are_zero_counted_and_listed(caplog: pytest.LogCaptureFixture) -> None:
    complex_and_ethanol = MOLECULES.iloc[[2, 3]].assign(smiles=["N[Pt](N)(Cl)Cl", "CCO"], compound_id=["Pt", "EtOH"])
    settings = FeaturizeMoleculesSettings(featurizers=["rdkit_descriptors"])
    with caplog.at_level(logging.WARNING):
        result = featurize_molecules(complex_and_ethanol, settings)
    assert np.isfinite(result.X.data).all()
    listed = result.uns["undefined_descriptors"].set_index("descriptor")
    assert listed.loc["MaxPartialCharge"].tolist() == [1, "Pt"]
    assert result["Pt", "rdkit_descriptors:MaxPartialCharge"].X.sum() == 0
    assert result["EtOH", "rdkit_descriptors:MaxPartialCharge"].X.sum() != 0
    assert "MaxPartialCharge (1)" in caplog.text


def test_rows_follow_the_table_and_not_the_number_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "CHUNK", 2)
    plain, parallel_run = (featurize_molecules(MOLECULES, EVERY, n_jobs=n_jobs) for n_jobs in (1, 2))
    assert (plain.X != parallel_run.X).nnz == 0
    reverse = featurize_molecules(MOLECULES.iloc[::-1], EVERY)
    np.testing.assert_array_equal(reverse[MOLECULES["compound_id"]].X.toarray(), plain.X.toarray())


def test_the_file_can_be_written_and_read(tmp_path: Path) -> None:
    result = featurize_molecules(MOLECULES, EVERY)
    path = tmp_path / "features.h5ad"
    result.write_h5ad(path)
    assert (ad.read_h5ad(path).X != result.X).nnz == 0


def test_tables_that_were_not_standardised_are_refused() -> None:
    settings = FeaturizeMoleculesSettings(featurizers=["maccs"])
    with pytest.raises(TableError, match="1 repeat: c0"):
        featurize_molecules(MOLECULES.iloc[[0, 0]], settings)
    with pytest.raises(TableError, match="1 cannot be parsed: c0"):
        featurize_molecules(MOLECULES.assign(smiles=["C1CC", *SMILES[1:]]), settings)


OF_PEPTIDES = """
from rdkit import Chem
from dssl.molecules.fingerprints import descriptors_chunk
peptides = [Chem.MolFromSequence(10 * "W"), Chem.MolFromSequence(16 * "F")]
print(descriptors_chunk([Chem.MolToSmiles(peptide) for peptide in peptides]))
"""


def test_descriptors_do_not_depend_on_the_threads_of_a_job() -> None:
    found = []
    for threads in ("1", "2"):
        variables = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        command = [sys.executable, "-c", OF_PEPTIDES]
        found.append(subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stdout)
    assert found[0] == found[1]
