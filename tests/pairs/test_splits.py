import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dssl.errors import ConfigError, LeakageError, PairingError
from dssl.pairs.leakage import check_no_leakage
from dssl.pairs.splits import assign_folds, assign_groups
from dssl.settings.preparation import PairAndSplitSettings

TEXT = st.sampled_from(["", "a", "b", "c", "d", None])


def frame_of(rows) -> pd.DataFrame:
    ids = pd.Index([f"c{number:03d}" for number in range(len(rows))], name="compound_id")
    return pd.DataFrame(rows, columns=["skeleton", "scaffold", "target"], index=ids, dtype=object)


def components(molecules: pd.DataFrame, columns: list[str]) -> set[frozenset[str]]:
    """The slow truth: merge the sets of every two compounds that agree in a column."""
    member_of = {one: frozenset([one]) for one in molecules.index}
    for column in columns:
        for one in molecules.index:
            for other in molecules.index:
                value = molecules.loc[one, column]
                if value not in ("", None) and value == molecules.loc[other, column]:
                    merged = member_of[one] | member_of[other]
                    member_of.update(dict.fromkeys(merged, merged))
    return set(member_of.values())


def partition(groups: pd.Series) -> set[frozenset[str]]:
    return {frozenset(members.index) for _, members in groups.groupby(groups)}


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=12),
    split=st.sampled_from(["random", "skeleton", "scaffold", "column"]),
    by_target=st.booleans(),
)
def test_groups_are_connected_components(rows, split, by_target):
    molecules = frame_of(rows)
    bound = {"random": [], "skeleton": ["skeleton"], "scaffold": ["skeleton", "scaffold"], "column": ["skeleton"]}
    settings = PairAndSplitSettings(
        split=split,
        fold_column="f" if split == "column" else None,
        group_columns=["target"] if by_target else [],
    )
    groups = assign_groups(molecules, settings)
    assert partition(groups) == components(molecules, bound[split] + (["target"] if by_target else []))
    assert list(groups.index) == list(molecules.index)
    shuffled = molecules.iloc[::-1]
    pd.testing.assert_series_equal(assign_groups(shuffled, settings).loc[groups.index], groups)


def test_acyclic_skeletons_are_groups_of_their_own(molecules):
    groups = assign_groups(molecules, PairAndSplitSettings(split="scaffold"))
    acyclic = groups[molecules["scaffold"] == ""]
    assert acyclic.nunique() == 2
    assert groups.nunique() == 5 + 2
    assert assign_groups(molecules, PairAndSplitSettings(split="random")).nunique() == 24


def test_categories_of_a_file_bind_as_text_does(molecules):
    settings = PairAndSplitSettings(split="scaffold")
    pd.testing.assert_series_equal(
        assign_groups(molecules.astype("category"), settings), assign_groups(molecules, settings)
    )


def test_group_column_that_does_not_exist(molecules):
    with pytest.raises(ConfigError, match=r"group_columns: the molecules have no column 'target'"):
        assign_groups(molecules, PairAndSplitSettings(group_columns=["target"]))


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=12, max_size=40),
    n_folds=st.integers(2, 3),
    fraction=st.sampled_from([0.05, 0.15, 0.45]),
    seed=st.integers(0, 5),
)
def test_folds_are_a_balanced_partition_of_whole_groups(sizes, n_folds, fraction, seed):
    names = [f"g{number:02d}" for number, size in enumerate(sizes) for _ in range(size)]
    groups = pd.Series(names, index=[f"c{number:03d}" for number in range(len(names))])
    settings = PairAndSplitSettings(n_folds=n_folds, validation_fraction=fraction, seed=seed)
    folds = assign_folds(groups, settings)
    assert list(folds.columns) == [f"fold_{fold}" for fold in range(n_folds)] + ["fold_full"]
    tested = folds.drop(columns="fold_full") == "test"
    assert (tested.sum(axis=1) == 1).all()
    # with the largest group last to arrive, the fullest fold cannot be ahead by more than that group
    assert tested.sum().max() - tested.sum().min() <= max(sizes)
    for column in folds:
        assert (folds[column].groupby(groups).nunique() == 1).all()
        counts = folds[column].value_counts()
        assert counts["train"] > 0
        outside = len(groups) - counts.get("test", 0)
        assert abs(counts["validation"] - fraction * outside) <= max(sizes)
    assert "test" not in set(folds["fold_full"])
    pd.testing.assert_frame_equal(assign_folds(groups.iloc[::-1], settings).loc[groups.index], folds)


def test_validation_share_and_seed():
    groups = pd.Series([f"g{number:03d}" for number in range(200)], index=[f"c{number:03d}" for number in range(200)])
    first, second = (assign_folds(groups, PairAndSplitSettings(seed=seed)) for seed in (0, 1))
    assert (first["fold_0"].value_counts()[["test", "validation", "train"]] == [40, 24, 136]).all()
    assert (first["fold_full"].value_counts()[["validation", "train"]] == [30, 170]).all()
    assert (first["fold_0"] != second["fold_0"]).mean() > 0.2
    pd.testing.assert_frame_equal(first, assign_folds(groups, PairAndSplitSettings(seed=0)))
    assert "fold_full" not in assign_folds(groups, PairAndSplitSettings(refit=False))


