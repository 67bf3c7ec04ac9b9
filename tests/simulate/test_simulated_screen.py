"""The simulated screen has the anatomy of a real one, and what was planted can be found again, and nothing else."""

import re

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem, rdBase
from rdkit.Chem import rdFingerprintGenerator
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from dssl.errors import ConfigError
from dssl.settings.preparation import SimulateScreenSettings
from dssl.simulate.features import BLOCKLISTED, FACTORS, OFTEN_MISSING
from dssl.simulate.plates import round_significant
from dssl.simulate.screen import SimulatedScreen, simulate_screen

SETTINGS = SimulateScreenSettings(n_plate_maps=2, doses_um=[3.0, 10.0])
SMALL = SimulateScreenSettings(n_compounds=60, n_plate_maps=1, n_features=90)
PREFIXES = ("Cells_", "Cytoplasm_", "Nuclei_")


@pytest.fixture(scope="module")
def screen() -> SimulatedScreen:
    return simulate_screen(SETTINGS)


def feature_columns(plate: pd.DataFrame) -> list[str]:
    return [column for column in plate.columns if column.startswith(PREFIXES)]


def compound_profiles(screen: SimulatedScreen) -> pd.DataFrame:
    """Median and MAD of each plate's own controls, then the mean of each compound's living wells."""
    normalized = []
    for plate in screen.plates.values():
        features = plate[feature_columns(plate)]
        controls = features[plate["Role"] == "control"]
        mad = 1.4826 * (controls - controls.median()).abs().median()
        scaled = ((features - controls.median()) / mad.where(mad > 0)).clip(-20, 20)
        used = (plate["Role"] == "treatment") & (plate["Cell_Count"] > 100)
        normalized.append(scaled[used].groupby(plate["Compound"][used]).mean())
    profiles = pd.concat(normalized).groupby(level=0).mean()
    return profiles.loc[:, profiles.notna().all()]


def count_fingerprints(smiles: pd.Series) -> np.ndarray:
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    molecules = [Chem.MolFromSmiles(text) for text in smiles]
    return np.log1p([generator.GetCountFingerprintAsNumPy(molecule).astype(float) for molecule in molecules])


def skeletons(smiles: pd.Series) -> np.ndarray:
    """One group per substance, salts included."""
    largest = smiles.map(lambda text: max(text.split("."), key=len))
    return largest.map(lambda text: Chem.MolToInchiKey(Chem.MolFromSmiles(text))[:14]).to_numpy()


def r2(x: np.ndarray, y: pd.Series, groups: np.ndarray) -> float:
    model = RidgeCV(np.logspace(-2, 5, 15))
    return float(r2_score(y, cross_val_predict(model, x, y.to_numpy(), groups=groups, cv=GroupKFold(4))))


def readable(molecules: pd.DataFrame) -> pd.DataFrame:
    with rdBase.BlockLogs():
        parses = molecules["smiles"].map(lambda text: Chem.MolFromSmiles(text) is not None)
    return molecules[parses]


def test_profiles_tell_shared_factors_and_cell_state_but_not_the_molecule_only_factor(screen: SimulatedScreen) -> None:
    profiles = compound_profiles(screen)
    truth = screen.truth_compounds.set_index("compound_id").loc[profiles.index]
    known = readable(screen.molecules).set_index("compound_id")["smiles"]
    keep = truth["active"].to_numpy() & profiles.index.isin(known.index)
    profiles, truth = profiles[keep], truth[keep]
    groups = skeletons(known[profiles.index])
    scores = {name: r2(profiles.to_numpy(), truth[name], groups) for name in [*FACTORS, "molecule_only"]}
    assert min(scores[name] for name in FACTORS) > 0.5, scores
    assert scores["molecule_only"] < 0.1, scores


def test_structures_tell_shared_and_molecule_only_factors_but_not_the_cell_state(screen: SimulatedScreen) -> None:
    molecules = readable(screen.molecules)
    truth = screen.truth_compounds.set_index("compound_id").loc[molecules["compound_id"]]
    fingerprints, groups = count_fingerprints(molecules["smiles"]), skeletons(molecules["smiles"])
    scores = {name: r2(fingerprints, truth[name], groups) for name in ("shared_1", "molecule_only", "cell_state")}
    assert scores["shared_1"] > 0.4, scores
    assert scores["molecule_only"] > 0.4, scores
    assert scores["cell_state"] < 0.1, scores


def test_planted_compound_factors_are_standardised_and_uncorrelated(screen: SimulatedScreen) -> None:
    library = screen.truth_compounds.iloc[: SETTINGS.n_compounds]
    factors = library[[*FACTORS, "molecule_only"]].to_numpy()
    np.testing.assert_allclose(np.cov(factors.T, bias=True), np.eye(5), atol=2e-3)
    assert library["active"].mean() == pytest.approx(1 - SETTINGS.inactive_fraction)


