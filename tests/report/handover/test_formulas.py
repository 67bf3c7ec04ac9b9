import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from dssl.report.handover.formulas import RISKY, original_frame, original_text, safe_frame, safe_text


@given(st.text())
def test_no_text_begins_as_a_formula_and_each_can_be_read_back(text: str) -> None:
    safe = safe_text(text)
    assert not safe.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert original_text(safe) == text


def test_what_is_risky_is_marked_and_nothing_else_is() -> None:
    assert [safe_text(text) for text in ("=cmd()", "+1", "-1", "@x", "\tx", "\rx", "\nx", "'a", "＝1")] == [
        "'=cmd()", "'+1", "'-1", "'@x", "'\tx", "'\rx", "'\nx", "''a", "'＝1",
    ]  # fmt: skip
    for text in ("", "<script>", "a=b", "5-HT", "(-)-x", "β"):
        assert safe_text(text) == text
    assert RISKY[-1] == "'"


def test_numbers_and_missing_cells_of_a_table_stay_and_its_columns_are_safe_too() -> None:
    frame = pd.DataFrame(
        {"=name": ["=1", None, "x"], "value": [-1.0, np.nan, 2.0], "kind": pd.Categorical(["-", "b", "-"])},
        index=[5, 6, 7],
    )
    safe = safe_frame(frame)
    assert safe.columns.tolist() == ["'=name", "value", "kind"]
    assert safe["'=name"].tolist() == ["'=1", None, "x"]
    assert safe["kind"].tolist() == ["'-", "b", "'-"]
    assert safe["value"].dtype == float
    pd.testing.assert_frame_equal(original_frame(safe), frame.astype({"kind": object}))
