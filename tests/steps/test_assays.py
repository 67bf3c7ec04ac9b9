"""Three modalities of one planted screen, of which most compounds lack an assay: from wells to the retrieval of all pairs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from dssl import keys
from dssl.io import write_anndata, write_table
from dssl.pairs.splits import assign_folds, assign_groups
from dssl.pairs.storage import as_mudata, read_pairs, write_pairs
from dssl.plan import ASSAY_PAIRS, assay_subsets, pair_name
from dssl.settings.baselines import TrainBaselineSettings
from dssl.settings.evaluation import EvaluateRetrievalSettings
from dssl.settings.learning import OptimizerSettings, RunSettings, TrainAssaysSettings, TrainSharedSettings
from dssl.settings.preparation import FitPreprocessingSettings, PairAndSplitSettings
from dssl.steps.assays import evaluate_assays, fit_assays, join_assays, summarize_assays, train_assays
from dssl.steps.joined_assays import compounds_with, multimodal_data, prepare, profiles_of

SPLIT = PairAndSplitSettings(split="skeleton", n_folds=2, refit=False, validation_fraction=0.2)
SHARED = TrainSharedSettings(optimizer=OptimizerSettings(epochs=40, batch_size=256), run=RunSettings(device="cpu"))
EVALUATE = EvaluateRetrievalSettings(n_bootstrap=200, n_permutations=200)
N_BOTH, N_FIRST, N_SECOND, N_NEITHER = 60, 40, 80, 3
N = N_BOTH + N_FIRST + N_SECOND + N_NEITHER


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of the steps before: a factor of four dimensions lies in all three modalities, and noise in each."""
    folder, rng = tmp_path_factory.mktemp("planted"), np.random.default_rng(0)
    ids = np.array([f"c{row:03}" for row in range(N)])
    has_first = np.arange(N) < N_BOTH + N_FIRST
    has_second = (np.arange(N) < N_BOTH) | ((np.arange(N) >= N_BOTH + N_FIRST) & (np.arange(N) < N - N_NEITHER))
    factor = rng.normal(size=(N, 4))
    maps = {name: rng.normal(size=(4, 20)) for name in ("molecule", "phenotype", "second")}

    def seen(name: str, rows: np.ndarray) -> np.ndarray:
        return (factor[rows] @ maps[name] + 0.5 * rng.normal(size=(len(rows), 20))).astype(np.float32)

    obs = pd.DataFrame({"name": ids, "smiles": "C", "skeleton": ids, "scaffold": ""}, index=ids)
    var = pd.DataFrame({keys.FEATURIZER: "rdkit_descriptors"}, index=[f"d{k}" for k in range(20)])
    write_anndata(folder / "features.h5ad", AnnData(sparse.csr_matrix(seen("molecule", np.arange(N))), obs, var), {})
    second_rows, first_rows = np.flatnonzero(has_second), np.repeat(np.flatnonzero(has_first), 2)
    genes = pd.DataFrame({keys.FEATURIZER: keys.SECOND_ASSAY}, index=[f"g{k}" for k in range(20)])
    write_anndata(folder / "second.h5ad", AnnData(seen("second", second_rows), obs.iloc[second_rows], genes), {})
    wells = pd.DataFrame(
        {
            keys.PLATE: "P",
            keys.WELL: [f"w{k}" for k in range(len(first_rows))],
            keys.BATCH: "B",
            keys.COMPOUND_ID: ids[first_rows],
            keys.DOSE_UM: 10.0,
            keys.IS_CONTROL: False,
            keys.QC_MISSING: False,
            keys.QC_DEAD: False,
        },
        index=[f"P:w{k}" for k in range(len(first_rows))],
    )
    features = pd.DataFrame(index=[f"f{k}" for k in range(20)])
    write_anndata(folder / "profiles.h5ad", AnnData(seen("phenotype", first_rows), wells, features), {})
    write_table(folder / "aliases.tsv", pd.DataFrame({"input_id": ids, keys.COMPOUND_ID: ids}))
    both = obs[has_first & has_second]
    paired = both.join(assign_folds(assign_groups(both, SPLIT), SPLIT))
    write_pairs(folder / "pairs.h5mu", as_mudata(AnnData(obs=wells.iloc[:1]), AnnData(obs=paired)))
    join_assays(
        settings=SPLIT,
        **{name: folder / f"{name}.h5ad" for name in ("profiles", "features", "second")},
        aliases=folder / "aliases.tsv",
        pairs=folder / "pairs.h5mu",
        assays=folder / "assays.h5mu",
        counts=folder / "counts.tsv",
        excluded_compounds=folder / "excluded.tsv",
    )
    return folder