def test_without_noise_every_symmetric_feature_is_the_planted_equation() -> None:
    screen = simulate_screen(SMALL.model_copy(update={"noise": 0.0, "plate_strength": 0.0, "dead_well_fraction": 0.0}))
    plate = pd.concat(screen.plates.values(), ignore_index=True)
    truth = screen.truth_compounds.set_index("compound_id").reindex(plate["Compound"]).fillna(0.0)
    response = screen.truth_wells["response"].to_numpy()
    shared = truth[FACTORS[:3]].to_numpy(dtype=float) * response[:, None]
    design = np.column_stack([shared, screen.truth_wells["cell_state"]])
    loadings = screen.truth_features.set_index("feature")[FACTORS]
    for name in ("Cells_Intensity_MeanIntensity_Mito", "Nuclei_Texture_Entropy_DNA_5_0"):
        found = plate[name].notna().to_numpy()
        centered = np.column_stack([np.ones(found.sum()), design[found]])
        weights, residual, *_ = np.linalg.lstsq(centered, plate.loc[found, name].to_numpy(), rcond=None)
        assert residual[0] < 1e-4 * ((plate.loc[found, name] - plate.loc[found, name].mean()) ** 2).sum()
        assert np.corrcoef(weights[1:], loadings.loc[name])[0, 1] > 0.9999


def test_factors_lie_in_their_own_blocks(screen: SimulatedScreen) -> None:
    size = screen.truth_features.set_index(["compartment", "channel"])[FACTORS].abs().sort_index()
    assert size.loc[("Nuclei", "DNA"), "shared_1"].max() > 5 * size.loc[("Cells", "Mito"), "shared_1"].max()
    assert size.loc[("Cells", "Mito"), "cell_state"].max() > 5 * size.loc[("Nuclei", "DNA"), "cell_state"].max()


def test_plates_are_laid_out_as_a_lab_would(screen: SimulatedScreen) -> None:
    assert list(screen.plates) == SETTINGS.plate_names()
    wells = set(screen.plates["map01_rep1"]["Well"])
    for name, plate in screen.plates.items():
        assert set(plate["Plate"]) == {name}
        assert set(plate["Batch"]) == {f"batch_{name[-1]}"}
        assert plate["Well"].is_unique
        assert plate["Well"].str.fullmatch("[A-P](0[1-9]|1[0-9]|2[0-4])").all()
        controls = plate[plate["Role"] == "control"]
        assert len(controls) == 32
        assert set(controls["Compound"]) == {"DMSO"}
        assert controls["Dose_uM"].isna().all()
        treated = plate[plate["Role"] == "treatment"]
        assert set(treated.groupby("Compound")["Dose_uM"].apply(tuple).map(sorted).map(tuple)) == {(3.0, 10.0)}
    same_layout = screen.plates["map01_rep2"]
    assert set(same_layout["Well"]) == wells
    assert same_layout["Compound"].equals(screen.plates["map01_rep1"]["Compound"])
    screened = pd.concat(screen.plates.values()).groupby("Compound")["Plate"].nunique().drop("DMSO")
    assert set(screened.index) == set(screen.molecules["compound_id"])
    assert set(screened) == {2}


def test_truth_has_a_row_for_every_well_and_every_id(screen: SimulatedScreen) -> None:
    wells = pd.concat(screen.plates.values())
    assert screen.truth_wells["plate"].tolist() == wells["Plate"].tolist()
    assert screen.truth_wells["well"].tolist() == wells["Well"].tolist()
    assert screen.truth_compounds["compound_id"].tolist() == screen.molecules["compound_id"].tolist()


def test_molecule_table_has_duplicates_salts_and_one_broken_smiles(screen: SimulatedScreen) -> None:
    molecules = screen.molecules
    assert len(molecules) == SETTINGS.n_compounds + 6
    assert molecules["compound_id"].is_unique
    fine = readable(molecules)
    assert len(fine) == len(molecules) - 1
    groups = pd.Series(skeletons(fine["smiles"]), index=fine["compound_id"])
    assert groups.nunique() == SETTINGS.n_compounds - 1
    assert fine["smiles"].str.endswith(".Cl").sum() > 3
    assert molecules["mechanism"].nunique() in range(6, 10)
    truth = screen.truth_compounds.set_index("compound_id")
    for again in groups.index[-6:]:
        parent = groups.index[groups == groups[again]][0]
        assert parent != again
        assert truth.loc[again].equals(truth.loc[parent])


