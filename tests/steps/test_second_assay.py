"""The step that profiles a second assay: a simulated screen as the second assay of its own molecules."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dssl.check import check_screen
from dssl.io import read_anndata, write_table
from dssl.plan import job_counts, plate_tables, second_screen
from dssl.settings.preparation import SimulateScreenSettings, StandardizeMoleculesSettings
from dssl.settings.screen import ScreenSettings, parse_screen
from dssl.simulate.screen import SimulatedScreen, simulate_screen
from dssl.steps.molecules import standardize_molecules
from dssl.steps.second_assay import profile_second_assay

PLATES = {
    "tables": ["plates/*.csv"],
    "columns": {"compound_id": "Compound", "plate": "Plate", "well": "Well"},
    "control": {"column": "Role", "values": ["control"]},
}
MOLECULES = {"table": "molecules.tsv"}


@pytest.fixture
def simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedScreen:
    monkeypatch.chdir(tmp_path)
    settings = SimulateScreenSettings(n_compounds=20, n_plate_maps=1, n_replicates=2, n_features=60, doses_um=[10.0])
    screen = simulate_screen(settings)
    write_table(Path("molecules.tsv"), screen.molecules)
    for name, frame in screen.plates.items():
        write_table(Path(f"plates/{name}.csv"), frame)
    return screen


@pytest.fixture
def screen() -> ScreenSettings:
    second = {"molecules": MOLECULES, "plates": PLATES}
    return parse_screen(
        {"screen": "two", "molecules": MOLECULES, "plates": PLATES, "second_assay": second}, "the test's configuration"
    )


def test_compounds_get_the_mean_of_their_wells(simulated: SimulatedScreen, screen: ScreenSettings) -> None:
    first = {name: Path(f"{name}.tsv") for name in ("molecules", "aliases", "rejected", "merged", "changed")}
    first["molecules"] = Path("first.tsv")
    standardize_molecules(
        settings=StandardizeMoleculesSettings(), columns=screen.molecules, table=Path("molecules.tsv"), **first
    )
    assert screen.second_assay is not None
    out = {name: Path(f"out/{name}.tsv") for name in ("rejected", "excluded_wells", "without")}
    profile_second_assay(
        settings=screen.second_assay,
        molecules=first["molecules"],
        second_molecules=Path("molecules.tsv"),
        tables=list(plate_tables(second_screen(screen)).values()),
        plate_list=None,
        metadata=None,
        features=Path("out/features.h5ad"),
        compounds=Path("out/compounds.tsv"),
        profiles=Path("out/profiles.h5ad"),
        aliases=Path("out/aliases.tsv"),
        state=Path("out/state.safetensors"),
        **out,
    )
    features = read_anndata(Path("out/features.h5ad"))
    without = pd.read_csv(out["without"], sep="\t")
    assert features.n_obs + len(without) == len(pd.read_csv(first["molecules"], sep="\t"))
    assert features.n_obs > 15
    assert set(features.var["featurizer"]) == {"second_assay"}
    # all its compounds are in the first assay, and nothing is added to them
    assert pd.read_csv("out/compounds.tsv", sep="\t").equals(pd.read_csv(first["molecules"], sep="\t"))
    np.testing.assert_array_equal(read_anndata(Path("out/profiles.h5ad")).X, features.X)
    listed = pd.read_csv(out["excluded_wells"], sep="\t")
    wells = pd.concat(simulated.plates.values())
    assert len(listed) + features.obs["n_second_wells"].sum() == len(wells)
    assert (listed["reason"] == "control").sum() == (wells["Role"] == "control").sum()
    # against the wells' own plates: the controls' median is zero, a compound's mean is the mean of its replicates
    one = features.obs_names[0]
    feature = features.var_names[0]
    expected = []
    for frame in simulated.plates.values():
        controls = frame.loc[frame["Role"] == "control", feature]
        scale = 1.4826 * (controls - controls.median()).abs().median()
        expected += list((frame.loc[frame["Compound"] == one, feature] - controls.median()) / scale)
    np.testing.assert_allclose(features[one, feature].X.item(), np.mean(expected), rtol=0.2)


def test_the_check_looks_at_both_assays(simulated: SimulatedScreen, screen: ScreenSettings) -> None:
    result = check_screen(screen)
    assert result.errors == []
    assert result.tables["second assay: screen"].equals(result.tables["screen"])
    counts = job_counts(screen)
    assert counts["profile_second_assay"] == 1
    assert counts["featurize_molecules"] == 1
    for path in Path("plates").iterdir():
        path.unlink()
    assert [error for error in check_screen(screen).errors if error.startswith("second_assay: plates.tables")]
