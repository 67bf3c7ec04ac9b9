"""Held-out plates through the steps: nothing of them is fitted, and known compounds are queried from them alone."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from mudata import MuData
from scipy import sparse

from dssl import keys
from dssl.io import read_anndata
from dssl.pairs.folds import add_folds
from dssl.pairs.pairing import Pairs
from dssl.pairs.storage import as_mudata, read_pairs, write_pairs
from dssl.preprocessing.state import load_state
from dssl.settings.baselines import TrainBaselineSettings
from dssl.settings.evaluation import EvaluateRetrievalSettings
from dssl.settings.preparation import FitPreprocessingSettings, PairAndSplitSettings
from dssl.steps.embeddings import prepare_levels
from dssl.steps.evaluation import train_baseline
from dssl.steps.pairs import cluster_names, fit_preprocessing
from dssl.steps.retrieval import compare_methods, score_fold
from dssl.steps.strata import describe_compounds

N, PLATES = 40, 4
SETTINGS = PairAndSplitSettings(split="plate", known_compounds="queried", n_folds=4, refit=False)
BASELINE = TrainBaselineSettings(
    methods=["random", "nearest_neighbor"], ridge=[1.0], whitening=[0.5], components=[3], neighbors=[1],
    tanimoto_weight=[0.5],
)  # fmt: skip


def make_pairs(poison: bool = False) -> MuData:
    """Every compound on every plate; `poison` ruins all wells that fold 0 tests."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.7, (N, 20))
    counts[:, 0] += 1
    var = pd.DataFrame({keys.FEATURIZER: "morgan_count"}, index=[f"morgan_count:{i}" for i in range(20)])
    ids = [f"c{number:02d}" for number in range(N)]
    obs = pd.DataFrame({keys.GROUP: ids, keys.NAME: ids}, index=ids)
    molecules = AnnData(sparse.csr_matrix(counts.astype(np.float32)), obs=obs, var=var)
    compound, plate = np.tile(np.arange(N), PLATES), np.repeat(np.arange(PLATES), N)
    profiles = np.tanh(counts @ rng.normal(size=(20, 9)))[compound] + 0.2 * rng.normal(size=(N * PLATES, 9))
    wells = pd.DataFrame(
        {keys.COMPOUND_ID: np.array(ids)[compound], keys.PLATE: [f"P{one}" for one in plate], keys.BATCH: "b"},
        index=[f"w{number:03d}" for number in range(N * PLATES)],
    )
    wells = wells.assign(
        **{keys.WELL: wells.index, keys.DOSE_UM: 1.0, keys.TREATMENT: wells[keys.COMPOUND_ID] + "@1uM"}
    )
    phenotype = AnnData(profiles.astype(np.float32), obs=wells, var=pd.DataFrame(index=[f"f{i}" for i in range(9)]))
    paired = add_folds(Pairs(as_mudata(phenotype, molecules), pd.DataFrame(), pd.DataFrame()), SETTINGS).mdata
    if poison:
        paired[keys.PHENOTYPE].X[(paired[keys.PHENOTYPE].obs["fold_0"] == keys.TEST).to_numpy()] = 1e4
    return paired


def run(folder: Path, mdata: MuData) -> Path:
    names = {"pairs": "pairs.h5mu", "state": "state.safetensors", "inputs": "inputs.h5mu"}
    paths = {name: folder / file for name, file in names.items()}
    write_pairs(paths["pairs"], mdata)
    fit_preprocessing(settings=FitPreprocessingSettings(), fold="0", **paths)
    train_baseline(settings=BASELINE, molecules=folder / "molecules.h5ad", tuning=folder / "tuning.tsv", **paths)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("wells"), make_pairs())


def test_wells_of_held_out_plates_change_nothing_that_is_fitted(made: Path, tmp_path: Path) -> None:
    poisoned = run(tmp_path, make_pairs(poison=True))
    for name in ("state.safetensors", "molecules.h5ad", "tuning.tsv"):
        assert (poisoned / name).read_bytes() == (made / name).read_bytes(), name


