"""The folder that biologists get, read by the tools that they read it with."""

import warnings
from pathlib import Path

import anndata
import mudata
import numpy as np
import openpyxl
import pandas as pd
import pytest
from pandas.api.types import is_numeric_dtype
from rdkit import Chem

from dssl import keys
from dssl.evaluation.ranking import rounded_cosines
from dssl.evaluation.retrieval import unit_rows
from dssl.io import read_anndata, read_table
from dssl.pairs.storage import read_pairs
from dssl.report.handover.formulas import RISKY, original_frame
from dssl.steps.describe import read_compounds
from tests.handed_over import NAMES, OUTPUTS, make_handover


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_handover(tmp_path_factory.mktemp("made"), n_hits=4, n_neighbors=3, max_structures=5)


def as_given(path: Path) -> pd.DataFrame:
    """A CSV file with its texts as they were."""
    return original_frame(pd.read_csv(path, keep_default_na=False, na_values=[""]))


def test_every_file_is_there_and_explained(made: Path) -> None:
    assert {path.name for path in made.iterdir()} == {*OUTPUTS.values(), "report.html"}
    page = (made / "README.html").read_text()
    for name in {*OUTPUTS.values(), "report.html"} - {"README.html"}:
        assert f'<a href="{name}">' in page
    assert "explorer.html" not in page
    assert "&lt;b&gt;Made &amp; up&lt;/b&gt;" in page
    assert "<b>Made" not in page
    dictionary = pd.read_csv(made / "data_dictionary.csv")
    for path in made.glob("*.csv"):
        explained = dictionary.loc[dictionary["file"] == path.name, "column"]
        columns = pd.read_csv(path, nrows=0).columns
        codes = [name for name in columns if name.startswith(("shared_", "specific_")) and name[-1].isdigit()]
        if path.name.startswith(("profiles", "molecules")):
            assert explained.iloc[-1] == f"{codes[0]} to {codes[-1]}"
            assert [*explained[:-1], *codes] == list(columns)
        elif path.name != "data_dictionary.csv":
            assert list(explained) == list(columns), path.name
    assert dictionary["meaning"].notna().all()


def test_no_spreadsheet_runs_a_cell_and_every_text_can_be_read_back(made: Path) -> None:
    for path in made.glob("*.csv"):
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        numbers = pd.read_csv(path)
        for name in table:
            if not is_numeric_dtype(numbers[name].dtype):
                assert not table[name].str.startswith(RISKY[:-1]).any(), (path.name, name)
    compounds = as_given(made / "compounds.csv")
    original = read_compounds(made.parent / "inputs" / "table.tsv")
    assert set(compounds["name"]) == set(NAMES)
    pd.testing.assert_series_equal(compounds["name"], original["name"], check_dtype=False)
    pd.testing.assert_series_equal(compounds["mechanism"], original["mechanism"], check_dtype=False)
    assert "'=cmd()" in (made / "compounds.csv").read_text()


def test_hits_are_those_of_sorting_by_hand_and_the_right_one_is_always_there(made: Path) -> None:
    hits = as_given(made / "hits.csv")
    inputs = made.parent / "inputs" / "fold~0"
    compounds, molecules = (read_anndata(inputs / f"{name}.h5ad") for name in ("compounds", "molecules"))
    tested = [name for name in molecules.obs_names if molecules.obs.loc[name, "split"] == "test"]
    codes = [unit_rows(one[tested].obsm["X_shared"]) for one in (compounds, molecules)]
    for direction, sides in (("phenotype_to_molecule", codes), ("molecule_to_phenotype", codes[::-1])):
        cosines = rounded_cosines(*sides)
        for place, query in enumerate(tested):
            rows = hits[(hits["direction"] == direction) & (hits["query_id"] == query)]
            best = [tested[k] for k in np.argsort(-cosines[place], kind="stable")[:4]]
            assert rows["item_id"].tolist()[:4] == best
            own = rows[rows["own"]]
            assert own["item_id"].tolist() == [query]
            assert own["rank"].item() == 1 + (cosines[place] > cosines[place, place]).sum()
            assert len(rows) == 4 + (query not in best)
            np.testing.assert_allclose(rows["percentile"], 1 - (rows["rank"] - 1) / 11, atol=1e-6)
    assert set(hits["library_size"]) == {12}
    # against the compound table, which has the same ranks from the evaluation
    table = read_compounds(made.parent / "inputs" / "table.tsv").set_index("compound_id")
    own = hits[hits["own"] & (hits["direction"] == "molecule_to_phenotype")].set_index("query_id")
    np.testing.assert_allclose(own["rank"], table.loc[own.index, keys.RANK_MOLECULE_TO_PHENOTYPE])
    # the made-up calibration: log likelihood ratio linear in the cosine from log 0.5 at -1 to log 20 at 1
    ratio = np.exp(np.interp(hits["cosine"], [-1, 1], np.log([0.5, 20])))
    np.testing.assert_allclose(hits["precision"], ratio / (ratio + 11), atol=1e-5)


