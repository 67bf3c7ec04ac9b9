"""Units of a fold, profiles that are asked, and what the summary says about those that nobody could predict."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from dssl import keys
from dssl.errors import ConfigError
from dssl.evaluation.counterfactual_queries import CONTEXT
from dssl.io import read_table, write_table
from dssl.settings.counterfactuals import AskedProfile, EvaluateCounterfactualsSettings
from dssl.steps.counterfactual_asked import asked_pairs
from dssl.steps.counterfactual_groups import HeldOutError, Residuals, group_rows
from dssl.steps.counterfactual_tables import COLUMNS
from dssl.steps.counterfactual_units import member_columns, unit_obs
from dssl.steps.counterfactuals import summarize_counterfactuals

MOLECULES = pd.DataFrame({keys.ORIGINAL_ID: ["A", "A", "B"]}, index=["A", "A (test)", "B"])


def wells() -> pd.DataFrame:
    """Two wells of A@1 on P1; A at another dose, and in another role; B once without a time."""
    rows = [
        ("A", "A@1", "P1", 1.0, 24.0, keys.TRAIN),
        ("A", "A@1", "P1", 1.0, 24.0, keys.TRAIN),
        ("A", "A@3", "P1", 3.0, 48.0, keys.TRAIN),
        ("A (test)", "A (test)@1", "P2", 1.0, 24.0, keys.TEST),
        ("B", "B@1", "P2", 1.0, np.nan, keys.TRAIN),
    ]
    columns = [keys.COMPOUND_ID, keys.TREATMENT, keys.PLATE, keys.DOSE_UM, "hours", keys.SPLIT]
    return pd.DataFrame(rows, columns=columns)


def test_a_unit_is_a_treatment_in_a_context() -> None:
    obs, codes = unit_obs(wells(), MOLECULES, keys.PLATE)
    assert codes.tolist() == [0, 0, 1, 2, 3]
    assert obs[keys.TREATMENT].tolist() == ["A@1", "A@3", "A (test)@1", "B@1"]
    # in whatever role: it is the same compound, and no reference of itself
    assert obs[keys.COMPOUND_ID].tolist() == ["A", "A", "A", "B"]
    assert obs["row_of"].tolist() == ["A", "A", "A (test)", "B"]


def test_where_the_dose_is_the_context_a_unit_is_a_compound() -> None:
    obs, codes = unit_obs(wells(), MOLECULES, keys.DOSE_UM)
    assert codes.tolist() == [0, 0, 1, 2, 3]
    assert obs[keys.TREATMENT].tolist() == ["A", "A", "A (test)", "B"]
    assert obs[CONTEXT].tolist() == ["1", "3", "1", "1"]


def test_wells_without_a_context_are_left_out_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    obs, codes = unit_obs(wells(), MOLECULES, "hours")
    assert codes.tolist() == [0, 0, 1, 2, -1]
    assert obs[CONTEXT].tolist() == ["24", "48", "24"]
    assert "1 of 5 wells have no hours" in caplog.text


def test_a_column_that_wells_lack_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"contexts: wells have no column 'cell_line'; there are .*'plate'"):
        unit_obs(wells(), MOLECULES, "cell_line")


def test_every_member_has_its_columns_of_both_codes() -> None:
    def model(shared: int, specific: int) -> tuple[SimpleNamespace, SimpleNamespace]:
        settings = SimpleNamespace(code=SimpleNamespace(size=specific))
        return SimpleNamespace(code_settings=SimpleNamespace(size=shared)), SimpleNamespace(settings=settings)

    first, second = member_columns([model(2, 1), model(1, 3)])
    assert first.tolist() == [0, 1, 3]
    assert second.tolist() == [2, 4, 5, 6]


@pytest.fixture
def obs() -> pd.DataFrame:
    columns = [keys.COMPOUND_ID, keys.TREATMENT, CONTEXT, keys.SPLIT]
    rows = [("A", "A@1", "P1", keys.TEST), ("A", "A@3", "P1", keys.TEST), ("B", "B@1", "P2", keys.TRAIN)]
    return pd.DataFrame(rows, columns=columns)


def test_every_treatment_of_an_asked_compound_is_predicted_where_it_is_held_out(obs: pd.DataFrame) -> None:
    asked = [AskedProfile(compound="A", context="P2"), AskedProfile(compound="B", context="P1")]
    assert asked_pairs(obs, "plate", asked, ["plate", "hours"]) == [("A@1", "P2"), ("A@3", "P2")]
    elsewhere = [AskedProfile(compound="A", context="24", column="hours")]
    assert asked_pairs(obs, "plate", elsewhere, ["plate", "hours"]) == []


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"compound": "Z", "context": "P1"}, r"asked: no compound 'Z' in this screen; there are A, B"),
        ({"compound": "A", "context": "P9"}, r"asked: no context 'P9' in this screen; there are P1, P2\n.*plate"),
        ({"compound": "A", "context": "P1", "column": "batch"}, r"column 'batch' is not among train_decoder.contexts"),
    ],
)
def test_what_is_asked_in_vain_is_named(obs: pd.DataFrame, asked: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        asked_pairs(obs, "plate", [AskedProfile(**asked)], ["plate"])


def test_a_compound_that_no_fold_predicts_is_listed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    paths = {}
    for name, columns in COLUMNS.items():
        paths[name] = [tmp_path / f"{name}_{fold}.tsv" for fold in (0, 1)]
        for path in paths[name]:
            write_table(path, pd.DataFrame(columns=columns))
    write_table(paths["asked"][0], pd.DataFrame([dict.fromkeys(COLUMNS["asked"], "A")]))
    outputs = ["summary", "comparisons", "all_explained", "explained_groups", "predicted_groups", "predicted"]
    written = {name: tmp_path / f"out_{name}.tsv" for name in [*outputs, "all_left_out"]}
    settings = EvaluateCounterfactualsSettings(
        asked=[AskedProfile(compound=name, context="P1") for name in ("A", "B", "B")]
    )
    summarize_counterfactuals(settings=settings, **paths, **written)
    left_out = read_table(written["all_left_out"], text_columns=["fold"])
    assert left_out[[keys.COMPOUND_ID, "reason"]].to_numpy().tolist() == [["B", "asked, but predicted in no fold"]]
    assert "B: its profile is not predicted" in caplog.text
    assert len(read_table(written["predicted"])) == 1
    assert len(read_table(written["summary"])) == 0


def test_a_group_is_the_mean_of_its_features_with_the_errors_of_validation_and_of_held_out_compounds() -> None:
    rng = np.random.default_rng(0)
    var = pd.DataFrame({"pathway": ["up", "down", "up"]}, index=list("abc"))
    validation, held_out = rng.normal(size=(4, 3)), rng.normal(size=(5, 3))
    weights = np.array([0.5, 0.25, 0.125, 0.125])
    error = HeldOutError(Residuals(validation, weights), Residuals(held_out, np.full(5, 0.2)), 5)
    predicted, measured = rng.normal(size=(2, 3)), np.array([[1.0, 2.0, 3.0], [np.nan] * 3])
    queries = pd.DataFrame({keys.COMPOUND_ID: ["A", "B"], keys.TREATMENT: ["A@1", "B@1"], CONTEXT: ["P1", "P2"]})
    found = group_rows(queries, measured, predicted, error, var, asked=True).set_index([keys.COMPOUND_ID, "group"])
    assert found.loc[("A", "up"), "predicted"] == pytest.approx((predicted[0, 0] + predicted[0, 2]) / 2)
    assert found.loc[("A", "up"), "measured"] == 2.0
    assert np.isnan(found.loc[("B", "up"), "measured"])
    means = (validation[:, 0] + validation[:, 2]) / 2
    assert found.loc[("B", "up"), "sd"] == pytest.approx(np.sqrt((weights * means**2).sum()))
    assert found.loc[("B", "down"), "held_out_rmse"] == pytest.approx(np.sqrt((held_out[:, 1] ** 2).mean()))
    np.testing.assert_allclose(error.of_feature, np.sqrt((held_out**2).mean(axis=0)))
    assert found["asked"].all()
