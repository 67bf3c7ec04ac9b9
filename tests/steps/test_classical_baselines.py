from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from mudata import MuData
from scipy import sparse

from dssl import keys
from dssl.baselines.vectors import phenotype_vectors
from dssl.io import read_anndata, read_table
from dssl.pairs.levels import pool
from dssl.pairs.storage import as_mudata, read_pairs, write_pairs
from dssl.preprocessing.state import load_state
from dssl.settings.baselines import TrainBaselineSettings
from dssl.settings.preparation import FitPreprocessingSettings
from dssl.steps.baselines import classical_data
from dssl.steps.evaluation import train_baseline
from dssl.steps.pairs import fit_preprocessing

N, TRAIN, VALIDATION = 60, 34, 13
ROLES = [keys.TRAIN] * TRAIN + [keys.VALIDATION] * VALIDATION + [keys.TEST] * (N - TRAIN - VALIDATION)
NAMES = [f"c{number:02d}" for number in range(N)]


def make_pairs(poison: bool = False) -> MuData:
    """Compounds with two fingerprints and descriptors, two wells each; `poison` ruins all that test wells hold."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.5, (N, 20))
    counts[:, 0] += 1
    descriptors = rng.normal(size=(N, 4)) * [1, 10, 100, 1] + [0, 5, 300, -2]
    blocks = ["morgan_count"] * 12 + ["atom_pair_count"] * 8 + ["rdkit_descriptors"] * 4
    var = pd.DataFrame({keys.FEATURIZER: blocks}, index=[f"{block}:{i}" for i, block in enumerate(blocks)])
    features = sparse.csr_matrix(np.hstack([counts, descriptors]).astype(np.float32))
    molecules = AnnData(features, obs=pd.DataFrame({keys.fold_column("0"): ROLES}, index=NAMES), var=var)
    compound = rng.permutation(np.repeat(np.arange(N), 2))
    profiles = (np.tanh(counts @ rng.normal(size=(20, 9))))[compound] + 0.3 * rng.normal(size=(2 * N, 9))
    cells = np.exp(descriptors[compound, 0]) * 500
    if poison:
        of_test = np.array([ROLES[each] == keys.TEST for each in compound])
        profiles[of_test], cells[of_test] = 1e4, 1.0
    obs = pd.DataFrame(
        {keys.COMPOUND_ID: [NAMES[each] for each in compound], keys.CELL_COUNT: cells},
        index=[f"w{number:03d}" for number in range(2 * N)],
    )
    obs = obs.assign(**{keys.PLATE: "p1", keys.BATCH: "b1", keys.TREATMENT: obs[keys.COMPOUND_ID]})
    wells = AnnData(profiles.astype(np.float32), obs=obs, var=pd.DataFrame(index=[f"f{i}" for i in range(9)]))
    return as_mudata(wells, molecules)


def run(folder: Path, mdata: MuData, max_landmarks: int = 5000) -> Path:
    pairs, state, inputs = folder / "pairs.h5mu", folder / "state.safetensors", folder / "inputs.h5mu"
    write_pairs(pairs, mdata)
    fit_preprocessing(settings=FitPreprocessingSettings(), pairs=pairs, fold="0", state=state, inputs=inputs)
    outputs = {"molecules": folder / "molecules.h5ad", "tuning": folder / "tuning.tsv"}
    settings = TrainBaselineSettings(max_landmarks=max_landmarks)
    train_baseline(settings=settings, pairs=pairs, state=state, inputs=inputs, **outputs)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("clean"), make_pairs())


def test_the_file_holds_both_sides_of_every_control(made: Path) -> None:
    """Maps survive the file: with them, held-out profiles of every control are comparable with its molecules."""
    found, tuning = read_anndata(made / "molecules.h5ad"), read_table(made / "tuning.tsv")
    assert list(found.obs_names) == NAMES
    assert set(found.obsm) == set(TrainBaselineSettings().methods)
    assert dict(found.uns["skipped"]) == {}
    assert list(found.uns["fingerprints"]) == ["morgan_count", "atom_pair_count"]
    assert len(tuning) == 1 + 9 * 7
    wells = read_pairs(made / "inputs.h5mu")[keys.PHENOTYPE]
    for level in ("well", "compound"):
        profiles, obs = pool(wells.X, wells.obs, level)
        for method in found.obsm:
            vectors = phenotype_vectors(method, profiles, obs, found.uns)
            assert vectors.shape == (len(obs), found.obsm[method].shape[1])
            assert np.isfinite(vectors).all()


def test_scores_in_the_tuning_table_are_those_of_the_files(made: Path) -> None:
    """Recomputed with plain loops from what was written, for the chosen trials."""
    found, tuning = read_anndata(made / "molecules.h5ad"), read_table(made / "tuning.tsv")
    wells = read_pairs(made / "inputs.h5mu")[keys.PHENOTYPE]
    rows = (wells.obs[keys.SPLIT].astype(str) == keys.VALIDATION).to_numpy()
    profiles, obs = pool(wells.X[rows], wells.obs[rows], "compound")
    chosen = tuning[tuning["chosen"]].set_index("method")
    for method in found.obsm:
        phenotype = phenotype_vectors(method, profiles, obs, found.uns).astype(float)
        molecule = found[obs.index].obsm[method].astype(float)
        cosine = np.array([[p @ m / np.linalg.norm(p) / np.linalg.norm(m) for m in molecule] for p in phenotype])
        reciprocal = [
            1 / (1 + sum(matrix[i, j] > matrix[i, i] + 1e-7 for j in range(len(matrix))))
            for matrix in (cosine, cosine.T)
            for i in range(len(matrix))
        ]
        assert chosen.loc[method, "score"] == pytest.approx(np.mean(reciprocal), abs=1e-3), method


def test_profiles_of_test_compounds_change_nothing(made: Path, tmp_path: Path) -> None:
    poisoned = run(tmp_path, make_pairs(poison=True))
    for name in ("molecules.h5ad", "tuning.tsv"):
        assert (poisoned / name).read_bytes() == (made / name).read_bytes(), name


def test_kernels_are_averaged_over_fingerprints_and_scaled_on_training_molecules(made: Path) -> None:
    features = read_pairs(made / "pairs.h5mu")[keys.MOLECULE]
    data, _ = classical_data(features, read_pairs(made / "inputs.h5mu"), load_state(made / "state.safetensors"), 5000)
    train = [NAMES[row] for row in data.train]
    assert sorted(train) == NAMES[:TRAIN]
    values = pd.DataFrame(features.X.toarray().astype(float), index=NAMES)
    scaled = values.loc[:, 20:]
    scaled = ((scaled - scaled.loc[train].mean()) / scaled.loc[train].std(ddof=0)).clip(-5, 5)
    distances = [np.linalg.norm(scaled.loc[a] - scaled.loc[b]) for i, a in enumerate(train) for b in train[:i]]
    for one, other in ((0, 5), (59, 0), (50, 33), (10, 10)):
        a, b = values.loc[NAMES[one]], values.loc[train[other]]
        tanimoto = [np.minimum(a[s], b[s]).sum() / np.maximum(a[s], b[s]).sum() for s in (range(12), range(12, 20))]
        assert data.kernels["tanimoto"][one, other] == pytest.approx(np.mean(tanimoto))
        square = ((scaled.loc[NAMES[one]] - scaled.loc[train[other]]) ** 2).sum()
        assert data.kernels["gaussian"][one, other] == pytest.approx(np.exp(-square / 2 / np.median(distances) ** 2))


def test_mean_profiles_and_cell_counts_are_those_of_the_compounds_wells(made: Path) -> None:
    features, inputs = read_pairs(made / "pairs.h5mu")[keys.MOLECULE], read_pairs(made / "inputs.h5mu")
    data, _ = classical_data(features, inputs, load_state(made / "state.safetensors"), 5000)
    wells = inputs[keys.PHENOTYPE]
    for rows, profiles, obs in (
        (data.train, data.profiles_train, data.obs_train),
        (data.validation, data.profiles_validation, data.obs_validation),
    ):
        for row, profile, count in zip(rows, profiles, obs[keys.CELL_COUNT], strict=True):
            own = (wells.obs[keys.COMPOUND_ID].astype(str) == NAMES[row]).to_numpy()
            np.testing.assert_allclose(profile, wells.X[own].mean(axis=0), atol=1e-6)
            assert count == pytest.approx(wells.obs[keys.CELL_COUNT][own].mean())
    assert len(data.validation) == VALIDATION


def test_of_many_training_compounds_the_regressions_take_landmarks_and_nearest_neighbors_all(
    made: Path, tmp_path: Path
) -> None:
    found, whole = (
        read_anndata(run(tmp_path, make_pairs(), 12) / "molecules.h5ad"),
        read_anndata(made / "molecules.h5ad"),
    )
    assert (found.uns["n_landmarks"], whole.uns["n_landmarks"]) == (12, TRAIN)
    for method in ("nearest_neighbor", "pls", "cca", "random"):
        np.testing.assert_allclose(found.obsm[method], whole.obsm[method], atol=1e-5)
    for method in ("kernel_ridge", "kernel_ridge_descriptors", "kernel_ridge_both", "cell_count"):
        assert np.isfinite(found.obsm[method]).all()
        assert not np.allclose(found.obsm[method], whole.obsm[method], atol=1e-3)


def test_landmarks_are_evenly_spaced_and_blocks_hold_all_training_compounds(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = read_pairs(made / "pairs.h5mu")[keys.MOLECULE], read_pairs(made / "inputs.h5mu")
    state = load_state(made / "state.safetensors")
    whole, _ = classical_data(*opened, state, 5000)
    monkeypatch.setattr("dssl.preprocessing.kernel_components.CELLS_AT_ONCE", 7 * TRAIN)
    few, _ = classical_data(*opened, state, 4)
    places = [0, 11, 22, 33]
    assert few.landmarks.tolist() == whole.train[places].tolist()
    for name, kernel in few.kernels.items():
        np.testing.assert_allclose(kernel, whole.kernels[name][:, places])
    blocks = list(few.similarities())
    assert [len(block) for block in blocks] == [7] * 8 + [4]
    np.testing.assert_allclose(np.concatenate(blocks), whole.kernels["tanimoto"])
