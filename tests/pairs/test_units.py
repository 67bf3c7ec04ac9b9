import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dssl.errors import LeakageError, PairingError
from dssl.pairs.folds import add_folds, roles_of_wells
from dssl.pairs.leakage import check_wells
from dssl.pairs.levels import pool
from dssl.pairs.pairing import pair
from dssl.pairs.rows import of_fold, rows_of, rows_of_role
from dssl.pairs.units import assign_wells
from dssl.settings.preparation import PairAndSplitSettings

UNITS = {"plate": "plate", "batch": "batch", "dose": "dose_um"}


def screen(seed: int, n_compounds: int = 24, n_plates: int = 8) -> tuple[pd.DataFrame, pd.Series]:
    """Every compound on two plates of a quarter of all; groups of two compounds."""
    random = np.random.default_rng(seed)
    rows = [
        (f"c{one:02d}", f"P{plate}", f"B{plate % 4}", dose)
        for one in range(n_compounds)
        for plate in random.choice(np.arange(2) + 2 * (one % (n_plates // 2)), 2, replace=False)
        for dose in (1.0, 10.0, 30.0)
    ]
    wells = pd.DataFrame(rows, columns=["compound_id", "plate", "batch", "dose_um"])
    groups = pd.Series({f"c{one:02d}": f"g{one // 8}-{one % 4}" for one in range(n_compounds)})
    return wells.set_axis([f"w{number}" for number in range(len(wells))], axis=0), groups


@hypothesis_settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["plate", "batch", "dose"]), st.integers(1, 3))
def test_known_compounds_are_queried_from_whole_units(seed, split, n_repeats):
    wells, groups = screen(seed)
    settings = PairAndSplitSettings(split=split, known_compounds="queried", n_folds=3, n_repeats=n_repeats, seed=seed)
    roles = assign_wells(wells, groups, settings)
    assert list(roles) == [f"fold_{fold}" for fold in range(3 * n_repeats)] + ["fold_full"]
    for fold in roles.columns[:-1]:
        assert set(roles[fold]) == {"train", "validation", "test"}
        assert (roles[fold].groupby(wells[UNITS[split]]).nunique() == 1).all()
    for repeat in range(n_repeats):
        tested = roles.iloc[:, 3 * repeat : 3 * repeat + 3] == "test"
        assert (tested.sum(axis=1) == 1).all()
    assert set(roles["fold_full"]) == {"train", "validation"}
    assert (roles["fold_full"].groupby(wells["compound_id"].map(groups)).nunique() == 1).all()
    check_wells(roles, wells, groups, settings)
    # with all compounds at all doses, each is known from other doses
    if split == "dose":
        assert all(set(part["compound_id"]) == set(groups.index) for _, part in wells.groupby(roles["fold_0"]))


@hypothesis_settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000))
def test_compounds_of_held_out_plates_are_not_trained_on(seed):
    wells, groups = screen(seed)
    settings = PairAndSplitSettings(split="plate", n_folds=4, seed=seed)
    roles = assign_wells(wells, groups, settings)
    check_wells(roles, wells, groups, settings)
    group = wells["compound_id"].map(groups)
    for fold in roles.columns[:-1]:
        tested, unused = roles[fold] == "test", roles[fold] == "left out"
        assert (tested.groupby(wells["plate"]).nunique() == 1).all()
        assert set(group[tested]).isdisjoint(group[~tested & ~unused])
        # nothing is left out without need
        assert set(group[unused]) <= set(group[tested])
        assert (roles[fold][~unused].groupby(group[~unused]).nunique() == 1).all()


def test_repeats_are_assigned_anew_and_the_first_is_that_of_a_single_one():
    wells, groups = screen(0, n_plates=8)
    once, twice = (
        assign_wells(wells, groups, PairAndSplitSettings(split="plate", n_folds=4, n_repeats=n, refit=False))
        for n in (1, 2)
    )
    pd.testing.assert_frame_equal(once, twice[once.columns])
    tests = [frozenset(wells["plate"][twice[f"fold_{fold}"] == "test"]) for fold in range(8)]
    assert set(tests[:4]) != set(tests[4:])


def test_every_plate_with_every_compound_needs_known_compounds():
    wells, groups = screen(0)
    settings = PairAndSplitSettings(split="dose", n_folds=3)
    with pytest.raises(PairingError, match=r"(?s)outside its 48 test wells there are 0 .*known_compounds: queried"):
        assign_wells(wells, groups, settings)
    with pytest.raises(PairingError, match=r"n_folds is 5, but the wells have 3 values of dose: 1, 10, 30"):
        assign_wells(wells, groups, settings.model_copy(update={"n_folds": 5}))
    two = wells[wells["dose_um"] < 30]
    queried = settings.model_copy(update={"n_folds": 2, "known_compounds": "queried"})
    with pytest.raises(PairingError, match=r"(?s)there are 1 of the kind: dose.*Lower pair_and_split.n_folds"):
        assign_wells(two, groups, queried)
    with pytest.raises(PairingError, match=r"every well needs a dose; 1 of 144 have none: w7"):
        assign_wells(wells.assign(dose_um=wells["dose_um"].where(wells.index != "w7")), groups, settings)