def fitted(folder: Path, fold: str) -> dict[str, Path]:
    found = {"state": folder / f"{fold}/state.st", "second_state": folder / f"{fold}/second.st"}
    found["inputs"] = folder / f"{fold}/inputs.h5mu"
    fit_assays(settings=FitPreprocessingSettings(), assays=folder / "assays.h5mu", fold=fold, **found)
    return found


@pytest.fixture(scope="module")
def summary(planted: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Retrieval and comparisons of both folds."""
    scored = []
    for fold in ("0", "1"):
        files = fitted(planted, fold)
        models = []
        for subset in assay_subsets():
            models.append(planted / fold / f"{subset}.safetensors")
            train_assays(
                settings=TrainAssaysSettings(),
                shared_settings=SHARED,
                inputs=files["inputs"],
                subset=subset,
                seed=0,
                checkpoint=planted / fold / f"{subset}-checkpoint",
                model=models[-1],
                history=planted / fold / "history.jsonl",
                metrics=planted / fold / "metrics.json",
            )
        # the screen's own model, as if it always put the match first
        tested = compounds_with(read_pairs(files["inputs"]), [keys.PHENOTYPE, keys.SECOND_ASSAY], keys.TEST)
        own = pd.DataFrame({"method": "dssl", "fold": fold, "level": "compound", "library": "whole", "query": tested})
        own[keys.COMPOUND_ID], own["library_size"], own["n_hits"] = tested, len(tested), 1
        metrics = ("top_1", "top_5", "top_10", "top_1pct", "mrr")
        own = own.assign(**{f"{prefix}{name}": 1.0 for name in metrics for prefix in ("", "chance_")})
        own = own.assign(mean_normalized_rank=0.0, chance_mean_normalized_rank=0.5)
        directions = [own.assign(direction=name) for name in ("phenotype_to_molecule", "molecule_to_phenotype")]
        write_table(planted / fold / "own.parquet", pd.concat(directions))
        scored.append({name: planted / fold / f"{name}.parquet" for name in ("queries", "permutations")})
        evaluate_assays(
            settings=EVALUATE,
            controls=TrainBaselineSettings(methods=["random", "pls", "kernel_ridge_descriptors", "nearest_neighbor"]),
            assays=planted / "assays.h5mu",
            models=models,
            screen_queries=planted / fold / "own.parquet",
            fold=fold,
            tuning=planted / fold / "tuning.tsv",
            **files,
            **scored[-1],
        )
    out = {name: planted / f"{name}.tsv" for name in ("retrieval", "comparisons")}
    summarize_assays(
        settings=EVALUATE,
        queries=[each["queries"] for each in scored],
        permutations=[each["permutations"] for each in scored],
        **out,
    )
    retrieval, comparisons = (pd.read_csv(path, sep="\t") for path in out.values())
    return retrieval, comparisons


def test_every_compound_with_an_assay_is_there_and_the_others_are_listed(planted: Path) -> None:
    joined = read_pairs(planted / "assays.h5mu")
    assert joined[keys.MOLECULE].n_obs == N - N_NEITHER
    assert joined[keys.SECOND_ASSAY].n_obs == N_BOTH + N_SECOND
    assert joined[keys.PHENOTYPE].n_obs == 2 * (N_BOTH + N_FIRST)
    listed = pd.read_csv(planted / "excluded.tsv", sep="\t")
    assert listed[keys.COMPOUND_ID].tolist() == [f"c{row:03}" for row in range(N - N_NEITHER, N)]
    assert set(listed["reason"]) == {"no profile in either assay"}


def test_who_is_held_out_is_held_out_of_all_modalities(planted: Path) -> None:
    inputs = prepare(read_pairs(planted / "assays.h5mu"), "0", FitPreprocessingSettings()).inputs
    roles = inputs[keys.MOLECULE].obs[keys.SPLIT].astype(str)
    for modality in (keys.PHENOTYPE, keys.SECOND_ASSAY):
        obs = inputs[modality].obs
        assert (roles.loc[obs[keys.COMPOUND_ID].astype(str)].to_numpy() == obs[keys.SPLIT].astype(str)).all()
    both = roles.to_numpy() == keys.TRAIN
    sizes = {
        "all": int(both.sum()),
        "complete": int(both[:N_BOTH].sum()),
        "phenotype-molecule": int(both[: N_BOTH + N_FIRST].sum()),
        "second_assay-molecule": int(both[:N_BOTH].sum() + both[N_BOTH + N_FIRST :].sum()),
        "phenotype-second_assay": int(both[:N_BOTH].sum()),
    }
    assert {name: multimodal_data(inputs, name, keys.TRAIN).n_rows for name in assay_subsets()} == sizes
    data = multimodal_data(inputs, "all", keys.TRAIN)
    assert int(data.present[keys.SECOND_ASSAY].sum()) == sizes["second_assay-molecule"]


def test_nothing_is_fitted_on_held_out_compounds(planted: Path) -> None:
    mdata = read_pairs(planted / "assays.h5mu")
    before = prepare(mdata, "0", FitPreprocessingSettings())
    tested = (mdata[keys.MOLECULE].obs["fold_0"].astype(str) != keys.TRAIN).to_numpy()
    names = mdata[keys.MOLECULE].obs_names[tested]
    for modality, rows in (
        (keys.MOLECULE, tested),
        (keys.PHENOTYPE, mdata[keys.PHENOTYPE].obs[keys.COMPOUND_ID].isin(names).to_numpy()),
        (keys.SECOND_ASSAY, mdata[keys.SECOND_ASSAY].obs_names.isin(names)),
    ):
        factors = np.where(rows, 1000.0, 1.0).astype(np.float32)
        mdata[modality].X = (
            sparse.csr_matrix(mdata[modality].X.multiply(factors[:, None]))
            if sparse.issparse(mdata[modality].X)
            else mdata[modality].X * factors[:, None]
        )
    after = prepare(mdata, "0", FitPreprocessingSettings())
    for name in ("phenotype", "second"):
        np.testing.assert_array_equal(getattr(before, name).components, getattr(after, name).components)
    for name in ("molecule", "second_as_descriptors"):
        np.testing.assert_array_equal(getattr(before, name).scaling.mean, getattr(after, name).scaling.mean)


def value(retrieval: pd.DataFrame, **chosen: str) -> pd.DataFrame:
    rows = (retrieval["fold"] == "all") & (retrieval["metric"] == "mrr")
    for column, wanted in chosen.items():
        rows &= retrieval[column] == wanted
    return retrieval[rows]


@pytest.mark.parametrize("pair", ASSAY_PAIRS, ids=pair_name)
def test_the_planted_factor_is_found_in_every_pair_and_direction(
    summary: tuple[pd.DataFrame, pd.DataFrame], pair: tuple[str, str]
) -> None:
    retrieval, _ = summary
    n = {"phenotype-molecule": N_BOTH + N_FIRST, "second_assay-molecule": N_BOTH + N_SECOND}.get(
        pair_name(pair), N_BOTH
    )
    methods = {"all_compounds", "pair_alone", "kernel_ridge_descriptors", "pls"}
    for direction in (f"{pair[0]}_to_{pair[1]}", f"{pair[1]}_to_{pair[0]}"):
        for method in methods:
            (row,) = value(retrieval, pair=pair_name(pair), direction=direction, method=method).to_dict("records")
            assert row["value"] > 2.5 * row["chance"], (method, row)
            assert row["p_value"] < 0.01
            assert row["n_compounds"] == n
            assert row["library_size"] == pytest.approx(n / 2)
            # one match among n / 2: the mean of 1 / rank under random order
            assert row["chance"] == pytest.approx(np.mean(1 / np.arange(1, n / 2 + 1)), rel=0.02)
        (random,) = value(retrieval, pair=pair_name(pair), direction=direction, method="random").to_dict("records")
        assert random["ci_low"] < 2 * random["chance"]


def test_every_pair_has_the_methods_that_it_can_have(summary: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    retrieval, comparisons = summary
    # no fingerprints were planted, so that the most similar molecules cannot be told
    common = {"all_compounds", "pair_alone", "random", "pls", "kernel_ridge_descriptors"}
    found = {pair: set(group["method"]) for pair, group in retrieval.groupby("pair")}
    both = pair_name((keys.PHENOTYPE, keys.SECOND_ASSAY))
    assert found == {
        pair_name(pair): common | ({"complete_compounds", "dssl"} if pair_name(pair) == both else set())
        for pair in ASSAY_PAIRS
    }
    assert set(comparisons["method_a"]) == {"all_compounds", "complete_compounds"}
    assert (comparisons["p_holm"] >= comparisons["p_value"]).all()


def test_compounds_are_compared_as_they_were_scored(summary: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    retrieval, comparisons = summary
    for row in comparisons[comparisons["metric"] == "mrr"].to_dict("records"):
        means = [
            value(retrieval, pair=row["pair"], method=row[name])["value"].mean() for name in ("method_a", "method_b")
        ]
        assert row["difference"] == pytest.approx(means[0] - means[1], abs=1e-9)


def test_profiles_are_the_means_of_the_named_compounds(planted: Path) -> None:
    inputs = prepare(read_pairs(planted / "assays.h5mu"), "0", FitPreprocessingSettings()).inputs
    wells = inputs[keys.PHENOTYPE]
    values, obs = profiles_of(inputs, keys.PHENOTYPE, ["c009", "c001"])
    assert obs.index.tolist() == ["c009", "c001"]
    for row, name in zip(values, ["c009", "c001"], strict=True):
        own = np.asarray(wells.X)[(wells.obs[keys.COMPOUND_ID] == name).to_numpy()]
        np.testing.assert_allclose(row, own.sum(axis=0) / 2, rtol=1e-5)
