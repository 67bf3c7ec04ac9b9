import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dssl.errors import TableError
from dssl.phenotypes.cells import cell_text, comparable_text, numbers_of, settle_dtypes, text_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (1.0, "1"),
        (np.float64(-3.0), "-3"),
        (0.5, "0.5"),
        (" a b ", "a b"),
        ("00123", "00123"),
        ("1.0", "1.0"),
        (True, "True"),
        (None, ""),
        (np.nan, ""),
        (pd.NA, ""),
        (pd.NaT, ""),
    ],
)
def test_text_of_a_cell(value, text):
    assert cell_text(value) == text


@pytest.mark.parametrize("group", [(1, "1", 1.0, "1.0", np.int64(1)), (True, "True", "true", "TRUE"), (0.5, "0.5")])
def test_comparable_text_is_the_same_within_a_group(group):
    assert len({comparable_text(value) for value in group}) == 1


@pytest.mark.parametrize(("one", "other"), [(1, "01"), (1, True), ("DMSO", "dmso"), (1, "1.5"), ("", 0)])
def test_comparable_text_tells_apart(one, other):
    assert comparable_text(one) != comparable_text(other)


def test_integers_with_a_gap_are_the_same_text_as_without():
    with_gap, whole = pd.Series([7, None, 12]), pd.Series([7, 12])
    assert text_of(with_gap)[[0, 2]].tolist() == text_of(whole).tolist()


def test_true_and_one_are_different_texts():
    assert text_of(pd.Series([True, 1.0, "x"], dtype=object)).tolist() == ["True", "1", "x"]


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1))
def test_numbers_written_as_text_are_read_back(numbers):
    column = pd.Series([None if np.isnan(number) else repr(number) for number in numbers], dtype=object, name="x")
    # pandas reads no more than 15 digits of text
    np.testing.assert_allclose(numbers_of(column, "feature", "t.csv", ""), numbers, rtol=1e-13)


def test_text_among_numbers_is_refused_with_column_value_and_row():
    column = pd.Series([1.0, "n. d.", None, "2.5", "bad"], dtype=object, name="Size")
    with pytest.raises(TableError, match=r"(?s)t.csv: feature 'Size'.*2 of 5 .*'n. d.' in row 2, 'bad' in row 5\nMend"):
        numbers_of(column, "feature", "t.csv", "Mend it.")


@pytest.mark.parametrize(
    ("values", "settled"),
    [
        ([1, 2], [1.0, 2.0]),
        ([True, False], [True, False]),
        ([True, None], ["True", ""]),
        ([None, None], [np.nan, np.nan]),
        ([1, None], [1.0, np.nan]),
        ([1, "x"], ["1", "x"]),
        (["x", None], ["x", ""]),
        ([True, 1], ["True", "1"]),
    ],
)
def test_settled_columns(values, settled):
    frame = pd.DataFrame({"a": pd.Series(values, dtype=object)})
    pd.testing.assert_series_equal(settle_dtypes(frame, ["a"])["a"], pd.Series(settled, name="a"))


@pytest.mark.parametrize("dtype", ["Int64", "Float32", "boolean", "string", "category"])
def test_pandas_own_dtypes_are_settled(dtype):
    column = pd.Series([1, 0, None]).astype("Int64").astype(dtype)
    settled = settle_dtypes(pd.DataFrame({"a": column}), ["a"])["a"]
    assert settled.dtype in (np.dtype("float64"), np.dtype("O"))
    assert settled.tolist()[:2] in ([1.0, 0.0], ["True", "False"], ["1", "0"])
    assert settled.iloc[2] == "" or np.isnan(settled.iloc[2])
