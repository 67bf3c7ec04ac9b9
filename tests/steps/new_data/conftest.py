"""A small simulated screen with a trained model, made by the steps in this process."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dssl.plan_new_data import applied_settings
from dssl.settings.screen import ScreenSettings, parse_screen
from dssl.settings.second_assay import SecondAssaySettings
from dssl.steps.inputs import simulate_screen
from dssl.steps.lists import list_plates
from dssl.steps.molecules import featurize_molecules, standardize_molecules
from dssl.steps.pairs import fit_preprocessing, pair_and_split
from dssl.steps.phenotypes import assemble_profiles, normalize_plate
from dssl.steps.second_assay import profile_second_assay
from dssl.steps.trained_model import bundle_model, calibrate_scores
from dssl.steps.training import embed_screen, train_shared, train_specific
from tests.simulated import SIMULATED_PLATES

CONTENT = {
    "screen": "small",
    "simulate_screen": {
        "n_compounds": 30,
        "n_plate_maps": 1,
        "n_replicates": 2,
        "doses_um": [3.0, 10.0],
        "n_features": 60,
    },
    "molecules": {"name": "name", "keep": ["mechanism"]},
    "plates": SIMULATED_PLATES,
    "assemble_profiles": {"sphering": True},
    "pair_and_split": {"n_folds": 2},
    "fit_preprocessing": {"molecule": {"n_components": 16}, "phenotype": {"n_components": 12}},
    "train_shared": {"optimizer": {"epochs": 2}, "run": {"device": "cpu"}},
    "train_specific": {"optimizer": {"epochs": 2}, "run": {"device": "cpu"}},
    "calibrate_scores": {"n_bootstrap": 100},
}
MEMBERS = ("0", "1", "closed_form")
LEVELS = ("wells", "treatments", "compounds", "molecules")


@dataclass(frozen=True)
class Trained:
    """Where a screen's tables, its model and the embeddings of fold `full` lie."""

    settings: ScreenSettings
    molecules: Path
    plates: list[Path]
    model: Path
    embedded: Path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return make_trained(tmp_path_factory.mktemp("screen"), CONTENT)


