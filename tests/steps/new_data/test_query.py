"""Ranked hits of new data: against an obvious oracle, and what their scores are said to be worth."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from dssl.errors import ConfigError, TableError
from dssl.io import read_anndata
from dssl.settings.new_data import EmbedSettings, QuerySettings
from dssl.steps.hits import best_items
from dssl.steps.new_data import embed, query
from tests.steps.new_data.conftest import Trained

NEW = {"n1": "CCOc1ccccc1C(=O)NCC", "n2": "CCN(CC)CCNC(=O)c1ccc(N)cc1", "n3": "O=C(O)c1ccccc1OC(C)=O"}


def run(trained: Trained, out: Path, **given: Any) -> pd.DataFrame:
    nothing: dict[str, Any] = dict.fromkeys(("molecules", "plates", "compounds", "library"))
    query(settings=QuerySettings(n_hits=4), model=trained.model, out=out, **{**nothing, **given})
    return pd.read_csv(out / "hits.tsv", sep="\t")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    frame = pd.DataFrame({"compound_id": list(NEW), "smiles": list(NEW.values())})
    frame.to_csv(tmp_path / "library.csv", index=False)
    return tmp_path / "library.csv"


def test_best_items_are_those_of_a_full_sort_and_ties_have_their_expected_rank() -> None:
    rng = np.random.default_rng(0)
    similarity = np.round(rng.uniform(-1, 1, size=(20, 30)), 1)
    found = best_items(similarity, 7)
    for row, scores in enumerate(similarity):
        order = sorted(range(30), key=lambda item: (-scores[item], item))[:7]
        assert found.places[row].tolist() == order
        np.testing.assert_allclose(found.ranks[row], rankdata(-scores, method="average")[order])


def test_hits_of_plates_are_the_nearest_molecules_of_the_screen(trained: Trained, tmp_path: Path) -> None:
    hits = run(trained, tmp_path / "out", plates=trained.plates)
    profiles = read_anndata(trained.embedded / "compounds.h5ad")
    molecules = read_anndata(trained.embedded / "molecules.h5ad")
    cosines = profiles.obsm["X_shared"] @ molecules.obsm["X_shared"].T
    # a compound whose structure was refused has a profile all the same, though the screen has no pair of it
    of_screen = hits[hits["query"].isin(profiles.obs_names)]
    assert of_screen["query"].nunique() == profiles.n_obs
    for name, group in of_screen.groupby("query"):
        scores = cosines[profiles.obs_names.get_loc(name)]
        expected = molecules.obs_names[np.argsort(-scores)[:4]]
        assert list(group["item"]) == list(expected)
        np.testing.assert_allclose(group["score"], np.sort(scores)[::-1][:4], atol=1e-4)
    assert (hits["library_size"] == molecules.n_obs).all()
    trained_on = (hits["query_split"] == "train") | (hits["item_split"] == "train")
    assert trained_on.any()
    assert (hits["precision"].isna() == trained_on).all()
    assert hits["percentile_match"].between(0, 1).all()


def test_one_new_molecule_is_ranked_against_the_profiles_of_the_screen(trained: Trained, tmp_path: Path) -> None:
    pd.DataFrame({"compound_id": ["x"], "smiles": ["CCO"]}).to_csv(tmp_path / "one.csv", index=False)
    hits = run(trained, tmp_path / "out", molecules=tmp_path / "one.csv")
    assert list(hits["query"].unique()) == ["x"]
    assert list(hits["rank"]) == [1, 2, 3, 4]
    assert (np.diff(hits["score"]) <= 0).all()
    assert hits["item_name"].notna().all()
    validation = hits["item_split"] == "validation"
    assert (hits["precision"].notna() == validation).all()
    assert "# New data for the model of screen small" in (tmp_path / "out/summary.md").read_text()


def test_phenotypes_of_the_screen_are_ranked_against_a_new_library(
    trained: Trained, tmp_path: Path, library: Path
) -> None:
    names = read_anndata(trained.embedded / "molecules.h5ad").obs["name"].astype(str)
    hits = run(trained, tmp_path / "out", compounds=[names.index[0], names.iloc[1].upper()], library=library)
    assert list(hits["query"].unique()) == [names.index[0], names.index[1]]
    assert set(hits["item"]) == set(NEW)
    assert (hits["library_size"] == 3).all()
    assert (tmp_path / "out/library/molecules.h5ad").exists()


def test_embedded_folders_are_taken_instead_of_tables(trained: Trained, tmp_path: Path, library: Path) -> None:
    first = run(trained, tmp_path / "first", plates=trained.plates, library=library)
    for name, given in {"p": {"plates": trained.plates}, "l": {"molecules": library}}.items():
        tables: dict[str, Any] = {"molecules": None, "plates": None, **given}
        embed(settings=EmbedSettings(), model=trained.model, out=tmp_path / name, **tables)
    second = run(trained, tmp_path / "second", plates=[tmp_path / "p"], library=tmp_path / "l")
    pd.testing.assert_frame_equal(first, second)
    third = run(trained, tmp_path / "third", molecules=tmp_path / "l", library=tmp_path / "p")
    assert set(third["query"]) == set(NEW)
    assert set(third["item"]) <= set(read_anndata(tmp_path / "p/compounds.h5ad").obs_names)


def test_molecules_are_not_ranked_against_molecules(trained: Trained, tmp_path: Path, library: Path) -> None:
    with pytest.raises(ConfigError, match=r"molecules are ranked against profiles, but it has no compounds\.h5ad"):
        run(trained, tmp_path / "out", molecules=library, library=library)


def test_embeddings_of_another_model_are_refused(trained: Trained, tmp_path: Path, library: Path) -> None:
    embed(settings=EmbedSettings(), model=trained.model, molecules=library, plates=None, out=tmp_path / "l")
    adata = read_anndata(tmp_path / "l/molecules.h5ad")
    adata.uns["dssl"]["parameters"] = '{"model": "another"}'
    adata.write_h5ad(tmp_path / "l/molecules.h5ad")
    with pytest.raises(ConfigError, match="was embedded with another model than that of .*\nEmbed it again"):
        run(trained, tmp_path / "out", molecules=tmp_path / "l")


def test_an_unknown_compound_is_named(trained: Trained, tmp_path: Path, library: Path) -> None:
    with pytest.raises(TableError, match="1 of 1 compounds are not in the screen small: aspirin\nName them by id"):
        run(trained, tmp_path / "out", compounds=["aspirin"], library=library)


def test_exactly_one_kind_of_query(trained: Trained, tmp_path: Path, library: Path) -> None:
    with pytest.raises(
        ConfigError, match="exactly one of --molecules and --plates and --second-plates and --compounds, found none"
    ):
        run(trained, tmp_path / "out")
    with pytest.raises(ConfigError, match="found --molecules and --compounds"):
        run(trained, tmp_path / "out", molecules=library, compounds=["a"])
