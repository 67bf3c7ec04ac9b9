import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dssl.pairs.levels import origins, pool

KEYS = {"treatment": "treatment", "compound": "compound_id"}


def wells(compounds: list[int], seed: int = 0) -> tuple[np.ndarray, pd.DataFrame]:
    random = np.random.default_rng(seed)
    n = len(compounds)
    doses = random.choice([1.0, 10.0], n)
    obs = pd.DataFrame(
        {
            "plate": [f"P{number}" for number in random.integers(0, 3, n)],
            "well": [f"A{number:02d}" for number in range(n)],
            "batch": "B1",
            "compound_id": [f"c{compound}" for compound in compounds],
            "dose_um": doses,
            "is_control": False,
            "cell_count": random.integers(10, 100, n).astype(float),
            "mechanism": [f"m{compound % 2}" for compound in compounds],
        },
        index=[f"w{number}" for number in range(n)],
    )
    obs["treatment"] = obs["compound_id"] + "@" + obs["dose_um"].map("{:g}".format) + "uM"
    return random.normal(size=(n, 3)).astype(np.float32), obs


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=12), st.sampled_from(["treatment", "compound"]))
def test_pooling_agrees_with_a_group_by_of_pandas(compounds: list[int], level: str) -> None:
    values, obs = wells(compounds)
    pooled, pooled_obs = pool(values, obs, level)
    key = obs[KEYS[level]]
    expected = pd.DataFrame(values.astype(float)).groupby(key.to_numpy(), sort=False).mean()
    assert list(pooled_obs.index) == list(expected.index)
    np.testing.assert_allclose(pooled, expected.to_numpy(), atol=1e-6)
    assert pooled.dtype == np.float32
    by_key = obs.groupby(key, sort=False)
    assert pooled_obs["n_wells"].tolist() == by_key.size().tolist()
    np.testing.assert_allclose(pooled_obs["cell_count"], by_key["cell_count"].mean())
    assert origins(pooled_obs["plate"]) == [frozenset(cells) for cells in by_key["plate"].agg(list)]
    assert pooled_obs["mechanism"].tolist() == by_key["mechanism"].first().tolist()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=2, max_size=8))
def test_the_order_of_wells_changes_only_the_order_of_rows(compounds: list[int]) -> None:
    values, obs = wells(compounds)
    order = np.random.default_rng(0).permutation(len(compounds))
    first, first_obs = pool(values, obs, "compound")
    second, second_obs = pool(values[order], obs.iloc[order], "compound")
    back = second_obs.index.get_indexer(first_obs.index)
    np.testing.assert_allclose(first, second[back], atol=1e-6)


def test_wells_are_left_as_they_are() -> None:
    values, obs = wells([0, 0, 1])
    same, same_obs = pool(values, obs, "well")
    np.testing.assert_array_equal(same, values)
    pd.testing.assert_frame_equal(same_obs.drop(columns="n_wells"), obs)
    assert same_obs["n_wells"].tolist() == [1, 1, 1]


def test_a_column_that_varies_within_a_row_has_no_value_there_and_is_left_out() -> None:
    values, obs = wells([0, 0, 1])
    obs["dose_um"] = [1.0, 10.0, 1.0]
    _, pooled = pool(values, obs, "compound")
    assert "dose_um" not in pooled
    assert "well" not in pooled
    assert {"compound_id", "plate", "batch", "is_control"} <= set(pooled)


def test_a_column_missing_in_some_wells_of_a_compound_varies() -> None:
    values, obs = wells([0, 0, 1])
    obs["note"] = ["a", None, "b"]
    obs["never"] = np.nan
    _, pooled = pool(values, obs, "compound")
    assert "note" not in pooled
    assert pooled["never"].isna().all()


def test_categories_of_plates_and_compounds_are_pooled_like_text() -> None:
    values, obs = wells([1, 0, 1])
    categorical = obs.astype(dict.fromkeys(["plate", "batch", "compound_id", "treatment"], "category"))
    _, expected = pool(values, obs, "compound")
    _, found = pool(values, categorical, "compound")
    assert list(found.index) == list(expected.index) == ["c1", "c0"]
    assert found["plate"].tolist() == expected["plate"].tolist()


def test_plates_are_named_in_the_order_in_which_they_occur() -> None:
    values, obs = wells([0, 0, 0])
    obs["plate"] = ["P9", "P1", "P9"]
    assert pool(values, obs, "compound")[1]["plate"].tolist() == ["P9|P1"]


def test_unknown_level() -> None:
    with pytest.raises(KeyError, match="plate"):
        pool(*wells([0]), "plate")
