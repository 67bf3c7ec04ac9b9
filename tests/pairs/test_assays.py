"""Compounds of two assays: who is there, and in which folds."""

import numpy as np
import pandas as pd
import pytest

from dssl.errors import PairingError
from dssl.pairs.assays import all_compounds, counted, extend_folds
from dssl.pairs.splits import assign_folds, assign_groups
from dssl.settings.preparation import PairAndSplitSettings

SETTINGS = PairAndSplitSettings(split="skeleton", n_folds=3)


def compounds(n_both: int, n_first: int, n_second: int) -> pd.DataFrame:
    """Compounds, two to a skeleton, that have both assays, the first, or the second."""
    n = n_both + n_first + n_second
    kind = np.repeat(["both", "first", "second"], [n_both, n_first, n_second])
    return pd.DataFrame(
        {
            "skeleton": [f"S{row // 2}" for row in range(n)],
            "scaffold": "",
            "phenotype": kind != "second",
            "second_assay": kind != "first",
        },
        index=pd.Index([f"c{row:03}" for row in range(n)], name="compound_id"),
    )


def folds_of_both(molecules: pd.DataFrame) -> pd.DataFrame:
    both = molecules[molecules["phenotype"] & molecules["second_assay"]]
    return assign_folds(assign_groups(both, SETTINGS), SETTINGS)


def test_second_assay_adds_the_skeletons_that_the_first_has_not() -> None:
    first = pd.DataFrame({"compound_id": ["a", "b"], "skeleton": ["AAA", "BBB"], "class": ["x", "y"]})
    second = pd.DataFrame(
        {"compound_id": ["p", "b", "q", "r"], "skeleton": ["AAA", "CCC", "DDD", "DDD"], "target": ["t", "u", "v", "w"]}
    )
    found = all_compounds(first, second)
    assert found["compound_id"].tolist() == ["a", "b", "b (second assay)", "q"]
    assert found["skeleton"].tolist() == ["AAA", "BBB", "CCC", "DDD"]
    assert found["class"].tolist() == ["x", "y", "", ""]
    assert found["target"].tolist() == ["", "", "u", "v"]


def test_folds_of_both_stay_and_every_other_group_is_tested_once() -> None:
    molecules = compounds(24, 24, 60)
    folds = folds_of_both(molecules)
    found = extend_folds(molecules, folds, SETTINGS)
    pd.testing.assert_frame_equal(found.loc[folds.index], folds.astype(object), check_names=False)
    numbered = found[["fold_0", "fold_1", "fold_2"]]
    assert ((numbered == "test").sum(axis=1) == 1).all()
    assert set(found["fold_full"]) == {"train", "validation"}
    assert (numbered.groupby(molecules["skeleton"]).nunique() == 1).all().all()
    # those with one assay are spread over the folds each by themselves
    for kind, n in (("first", 24), ("second", 60)):
        rows = molecules["phenotype"] == (kind == "first")
        rows &= molecules["second_assay"] == (kind == "second")
        assert (numbered[rows] == "test").sum().tolist() == [n // 3] * 3


def test_relatives_of_a_compound_with_both_have_its_role() -> None:
    molecules = compounds(12, 12, 12)
    molecules.loc["c030", "skeleton"] = "S0"
    found = extend_folds(molecules, folds_of_both(molecules), SETTINGS)
    assert found.loc["c030"].tolist() == found.loc["c000"].tolist()


def test_a_compound_that_links_what_is_held_out_apart_is_left_out() -> None:
    settings = SETTINGS.model_copy(update={"group_columns": ["series"]})
    molecules = compounds(12, 12, 12).assign(series="")
    folds = folds_of_both(molecules)
    (other,) = [name for name in ("c002", "c004", "c006", "c008", "c010") if folds.loc[name, "fold_0"] != "test"][:1]
    tested = folds.index[folds["fold_0"] == "test"][0]
    # the link has the skeleton of the tested one and the series of the other
    molecules.loc["c030", ["skeleton", "series"]] = [molecules.loc[tested, "skeleton"], "linked"]
    molecules.loc[other, "series"] = "linked"
    found = extend_folds(molecules, folds, settings)
    assert found.loc["c030", "fold_0"] == "left out"
    assert found.loc[tested, "fold_0"] == "test"
    assert found.loc[other, "fold_0"] == folds.loc[other, "fold_0"]


def test_too_few_others_train() -> None:
    molecules = compounds(24, 4, 24)
    found = extend_folds(molecules, folds_of_both(molecules), SETTINGS)
    assert set(found.loc[molecules.index[24:28]].to_numpy().ravel()) == {"train"}


def test_user_folds_are_not_asked_of_compounds_with_one_assay() -> None:
    molecules = compounds(24, 24, 24).assign(batch="")
    settings = SETTINGS.model_copy(update={"split": "column", "fold_column": "batch"})
    found = extend_folds(molecules, folds_of_both(molecules), settings)
    assert ((found[["fold_0", "fold_1", "fold_2"]] == "test").sum(axis=1) == 1).all()


def test_folds_of_another_run_are_refused() -> None:
    molecules = compounds(24, 4, 4)
    folds = folds_of_both(molecules).rename(index={"c000": "gone"})
    with pytest.raises(PairingError, match="1 compounds that have both assays are not among the molecules: gone"):
        extend_folds(molecules, folds, SETTINGS)


def test_every_compound_is_counted_in_every_fold() -> None:
    molecules = compounds(24, 12, 60)
    joined = molecules.join(extend_folds(molecules, folds_of_both(molecules), SETTINGS))
    found = counted(joined)
    assert set(found["fold"]) == {"0", "1", "2", "full"}
    assert (found.groupby("fold")["n_compounds"].sum() == 96).all()
    (n_tested,) = found.loc[
        (found["fold"] == "1") & (found["role"] == "test") & found["phenotype"] & found["second_assay"], "n_compounds"
    ]
    assert n_tested == 8