def test_inputs_hold_every_compound_once_for_each_role(made: Path) -> None:
    inputs = read_pairs(made / "inputs.h5mu")
    roles = inputs[keys.MOLECULE].obs[keys.SPLIT].astype(str).value_counts().to_dict()
    assert roles == {keys.TRAIN: N, keys.VALIDATION: N, keys.TEST: N}
    wells = inputs[keys.PHENOTYPE].obs
    assert wells.groupby(keys.PLATE, observed=True)[keys.SPLIT].nunique().eq(1).all()
    assert list(read_anndata(made / "molecules.h5ad").obs_names) == list(inputs[keys.MOLECULE].obs_names)


def embedded(made: Path) -> dict[str, AnnData]:
    """Levels with the profiles' own values as codes, for molecules those of their compound's training wells."""
    levels = prepare_levels(read_pairs(made / "pairs.h5mu"), load_state(made / "state.safetensors"), "0")
    uns = {keys.CODE_SIZES: [9], keys.CODE_KINDS: [0]}
    found = {name: AnnData(level.values, obs=level.obs, uns=uns) for name, level in levels.items()}
    compounds = found["compounds"]
    trained = compounds[(compounds.obs[keys.SPLIT].astype(str) == keys.TRAIN).to_numpy()]
    ids = found["molecules"].obs[keys.ORIGINAL_ID].astype(str)
    known = pd.DataFrame(trained.X, index=trained.obs[keys.COMPOUND_ID].astype(str)).loc[ids].to_numpy()
    for name, adata in found.items():
        adata.obsm[keys.X_SHARED] = known if name == "molecules" else adata.X
    return found


def test_known_compounds_are_found_again_under_their_own_names(made: Path) -> None:
    levels = embedded(made)
    phenotypes = {"well": levels["wells"], "compound": levels["compounds"]}
    settings = EvaluateRetrievalSettings(n_bootstrap=100, n_permutations=100)
    baselines = read_anndata(made / "molecules.h5ad")
    scored, null = score_fold(phenotypes, levels["molecules"], baselines, [], "0", settings)
    assert set(scored["compound_id"]) == {f"c{number:02d}" for number in range(N)}
    assert set(scored["library_size"]) == {N}
    assert set(null["n_compounds"]) == {N}
    found = scored[scored["level"] == "compound"].groupby("method")["mrr"].mean()
    assert found["dssl"] > 0.8 > 0.3 > found["random"]
    compared = compare_methods(scored, settings, np.random.default_rng(0))
    setting = ["level", "direction", "library", "metric"]
    assert len(compared) == 2 * 2 * 2 * 2 * 2
    assert (compared.groupby(setting)["method_b"].agg(sorted).map(tuple) == ("nearest_neighbor", "random")).all()
    for _, block in compared.groupby(setting):
        low, high = sorted(block["p_value"])
        assert sorted(block["p_holm"]) == pytest.approx([min(1, 2 * low), min(1, max(2 * low, high))])


def test_known_compounds_are_described_as_known(made: Path) -> None:
    inputs, pairs = read_pairs(made / "inputs.h5mu"), read_pairs(made / "pairs.h5mu")
    features = pairs[keys.MOLECULE][inputs[keys.MOLECULE].obs[keys.ORIGINAL_ID].astype(str).to_numpy()]
    table = pd.DataFrame({"compound_id": ["c00", "c01"], "active": [True, False]})
    found = describe_compounds(features, inputs, embedded(made)["compounds"], "0", table).set_index("compound_id")
    assert list(found.index) == [f"c{number:02d}" for number in range(N)]
    np.testing.assert_allclose(found["nearest_training_similarity"], 1.0)
    assert found["replicate_correlation"].isna().all()  # one tested well each
    assert found["active"].notna().sum() == 2
    assert found["active"]["c00"]


def test_clusters_are_named_and_bind_equal_molecules(made: Path) -> None:
    molecules = read_pairs(made / "pairs.h5mu")[keys.MOLECULE]
    twice = AnnData(sparse.vstack([molecules.X, molecules.X], format="csr"), var=molecules.var)
    names = cluster_names(twice, 0.3)
    assert names[:N] == names[N:]
    assert 1 < len(set(names)) <= N