def test_repeats_are_further_assignments_of_the_same_kind(molecules):
    settings = PairAndSplitSettings(n_folds=3, n_repeats=3)
    groups = assign_groups(molecules, settings)
    folds = assign_folds(groups, settings)
    assert list(folds) == [*(f"fold_{fold}" for fold in range(9)), "fold_full"]
    first = assign_folds(groups, settings.model_copy(update={"n_repeats": 1}))
    pd.testing.assert_frame_equal(folds[["fold_0", "fold_1", "fold_2"]], first[["fold_0", "fold_1", "fold_2"]])
    partitions = [
        {frozenset(folds.index[folds[f"fold_{3 * repeat + place}"] == "test"]) for place in range(3)}
        for repeat in range(3)
    ]
    assert partitions[0] != partitions[1] != partitions[2] != partitions[0]
    assert all(frozenset.union(*partition) == frozenset(molecules.index) for partition in partitions)
    check_no_leakage(folds, molecules, settings)
    folds["fold_4"] = folds["fold_3"]
    with pytest.raises(LeakageError, match="exactly one test fold of repeat 1; "):
        check_no_leakage(folds, molecules, settings)
    with pytest.raises(ValueError, match="with split: column they are the user's"):
        PairAndSplitSettings(split="column", fold_column="f", n_repeats=2)


def test_clusters_bind_beside_skeletons(molecules):
    settings = PairAndSplitSettings(split="cluster", n_folds=2)
    clustered = molecules.assign(cluster=[f"cluster_{number // 3}" for number in range(24)])
    groups = assign_groups(clustered, settings)
    assert partition(groups) == components(clustered, ["skeleton", "cluster"])
    check_no_leakage(assign_folds(groups, settings), clustered, settings)
    random = assign_folds(assign_groups(molecules, PairAndSplitSettings(n_folds=2)), PairAndSplitSettings(n_folds=2))
    with pytest.raises(LeakageError, match="values of cluster are on both sides"):
        check_no_leakage(random, clustered, settings)


def test_too_few_groups():
    groups = pd.Series([f"g{number}" for number in range(9)], index=list("abcdefghi"))
    with pytest.raises(PairingError, match=r"5 folds need at least 10 groups.*9 paired compounds form 9"):
        assign_folds(groups, PairAndSplitSettings(n_folds=5))
    assert assign_folds(groups, PairAndSplitSettings(n_folds=4)).shape == (9, 5)


def test_one_group_too_large_to_leave_validation_and_training():
    groups = pd.Series(["big"] * 50 + ["x", "y", "z"], index=[f"c{number}" for number in range(53)])
    with pytest.raises(PairingError, match="outside its test compounds there are 1 groups"):
        assign_folds(groups, PairAndSplitSettings(n_folds=2))


@pytest.mark.parametrize("values", [[2, 10, 33], ["2", "10", "33"], [2.0, 10.0, 33.0], ["a", "b", "x2"]])
def test_folds_of_the_user_are_taken_exactly(molecules, values):
    user = pd.Series(np.repeat(values, 8).astype(object), index=molecules.index).sample(frac=1, random_state=3)
    user.index = molecules.index
    settings = PairAndSplitSettings(split="column", fold_column="f", n_folds=3)
    folds = assign_folds(assign_groups(molecules, settings), settings, user)
    for fold, value in enumerate(values):
        assert list(folds.index[folds[f"fold_{fold}"] == "test"]) == list(user.index[user == value])
    assert (folds[["fold_0", "fold_1", "fold_2"]] == "validation").any().all()


def test_number_of_the_users_folds(molecules):
    settings = PairAndSplitSettings(split="column", fold_column="plate_map", n_folds=4)
    user = pd.Series(np.arange(24) % 3, index=molecules.index)
    with pytest.raises(ConfigError, match=r"n_folds is 4, but column 'plate_map' has 3 distinct values: 0, 1, 2"):
        assign_folds(assign_groups(molecules, settings), settings, user)


def test_missing_fold_of_the_user(molecules):
    settings = PairAndSplitSettings(split="column", fold_column="plate_map", n_folds=3)
    user = pd.Series(np.arange(24) % 3, index=molecules.index).astype(object)
    user["c05"] = None
    with pytest.raises(PairingError, match=r"'plate_map' is empty for 1 compounds: c05"):
        assign_folds(assign_groups(molecules, settings), settings, user)


def test_folds_of_the_user_belong_to_split_column(molecules):
    settings = PairAndSplitSettings()
    with pytest.raises(ConfigError, match="needed with split: column, and only with it"):
        assign_folds(assign_groups(molecules, settings), settings, pd.Series(0, index=molecules.index))


@pytest.mark.parametrize("split", ["random", "skeleton", "scaffold"])
def test_assigned_folds_never_leak(make_molecules, split):
    molecules = make_molecules(60).assign(target=[f"t{number % 37}" for number in range(60)])
    for seed in range(5):
        settings = PairAndSplitSettings(split=split, group_columns=["target"], n_folds=2, seed=seed)
        if split != "random":
            settings = settings.model_copy(update={"group_columns": []})
        check_no_leakage(assign_folds(assign_groups(molecules, settings), settings), molecules, settings)
