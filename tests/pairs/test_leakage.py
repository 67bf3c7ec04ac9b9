import logging

import pandas as pd
import pytest

from dssl.errors import LeakageError
from dssl.pairs.leakage import check_no_leakage
from dssl.pairs.splits import assign_folds, assign_groups
from dssl.settings.preparation import PairAndSplitSettings

SCAFFOLD = PairAndSplitSettings(split="scaffold", n_folds=2)


def folds_of(molecules: pd.DataFrame, settings: PairAndSplitSettings) -> pd.DataFrame:
    folds = assign_folds(assign_groups(molecules, settings), settings)
    check_no_leakage(folds, molecules, settings)
    return folds


def swap_roles(folds: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    """Exchange all roles of two compounds: still every compound in one test fold."""
    swapped = folds.copy()
    swapped.loc[[one, other]] = folds.loc[[other, one]].to_numpy()
    return swapped


def other_fold(folds: pd.DataFrame, one: str) -> str:
    return folds.index[folds["fold_0"] != folds.loc[one, "fold_0"]][0]


def test_skeleton_straddles(molecules):
    settings = PairAndSplitSettings(split="skeleton", n_folds=2)
    folds = folds_of(molecules, settings)
    leaking = swap_roles(folds, "c00", other_fold(folds, "c00"))
    with pytest.raises(LeakageError, match=r"values of skeleton are on both sides[\s\S]*c00, c01"):
        check_no_leakage(leaking, molecules, settings)
    check_no_leakage(leaking, molecules, PairAndSplitSettings(split="random", n_folds=2))


def test_scaffold_straddles(molecules):
    settings = PairAndSplitSettings(split="skeleton", n_folds=2)
    for seed in range(20):
        folds = folds_of(molecules, settings.model_copy(update={"seed": seed}))
        if (folds["fold_0"].groupby(molecules["scaffold"]).nunique().drop("") > 1).any():
            break
    with pytest.raises(LeakageError, match=r"values of scaffold are on both sides"):
        check_no_leakage(folds, molecules, SCAFFOLD)


def test_shared_empty_scaffold_is_no_leak(molecules):
    folds = folds_of(molecules, SCAFFOLD)
    acyclic = folds[molecules["scaffold"] == ""]
    leaking = [column for column in folds if acyclic[column].nunique() > 1]
    assert leaking, "the acyclic compounds lie in one role everywhere: the test shows nothing"


def test_value_of_a_group_column_straddles(molecules):
    settings = PairAndSplitSettings(split="random", n_folds=2)
    folds = folds_of(molecules, settings)
    target = pd.Series(None, index=molecules.index, dtype=object)
    target[["c02", other_fold(folds, "c02")]] = "kinase"
    grouped = settings.model_copy(update={"group_columns": ["target"]})
    with pytest.raises(LeakageError, match=r"1 values of target are on both sides of the split, first 'kinase'"):
        check_no_leakage(folds, molecules.assign(target=target), grouped)


def test_compound_in_two_roles(molecules):
    settings = PairAndSplitSettings(split="random", n_folds=2)
    folds = folds_of(molecules, settings)
    other = other_fold(folds, "c03")
    twice = pd.concat([folds, folds.loc[[other]].rename(index={other: "c03"})])
    with pytest.raises(LeakageError, match=r"values of compound are on both sides of the split, first 'c03'"):
        check_no_leakage(twice, molecules, settings)


@pytest.mark.parametrize("role", ["train", "validation", "test"])
def test_role_is_missing(molecules, role):
    folds = folds_of(molecules, SCAFFOLD)
    folds["fold_1"] = folds["fold_1"].replace(role, "train" if role != "train" else "test")
    with pytest.raises(LeakageError, match=f"fold_1: no compound has the role {role}"):
        check_no_leakage(folds, molecules, SCAFFOLD)


def test_full_fold_has_validation_and_no_test(molecules):
    folds = folds_of(molecules, SCAFFOLD)
    tested = folds.assign(fold_full=folds["fold_0"])
    with pytest.raises(LeakageError, match="fold_full is for hand-over and has no test compounds"):
        check_no_leakage(tested, molecules, SCAFFOLD)
    with pytest.raises(LeakageError, match="fold_full: no compound has the role validation"):
        check_no_leakage(folds.assign(fold_full="train"), molecules, SCAFFOLD)


def test_unknown_role(molecules):
    folds = folds_of(molecules, SCAFFOLD)
    folds.loc["c07", "fold_0"] = "held_out"
    with pytest.raises(LeakageError, match=r"1 are not, first 'held_out': c07"):
        check_no_leakage(folds, molecules, SCAFFOLD)


def test_tested_twice(molecules):
    settings = PairAndSplitSettings(split="random", n_folds=2)
    folds = folds_of(molecules, settings)
    folds.loc["c04", ["fold_0", "fold_1"]] = "test"
    with pytest.raises(LeakageError, match=r"exactly one test fold; 1 are in none or several: c04"):
        check_no_leakage(folds, molecules, settings)


def test_compounds_differ(molecules):
    folds = folds_of(molecules, SCAFFOLD)
    with pytest.raises(LeakageError, match=r"1 are in one of them only: c00"):
        check_no_leakage(folds.drop(index="c00"), molecules, SCAFFOLD)


def test_folds_of_the_user_warn_about_skeletons(molecules, caplog):
    settings = PairAndSplitSettings(split="column", fold_column="f", n_folds=2)
    whole = pd.Series([number // 12 for number in range(24)], index=molecules.index)
    split_pair = whole.where(~whole.index.isin(["c00", "c23"]), 1 - whole)
    for user, expected in ((whole, 0), (split_pair, 1)):
        caplog.clear()
        folds = assign_folds(assign_groups(molecules, settings), settings, user)
        with caplog.at_level(logging.WARNING, logger="dssl"):
            check_no_leakage(folds, molecules, settings)
        assert bool(caplog.records) == bool(expected)
    assert "skeleton are on both sides of the user's split" in caplog.text
    assert "c00, c01" in caplog.text