def test_neighbours_are_those_of_sorting_by_hand_and_say_what_the_model_has_seen(made: Path) -> None:
    found = as_given(made / "neighbours.csv")
    compounds = read_anndata(made.parent / "inputs" / "fold~0" / "compounds.h5ad")
    codes = unit_rows(compounds.obsm["X_specific"])
    cosines = codes @ codes.T
    np.fill_diagonal(cosines, np.nan)
    rows = found[found["code"] == "specific_phenotype"].set_index("compound_id")
    for place, name in enumerate(compounds.obs_names):
        expected = compounds.obs_names[np.argsort(-np.nan_to_num(cosines[place], nan=-9))[:3]]
        assert rows.loc[name, "neighbor_id"].tolist() == list(expected)
        assert rows.loc[name, "median_cosine"].iloc[0] == pytest.approx(np.nanmedian(cosines[place]), abs=1e-5)
    seen = compounds.obs["split"] == "train"
    words = {(True, True): "both", (True, False): "only the compound", (False, True): "only the neighbour"}
    expected = [
        words.get((seen[one], seen[other]), "neither")
        for one, other in zip(found["compound_id"], found["neighbor_id"], strict=True)
    ]
    assert found["in_training"].tolist() == expected
    assert len(found) == 4 * 24 * 3


