import base64
import gzip
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dssl.report.explorer.container import KINDS, pack, smallest_unsigned


def unpack(text: str) -> Any:
    """What a browser makes of it, written from the description of the block alone."""
    block = gzip.decompress(base64.b64decode(text))
    length = int.from_bytes(block[:4], "little")
    start = -(-(4 + length) // 8) * 8

    def resolve(value: Any) -> Any:
        if isinstance(value, list):
            return [resolve(each) for each in value]
        if isinstance(value, dict) and "array" in value:
            assert (start + value["at"]) % 8 == 0
            return np.frombuffer(block, value["array"], value["length"], start + value["at"])
        return {name: resolve(each) for name, each in value.items()} if isinstance(value, dict) else value

    return resolve(json.loads(block[4 : 4 + length]))


@given(st.lists(st.text(), max_size=5), st.lists(st.integers(-128, 127), max_size=9))
def test_texts_and_arrays_come_back(texts: list[str], numbers: list[int]) -> None:
    texts = [text for text in texts if text.isprintable()]
    arrays = {kind: np.array(numbers).clip(0 if kind.startswith("u") else -128).astype(kind) for kind in KINDS}
    found = unpack(pack({"texts": texts, "arrays": arrays, "deep": [{"one": np.arange(3, dtype=np.uint16)}, None]}))
    assert found["texts"] == texts
    assert list(found["deep"][0]["one"]) == [0, 1, 2]
    for kind, array in arrays.items():
        assert found["arrays"][kind].dtype == kind
        np.testing.assert_array_equal(found["arrays"][kind], array)


def test_nothing_a_user_types_ends_the_script_element() -> None:
    packed = pack({"name": "</script><script>alert(1)</script><!--"})
    assert not set(packed) & set("<>&\"'")
    assert unpack(packed)["name"].startswith("</script>")


def test_the_same_content_gives_the_same_text() -> None:
    assert pack({"a": np.arange(5, dtype=np.int16)}) == pack({"a": np.arange(5, dtype=np.int16)})


def test_what_a_browser_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match=r"expected an array of uint8, .*; found int64"):
        pack({"a": np.arange(3)})
    with pytest.raises(ValueError, match="Out of range float"):
        pack({"a": float("nan")})


@pytest.mark.parametrize(("highest", "kind"), [(0, "uint8"), (255, "uint8"), (256, "uint16"), (70_000, "uint32")])
def test_whole_numbers_take_the_narrowest_type(highest: int, kind: str) -> None:
    assert smallest_unsigned(np.array([0, highest])).dtype == kind
