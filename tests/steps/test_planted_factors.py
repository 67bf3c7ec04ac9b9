"""The demonstration screen through every step: each planted factor is found in the right code, not in the wrong ones."""

from pathlib import Path

import pandas as pd
import pytest

from dssl.settings.evaluation import EvaluateDisentanglementSettings
from dssl.settings.screen import load_screen
from dssl.steps.evaluation import evaluate_disentanglement
from dssl.steps.inputs import simulate_screen
from dssl.steps.lists import list_plates
from dssl.steps.molecules import featurize_molecules, standardize_molecules
from dssl.steps.pairs import fit_preprocessing, pair_and_split
from dssl.steps.phenotypes import assemble_profiles, normalize_plate
from dssl.steps.training import train_shared, train_specific

CONFIG = Path(__file__).parents[2] / "config/config.yaml"
BETA, LAM, SEED, FOLD = 0.012, 1.0, 0, "0"


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at, screen = tmp_path_factory.mktemp("planted"), load_screen(CONFIG)
    names = screen.simulate_screen.plate_names()
    tables = [at / f"{name}.csv.gz" for name in names]
    simulate_screen(
        settings=screen.simulate_screen,
        molecules=at / "molecules_raw.tsv",
        plates=tables,
        truth_wells=at / "truth_wells.tsv",
        truth_compounds=at / "truth_compounds.tsv",
    )
    standardize_molecules(
        settings=screen.standardize_molecules,
        columns=screen.molecules,
        table=at / "molecules_raw.tsv",
        molecules=at / "molecules.tsv",
        aliases=at / "aliases.tsv",
        rejected=at / "rejected.tsv",
        merged=at / "merged.tsv",
        changed=at / "changed.tsv",
    )
    featurize_molecules(
        settings=screen.featurize_molecules, molecules=at / "molecules.tsv", features=at / "features.h5ad"
    )
    for table, name in zip(tables, names, strict=True):
        normalize_plate(
            settings=screen.normalize_plate,
            plates=screen.plates,
            table=table,
            plate_list=None,
            metadata=None,
            profiles=at / f"{name}.h5ad",
            quality=at / f"{name}.tsv",
        )
    list_plates(
        settings=screen.list_files,
        tables=tables,
        profiles=[at / f"{name}.h5ad" for name in names],
        quality=[at / f"{name}.tsv" for name in names],
        plates=at / "plates.tsv",
    )
    assemble_profiles(
        settings=screen.assemble_profiles,
        plates=[at / "plates.tsv"],
        annotation=None,
        profiles=at / "profiles.h5ad",
        dropped_features=at / "dropped.tsv",
        state=at / "assembled.safetensors",
    )
    pair_and_split(
        settings=screen.pair_and_split,
        profiles=at / "profiles.h5ad",
        features=at / "features.h5ad",
        aliases=at / "aliases.tsv",
        pairs=at / "pairs.h5mu",
        folds=at / "folds.tsv",
        well_folds=at / "well_folds.tsv",
        excluded_wells=at / "excluded_wells.tsv",
        excluded_compounds=at / "excluded_compounds.tsv",
    )
    fit_preprocessing(
        settings=screen.fit_preprocessing,
        pairs=at / "pairs.h5mu",
        fold=FOLD,
        state=at / "state.safetensors",
        inputs=at / "inputs.h5mu",
    )
    run = {"inputs": at / "inputs.h5mu", "seed": str(SEED), "checkpoint": at / "checkpoint"}
    train_shared(
        settings=screen.train_shared,
        beta=BETA,
        model=at / "shared.safetensors",
        history=at / "shared.jsonl",
        metrics=at / "shared.json",
        **run,
    )
    train_specific(
        settings=screen.train_specific,
        shared=at / "shared.safetensors",
        lam=LAM,
        model=at / "model.safetensors",
        history=at / "specific.jsonl",
        metrics=at / "specific.json",
        **run,
    )
    evaluate_disentanglement(
        settings=EvaluateDisentanglementSettings(n_permutations=100),
        pairs=at / "pairs.h5mu",
        state=at / "state.safetensors",
        models=[at / "model.safetensors"],
        sweep_models=[at / "shared.safetensors"],
        well_table=at / "truth_wells.tsv",
        compound_table=at / "truth_compounds.tsv",
        fold=FOLD,
        probes=at / "probes.tsv",
        dependence=at / "dependence.tsv",
        information=at / "information.tsv",
        attribution=at / "attribution.tsv",
        leakage=at / "leakage.tsv",
    )
    return at


@pytest.fixture(scope="module")
def probes(measured: Path) -> pd.Series:
    return pd.read_csv(measured / "probes.tsv", sep="\t").set_index(["level", "column", "code"])["score"].sort_index()


@pytest.mark.parametrize("factor", ["shared_1", "shared_2"])
@pytest.mark.parametrize("modality", ["phenotype", "molecule"])
def test_shared_factors_are_in_the_shared_codes(probes: pd.Series, factor: str, modality: str) -> None:
    in_shared = probes["compound", factor, f"shared_{modality}"]
    in_specific = probes["compound", factor, f"specific_{modality}"]
    assert in_shared > 0.35
    assert in_specific < in_shared - 0.2


def test_the_molecules_own_factor_is_in_its_specific_code_only(probes: pd.Series) -> None:
    scores = probes["compound", "molecule_only"]
    assert scores["specific_molecule"] > 0.35
    assert scores[["shared_molecule", "shared_phenotype", "specific_phenotype"]].max() < 0.12


def test_the_cell_state_is_in_the_specific_code_of_the_phenotype(probes: pd.Series) -> None:
    scores = probes["compound", "cell_state"]
    assert scores["specific_phenotype"] > 0.35
    assert scores["shared_phenotype"] < scores["specific_phenotype"] - 0.15
    assert scores[["shared_molecule", "specific_molecule"]].max() < 0.12


def test_plate_factors_stay_out_of_the_shared_code(probes: pd.Series) -> None:
    for factor in ("plate_effect", "edge_effect"):
        scores = probes["well", factor]
        assert scores["shared_phenotype"] < scores["specific_phenotype"] - 0.15


def test_specific_codes_as_they_are_find_no_partner_across_modalities(measured: Path) -> None:
    leakage = pd.read_csv(measured / "leakage.tsv", sep="\t")
    specific = leakage[(leakage["code"] == "specific") & (leakage["alignment"] == "raw")]
    assert len(specific) == 2
    assert (specific["ci_low"] < specific["chance"]).all()