def test_the_workbook_holds_texts_as_texts_and_says_what_is_not_drawn(made: Path) -> None:
    book = openpyxl.load_workbook(made / "compounds.xlsx")
    sheet = book["Compounds"]
    header = [cell.value for cell in sheet[2]]
    assert (sheet.page_setup.orientation, sheet.page_setup.fitToHeight, sheet.print_title_rows) == (
        "landscape",
        0,
        "$1:$2",
    )
    # of these, some programs find no height that fits themselves
    meanings = book["Data dictionary"]
    for row in range(2, meanings.max_row + 1):
        assert (meanings.row_dimensions[row].height or 15) >= 15 * len(str(meanings.cell(row, 3).value)) / 80
    names = [sheet.cell(row, header.index("name") + 1) for row in range(3, 27)]
    assert {cell.data_type for cell in names} == {"s"}
    assert {"=cmd()", "+1", "@x", "<script>alert(1)</script>", "n" * 400} <= {cell.value for cell in names}
    assert not [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f" or cell.hyperlink]
    priority = [sheet.cell(row, header.index("priority") + 1).value for row in range(3, 27)]
    assert priority == list(range(1, 25))
    assert len(sheet._images) == 5
    assert sorted(image.anchor._from.row for image in sheet._images) == [2, 3, 4, 5, 6]
    assert sheet.freeze_panes == "D3"
    assert sheet.auto_filter.ref == "A2:AA26"
    assert sheet.cell(1, header.index(keys.PERCENTILES[0]) + 1).value == "0.5 on average"
    assert sheet.cell(3, header.index(keys.PERCENTILES[0]) + 1).number_format == "0.000"
    about = " ".join(str(row[0].value) for row in book["About"].iter_rows())
    assert "structures of 5 of 24 compounds are drawn" in about
    assert "handover.max_structures is 5" in about
    dictionary = pd.read_csv(made / "data_dictionary.csv")
    assert book["Data dictionary"].max_row == len(dictionary) + 1


def test_structures_read_back_to_the_same_molecules(made: Path) -> None:
    table = read_compounds(made.parent / "inputs" / "table.tsv").set_index("compound_id")
    molecules = list(Chem.SDMolSupplier(str(made / "compounds.sdf")))
    assert [one.GetProp("_Name") for one in molecules] == list(table.index)
    for one in molecules:
        expected = table.loc[one.GetProp("_Name")]
        assert Chem.MolToInchiKey(one) == expected["inchikey"]
        assert one.GetProp("name") == " ".join(expected["name"].split())
        assert int(one.GetProp("priority")) == expected["priority"]
        assert one.HasProp("mechanism") == pd.notna(expected["mechanism"])


def test_anndata_opens_in_scanpy_with_colours_and_without_a_word(made: Path) -> None:
    import matplotlib
    import scanpy

    matplotlib.use("Agg")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # of matplotlib to scanpy
        warnings.filterwarnings("ignore", message="The set_bad function")
        profiles, molecules = (anndata.read_h5ad(made / f"{name}.h5ad") for name in ("profiles", "molecules"))
        for adata in (profiles, molecules):
            for name, column in adata.obs.items():
                if isinstance(column.dtype, pd.CategoricalDtype):
                    assert len(adata.uns[f"{name}_colors"]) == len(column.cat.categories)
        scanpy.pl.umap(profiles, color=["mechanism", "active", "activity_map"], show=False)
        scanpy.pl.embedding(molecules, "X_umap_specific", color="mechanism", show=False)
        with mudata.set_options(pull_on_update=False):
            screen = mudata.read_h5mu(made / "screen.h5mu")
    assert list(profiles.obs_names) == list(molecules.obs_names) == list(screen.obs_names)
    assert screen["phenotype"].obsm["X_shared"].shape == (24, 5)
    assert list(profiles.obs["active"].cat.categories) == ["yes", "not known"]
    assert profiles.obs["mechanism"].isna().sum() == 1
    assert profiles.uns["title"] == "<b>Made & up</b>: phenotypes"
    assert profiles.uns["default_embedding"] == "X_umap"
    assert list(profiles.var.columns) == ["compartment", "channel", "feature_is_filtered"]
    wells = read_pairs(made.parent / "inputs" / "pairs.h5mu")["phenotype"]
    expected = pd.DataFrame(wells.X).groupby(wells.obs["compound_id"].to_numpy()).mean()
    np.testing.assert_allclose(profiles.X, expected.loc[profiles.obs_names], rtol=1e-5)
    assert np.isnan(profiles["c0"].X).tolist() == [[False, True, False]]


def test_variance_is_the_mean_over_folds_with_its_spread(made: Path) -> None:
    table = pd.read_csv(made / "feature_variance.csv").iloc[0]
    assert table[["shared", "shared_lowest", "shared_highest"]].tolist() == [0.3, 0.2, 0.4]
    assert table["neither"] == pytest.approx(0.4)
    assert table["n_folds"] == 2


def test_the_same_inputs_give_the_same_bytes(made: Path, tmp_path: Path) -> None:
    again = make_handover(tmp_path, n_hits=4, n_neighbors=3, max_structures=5)
    differ = [path.name for path in sorted(made.iterdir()) if path.read_bytes() != (again / path.name).read_bytes()]
    assert differ == []


def test_a_screen_of_one_compound_with_a_second_assay(tmp_path: Path) -> None:
    out = make_handover(tmp_path, n=1, second_assay="L1000 signature")
    hits = as_given(out / "hits.csv")
    assert hits[["rank", "library_size", "chance_own"]].to_numpy().tolist() == [[1, 1, 1]] * 2
    assert hits["percentile"].isna().all()
    assert (hits["precision"] == 1).all()
    assert read_table(out / "neighbours.csv").empty
    assert anndata.read_h5ad(out / "profiles.h5ad").n_obs == 1
    page = (out / "README.html").read_text()
    assert "it is the compound&#39;s L1000 signature, its mean profile in the second assay" in page


def test_hundreds_of_mechanisms_have_colours_for_the_frequent_ones(tmp_path: Path) -> None:
    mechanisms = ["common", "common", *(f"m{k}" for k in range(2, 300))]
    out = make_handover(tmp_path, n=300, mechanisms=mechanisms, max_structures=0, n_neighbors=1, n_hits=1)
    profiles = anndata.read_h5ad(out / "profiles.h5ad")
    colors = dict(zip(profiles.obs["mechanism"].cat.categories, profiles.uns["mechanism_colors"], strict=True))
    assert len(colors) == 299
    assert colors["common"] != "#C4C8CC"
    assert len(set(colors.values()) - {"#C4C8CC"}) == 23
    assert len(openpyxl.load_workbook(out / "compounds.xlsx")["Compounds"]._images) == 0