def test_features_look_like_cellprofilers(screen: SimulatedScreen) -> None:
    plate = screen.plates["map01_rep1"]
    names = feature_columns(plate)
    assert len(names) == len(set(names)) == SETTINGS.n_features
    pattern = r"(Cells|Cytoplasm|Nuclei)_(Intensity|Texture|Granularity|RadialDistribution|AreaShape|Correlation)_\w+"
    assert all(re.fullmatch(pattern, name) for name in names)
    assert set(BLOCKLISTED) <= set(names)
    assert plate[OFTEN_MISSING].isna().mean() > 0.1
    constant = screen.truth_features.query("kind == 'constant'")["feature"]
    assert len(constant) > 2
    living = plate[plate["Cell_Count"] > 100]
    assert (living[constant].nunique() == 1).all()
    correlation = living[names].corr().fillna(0.0).abs().to_numpy()
    assert ((correlation > 0.95).sum(axis=1) > 1).sum() > 30  # more than with itself


def test_dead_wells_are_empty_and_toxic_compounds_lose_cells() -> None:
    screen = simulate_screen(SETTINGS.model_copy(update={"dead_well_fraction": 0.05}))
    wells = pd.concat(screen.plates.values(), ignore_index=True)
    dead = screen.truth_wells["dead"].to_numpy()
    assert 20 < dead.sum() < 150
    assert wells.loc[dead, "Cell_Count"].max() <= 5
    assert wells.loc[dead, feature_columns(wells)].isna().mean().mean() > 0.4
    assert set(wells.loc[dead, "Role"]) == {"treatment"}
    alive = wells[~dead]
    truth = screen.truth_compounds.set_index("compound_id").reindex(alive["Compound"])
    drive = (truth["shared_1"] + truth["cell_state"]).where(truth["active"].eq(True)).to_numpy()
    relative = (alive["Cell_Count"] / alive.groupby("Plate")["Cell_Count"].transform("median")).to_numpy()
    assert relative[drive > 2].mean() < 0.85 * relative[drive < 0].mean()


def test_plate_effects_shift_plates_and_vanish_when_switched_off() -> None:
    def spread(strength: float) -> float:
        screen = simulate_screen(SMALL.model_copy(update={"plate_strength": strength, "n_replicates": 3}))
        medians = [
            plate[plate["Role"] == "control"][feature_columns(plate)].median() for plate in screen.plates.values()
        ]
        within = next(iter(screen.plates.values())).query("Role == 'control'")[
            feature_columns(screen.plates["map01_rep1"])
        ]
        return float((pd.concat(medians, axis=1).std(axis=1) / within.std().replace(0, np.nan)).median())

    assert spread(0.0) < 0.35
    assert spread(2.0) > 2 * spread(0.0)


def test_same_seed_same_tables_other_seed_other_tables() -> None:
    first, again = simulate_screen(SMALL), simulate_screen(SMALL)
    for name, plate in first.plates.items():
        pd.testing.assert_frame_equal(plate, again.plates[name], check_exact=True)
    for table in ("molecules", "truth_wells", "truth_compounds", "truth_features"):
        pd.testing.assert_frame_equal(getattr(first, table), getattr(again, table), check_exact=True)
    other = simulate_screen(SMALL.model_copy(update={"seed": 1}))
    assert not other.molecules["smiles"].equals(first.molecules["smiles"])


def test_smallest_and_widest_screens_can_be_simulated() -> None:
    tiny = simulate_screen(SimulateScreenSettings(n_compounds=20, n_plate_maps=1, n_features=60, doses_um=[1.0]))
    assert np.isfinite(tiny.truth_compounds[FACTORS].to_numpy()).all()
    assert len(tiny.plates) == 2


def test_what_does_not_fit_is_refused_with_the_key_to_change() -> None:
    with pytest.raises(ConfigError, match=r"326 compounds.*fit 1 plate map.*\n.*n_plate_maps to 2 or more"):
        simulate_screen(SETTINGS.model_copy(update={"n_plate_maps": 1}))
    with pytest.raises(
        ConfigError, match=r"simulate_screen\.n_features: 5000 features are wanted, there are names for"
    ):
        simulate_screen(SMALL.model_copy(update={"n_features": 5000}))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(123456.7, 123460.0), (0.00123456, 0.0012346), (-9.99999, -10.0), (0.0, 0.0), (1.2, 1.2)],
)
def test_rounding_to_five_significant_digits(value: float, expected: float) -> None:
    assert round_significant(np.array([value]))[0] == expected


def test_rounding_keeps_missing_values() -> None:
    assert np.isnan(round_significant(np.array([np.nan, 1.0]))).tolist() == [True, False]
