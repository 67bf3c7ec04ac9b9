"""A model that compares two assays, and new plates of either."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dssl.errors import ConfigError, TableError
from dssl.io import read_anndata
from dssl.settings.new_data import EmbedSettings, QuerySettings
from dssl.steps.new_data import embed, query
from tests.steps.new_data.conftest import Trained

CODES = ("X_shared", "X_specific")


def second_plates(trained: Trained) -> list[Path]:
    return sorted((trained.plates[0].parent / "second").iterdir())


def run(trained: Trained, out: Path, **given: Any) -> Path:
    nothing: dict[str, Any] = dict.fromkeys(("molecules", "plates"))
    embed(settings=EmbedSettings(), model=trained.model, out=out, **{**nothing, **given})
    return out


def test_plates_of_either_assay_have_the_codes_that_the_workflow_gave_them(
    trained_on_two: Trained, tmp_path: Path
) -> None:
    for level, given in (
        ("compounds", {"plates": trained_on_two.plates}),
        ("molecules", {"second_plates": second_plates(trained_on_two)}),
    ):
        out = run(trained_on_two, tmp_path / level, **given)
        before, found = (read_anndata(folder / f"{level}.h5ad") for folder in (trained_on_two.embedded, out))
        assert set(before.obs_names) <= set(found.obs_names)
        for name in CODES:
            np.testing.assert_allclose(found[before.obs_names].obsm[name], before.obsm[name], atol=1e-4, err_msg=level)
        assert (found[before.obs_names].obs["split"].astype(str) == before.obs["split"].astype(str)).all()


def test_ids_of_the_second_assay_are_compounds_of_the_screen(trained_on_two: Trained, tmp_path: Path) -> None:
    obs = read_anndata(
        run(trained_on_two, tmp_path, second_plates=second_plates(trained_on_two)) / "molecules.h5ad"
    ).obs
    assert {"DSSL-0001", "DSSL-0002", "DSSL-0003"} <= set(obs["compound_id"].astype(str))
    assert not {"S1", "S2", "S3"} & set(obs["compound_id"].astype(str))


def test_a_training_profile_is_inside_and_its_own_nearest(trained_on_two: Trained, tmp_path: Path) -> None:
    out = run(trained_on_two, tmp_path, second_plates=second_plates(trained_on_two))
    obs = read_anndata(out / "molecules.h5ad").obs
    trained_on = obs["split"].astype(str) == "train"
    np.testing.assert_allclose(obs.loc[trained_on, "nearest_cosine"], 1, atol=1e-5)
    assert set(obs.loc[trained_on, "applicability"].astype(str)) == {"inside"}
    first = pd.read_csv(out / "neighbors.tsv.gz", sep="\t").query("rank == 1 and by == 'shared'").set_index("query")
    names = obs.index[trained_on].astype(str)
    assert (first.loc[names, "neighbor"] == names).all()


def test_profiles_are_ranked_against_signatures_and_back(trained_on_two: Trained, tmp_path: Path) -> None:
    library = run(trained_on_two, tmp_path / "library", second_plates=second_plates(trained_on_two))
    nothing: dict[str, Any] = dict.fromkeys(("molecules", "plates", "compounds", "library"))
    asked = {"plates": trained_on_two.plates, "library": library}
    query(settings=QuerySettings(n_hits=3), model=trained_on_two.model, out=tmp_path / "a", **{**nothing, **asked})
    hits = pd.read_csv(tmp_path / "a/hits.tsv", sep="\t")
    signatures = read_anndata(library / "molecules.h5ad")
    profiles = read_anndata(tmp_path / "a/compounds.h5ad")
    cosines = pd.DataFrame(
        profiles.obsm["X_shared"] @ signatures.obsm["X_shared"].T, profiles.obs_names, signatures.obs_names
    )
    best = hits[hits["rank"] == 1].set_index("query")
    np.testing.assert_allclose(best["score"], cosines.max(axis=1).loc[best.index], atol=1e-5)
    assert "L1000 signature profiles" in (tmp_path / "a/summary.md").read_text()
    asked = {"second_plates": second_plates(trained_on_two)}
    query(settings=QuerySettings(n_hits=3), model=trained_on_two.model, out=tmp_path / "b", **{**nothing, **asked})
    back = pd.read_csv(tmp_path / "b/hits.tsv", sep="\t")
    assert set(back["item"]) <= set(read_anndata(trained_on_two.embedded / "compounds.h5ad").obs_names)
    # what was trained on has no precision
    assert back.loc[back["query_split"] == "train", "precision"].isna().all()


def test_what_the_model_does_not_know_is_refused(trained: Trained, trained_on_two: Trained, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="knows no molecules\nGive new plates as --plates, or as --second-plates"):
        run(trained_on_two, tmp_path, molecules=trained.molecules)
    with pytest.raises(ConfigError, match="knows no second assay\nGive the plates as --plates"):
        run(trained, tmp_path, second_plates=trained.plates)
    with pytest.raises(ConfigError, match="exactly one of --molecules and --plates and --second-plates, found"):
        run(trained_on_two, tmp_path, plates=trained.plates, second_plates=trained.plates)
    frame = pd.read_csv(trained.plates[0])
    feature = next(name for name in frame if name.startswith("Cells_"))
    frame.drop(columns=feature).to_csv(tmp_path / "lacks.csv", index=False)
    with pytest.raises(TableError, match="1 of the .* features that the model needs are missing"):
        run(trained_on_two, tmp_path, second_plates=[tmp_path / "lacks.csv"])