def test_leaks_of_wells_are_found():
    wells, groups = screen(1)
    settings = PairAndSplitSettings(split="plate", n_folds=4)
    roles = assign_wells(wells, groups, settings)
    spoiled = roles.copy()
    one = spoiled.index[spoiled["fold_0"] == "test"][0]
    spoiled.loc[one, "fold_0"] = "train"
    with pytest.raises(LeakageError, match="values of plate are on both sides of the split"):
        check_wells(spoiled, wells, groups, settings)
    back = roles.copy()
    back.loc[back.index[back["fold_0"] == "left out"], "fold_0"] = "train"
    with pytest.raises(LeakageError, match="values of group of compounds are on both sides"):
        check_wells(back, wells, groups, settings)
    queried = settings.model_copy(update={"known_compounds": "queried"})
    known = assign_wells(wells, groups, queried)
    known["fold_0"] = known["fold_1"]
    with pytest.raises(LeakageError, match="every well must be in exactly one test fold; .* are in none or several"):
        check_wells(known, wells, groups, queried)


@pytest.fixture
def known(profiles, features, aliases):
    """Two plates... made four, each compound with a well on two of them."""
    profiles.obs["plate"] = [f"P{position % 2 + 2 * (position >= 24)}" for position in range(profiles.n_obs)]
    settings = PairAndSplitSettings(split="plate", known_compounds="queried", n_folds=4)
    return add_folds(pair(profiles, features, aliases, settings), settings).mdata


def test_a_fold_has_a_compound_once_for_each_role_of_its_wells(known):
    fold = of_fold(known, "0")
    wells, molecules = fold["phenotype"].obs, fold["molecule"].obs
    assert not [name for name in (*wells, *molecules) if name.startswith("fold_")]
    assert len(wells) == len(known["phenotype"].obs)
    assert molecules.index.is_unique
    assert set(wells["compound_id"]) == set(molecules.index)
    assert set(molecules["original_id"]) == set(known["molecule"].obs_names)
    assert any(name.endswith(" (test)") for name in molecules.index)
    role = wells["compound_id"].astype(str).map(molecules["split"].astype(str))
    assert (role == wells["split"].astype(str)).all()
    assert (wells.groupby("plate", observed=True)["split"].nunique() == 1).all()
    original = wells["compound_id"].astype(str).map(molecules["original_id"].astype(str))
    assert (original == known["phenotype"].obs["compound_id"].astype(str)).all()
    doses = [text.partition("@")[2] for text in wells["treatment"].astype(str)]
    assert set(doses) == {"10uM"}
    # no profile is pooled over the split
    _, pooled = pool(fold["phenotype"].X, wells, "compound")
    assert "split" in pooled
    _, pooled = pool(fold["phenotype"].X, wells, "treatment")
    assert "split" in pooled
    features = fold["molecule"].X.toarray()
    np.testing.assert_array_equal(features, known["molecule"][list(molecules["original_id"])].X.toarray())
    for name in ("train", "validation", "test"):
        before, after = rows_of(known, "0", name), rows_of_role(fold, name)
        assert before.molecule.sum() == after.molecule.sum()
        np.testing.assert_array_equal(before.phenotype, after.phenotype)


def test_folds_of_compounds_keep_every_row_and_its_order(profiles, features, aliases):
    settings = PairAndSplitSettings(n_folds=3, n_repeats=2)
    mdata = add_folds(pair(profiles, features, aliases, settings), settings).mdata
    assert [name for name in mdata["molecule"].obs if name.startswith("fold_")] == [
        *(f"fold_{fold}" for fold in range(6)),
        "fold_full",
    ]
    fold = of_fold(mdata, "4")
    assert list(fold["molecule"].obs_names) == list(mdata["molecule"].obs_names)
    assert list(fold["phenotype"].obs_names) == list(mdata["phenotype"].obs_names)
    assert (fold["molecule"].obs["split"].astype(str) == mdata["molecule"].obs["fold_4"].astype(str)).all()
    assert "original_id" not in fold["molecule"].obs


def test_roles_of_wells_are_listed(known, profiles, features, aliases):
    listed = roles_of_wells(known)
    assert list(listed.columns[:3]) == ["plate", "well", "compound_id"]
    assert (listed["fold_1"] == known["phenotype"].obs["fold_1"].astype(str).to_numpy()).all()
    settings = PairAndSplitSettings(n_folds=3)
    mdata = add_folds(pair(profiles, features, aliases, settings), settings).mdata
    slow = [mdata["molecule"].obs.loc[one, "fold_2"] for one in mdata["phenotype"].obs["compound_id"]]
    assert roles_of_wells(mdata)["fold_2"].tolist() == slow