@pytest.fixture(scope="session")
def trained_on_two(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The same screen with a second assay, whose wells are its own; three of its compounds have other ids there."""
    second = {
        "name": "L1000 signature",
        "molecules": {"table": "second.tsv"},
        "plates": {"tables": ["-"], **SIMULATED_PLATES},
    }
    methods = {"train_baseline": {"methods": ["random"]}}
    return make_trained(tmp_path_factory.mktemp("two"), {**CONTENT, "second_assay": second, **methods})


def make_trained(folder: Path, content: dict[str, Any]) -> Trained:
    """Simulate a screen, run its steps, and keep its model."""
    screen = parse_screen(content, "test")
    assert screen.simulate_screen is not None
    plates = [folder / f"{name}.csv.gz" for name in screen.simulate_screen.plate_names()]
    tables = {name: folder / f"{name}.tsv" for name in ("molecules", "truth_wells", "truth_compounds")}
    simulate_screen(settings=screen.simulate_screen, plates=plates, **tables)
    pairs = _prepare(screen, folder, tables["molecules"], plates)
    for fold in ("0", "1", "full"):
        _train(screen, folder / fold, pairs, fold)
    _keep(screen, folder, pairs)
    return Trained(screen, tables["molecules"], plates, folder / "model", folder / "full")


def _prepare(screen: ScreenSettings, folder: Path, table: Path, plates: list[Path]) -> Path:
    clean = {name: folder / f"clean_{name}.tsv" for name in ("molecules", "aliases", "rejected", "merged", "changed")}
    standardize_molecules(settings=screen.standardize_molecules, columns=screen.molecules, table=table, **clean)
    features, profiles = folder / "features.h5ad", folder / "profiles.h5ad"
    if screen.second_assay is None:
        featurize_molecules(settings=screen.featurize_molecules, molecules=clean["molecules"], features=features)
    else:
        _profile_second(screen.second_assay, folder, table, plates)
    normalized = [folder / f"{path.name.split('.')[0]}.h5ad" for path in plates]
    for path, target in zip(plates, normalized, strict=True):
        normalize_plate(
            settings=screen.normalize_plate,
            plates=screen.plates,
            table=path,
            plate_list=None,
            metadata=None,
            profiles=target,
            quality=folder / "quality.tsv",
        )
    listed = folder / "plates.tsv"
    list_plates(
        settings=screen.list_files,
        tables=plates,
        profiles=normalized,
        quality=[folder / "quality.tsv"] * len(plates),
        plates=listed,
    )
    assemble_profiles(
        settings=screen.assemble_profiles,
        plates=[listed],
        annotation=None,
        profiles=profiles,
        dropped_features=folder / "dropped.tsv",
        state=folder / "assembled.safetensors",
    )
    lists = {name: folder / f"{name}.tsv" for name in ("folds", "well_folds", "excluded_wells", "excluded_compounds")}
    pair_and_split(
        settings=screen.pair_and_split,
        profiles=profiles,
        features=features,
        aliases=clean["aliases"],
        pairs=folder / "pairs.h5mu",
        **lists,
    )
    return folder / "pairs.h5mu"


def _profile_second(settings: SecondAssaySettings, folder: Path, table: Path, plates: list[Path]) -> None:
    names = {"DSSL-0001": "S1", "DSSL-0002": "S2", "DSSL-0003": "S3"}
    molecules = pd.read_csv(table, sep="\t")
    molecules.assign(compound_id=molecules["compound_id"].replace(names)).to_csv(
        folder / "second.tsv", sep="\t", index=False
    )
    (folder / "second").mkdir()
    for path in plates:
        frame = pd.read_csv(path)
        frame.assign(Compound=frame["Compound"].replace(names)).to_csv(folder / "second" / path.name, index=False)
    profile_second_assay(
        settings=settings,
        molecules=folder / "clean_molecules.tsv",
        second_molecules=folder / "second.tsv",
        tables=[folder / "second" / path.name for path in plates],
        plate_list=None,
        metadata=None,
        features=folder / "features.h5ad",
        profiles=folder / "second_profiles.h5ad",
        state=folder / "second_assembled.safetensors",
        **{name: folder / f"second_{name}.tsv" for name in ("compounds", "aliases", "rejected", "without")},
        excluded_wells=folder / "second_excluded.tsv",
    )


def _train(screen: ScreenSettings, folder: Path, pairs: Path, fold: str) -> None:
    inputs, state = folder / "inputs.h5mu", folder / "state.safetensors"
    fit_preprocessing(settings=screen.fit_preprocessing, pairs=pairs, fold=fold, state=state, inputs=inputs)
    for seed in MEMBERS:
        given = {"inputs": inputs, "seed": seed, "checkpoint": folder / "c", "history": folder / "h"}
        first, second = folder / f"first{seed}.safetensors", folder / f"seed~{seed}.safetensors"
        train_shared(settings=screen.train_shared, beta=0.001, model=first, metrics=folder / "m", **given)
        train_specific(
            settings=screen.train_specific, shared=first, lam=1.0, model=second, metrics=folder / "m", **given
        )
    embed_screen(
        settings=screen.embed_screen,
        pairs=pairs,
        state=state,
        models=[folder / f"seed~{seed}.safetensors" for seed in MEMBERS],
        fold=fold,
        umap=False,
        tables=[folder / f"{level}.csv.gz" for level in LEVELS],
        **{level: folder / f"{level}.h5ad" for level in LEVELS},
    )


def _keep(screen: ScreenSettings, folder: Path, pairs: Path) -> None:
    measured = {name: folder / f"{name}.tsv" for name in ("calibration", "held_out", "performance")}
    of_folds = {level: [folder / fold / f"{level}.h5ad" for fold in ("0", "1")] for level in LEVELS}
    calibrate_scores(settings=screen.calibrate_scores, pairs=pairs, **of_folds, **measured)
    (folder / "selected.json").write_text('{"beta": 0.001, "lam": 1.0}')
    bundle_model(
        settings=applied_settings(screen),
        fold="full",
        pairs=pairs,
        preprocessing=folder / "full" / "state.safetensors",
        assembled=folder / "assembled.safetensors",
        selected=folder / "selected.json",
        models=[folder / "full" / f"seed~{seed}.safetensors" for seed in MEMBERS],
        compounds=folder / "full" / "compounds.h5ad",
        molecules=folder / "full" / "molecules.h5ad",
        aliases=folder / "clean_aliases.tsv",
        model=folder / "model" / "model.json",
        files=[],
        second_assembled=folder / "second_assembled.safetensors" if screen.second_assay else None,
        second_aliases=folder / "second_aliases.tsv" if screen.second_assay else None,
        **measured,
    )


@pytest.fixture
def plate(trained: Trained) -> pd.DataFrame:
    """The screen's first plate, to be changed."""
    return pd.read_csv(trained.plates[0])
