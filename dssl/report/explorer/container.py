"""Texts and arrays in one block that a page can carry and read back without a copy."""

import base64
import gzip
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

ALIGNMENT = 8  # bytes: a typed array starts at a multiple of its item's size
KINDS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32")


def smallest_unsigned(values: NDArray[Any]) -> NDArray[Any]:
    """The same whole numbers, none below 0, in the narrowest type that holds them."""
    highest = int(values.max(initial=0))
    return np.asarray(values).astype(np.min_scalar_type(highest))


def pack(content: Any) -> str:
    """Content of dicts, lists, texts, numbers, None and arrays as base64 text of a gzipped block.

    The block: length of the header (uint32, little-endian), the header (JSON, UTF-8), and the arrays, each from a multiple
    of 8 bytes on, counted from the end of the padded header. In the header an array is {"array": type, "at": first byte,
    "length": items}. Base64 has no character that could end a script element, whatever a user typed.

    Raises
    ------
    TypeError
        If an array has a type that a browser has not (see KINDS).
    ValueError
        If a number outside the arrays is not finite.
    """
    arrays: list[bytes] = []
    header = json.dumps(_refer(content, arrays), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    start = len(header).to_bytes(4, "little") + header
    block = b"".join([start + bytes(-len(start) % ALIGNMENT), *arrays])
    return base64.b64encode(gzip.compress(block, mtime=0)).decode("ascii")


def _refer(content: Any, arrays: list[bytes]) -> Any:
    """The content with references in place of its arrays, whose bytes are appended to `arrays`."""
    if isinstance(content, dict):
        return {name: _refer(each, arrays) for name, each in content.items()}
    if isinstance(content, (list, tuple)):
        return [_refer(each, arrays) for each in content]
    if not isinstance(content, np.ndarray):
        return content
    if content.dtype.name not in KINDS:
        raise TypeError(f"expected an array of {', '.join(KINDS)}; found {content.dtype.name}")
    data = content.astype(content.dtype.newbyteorder("<")).tobytes()
    reference = {"array": content.dtype.name, "at": sum(map(len, arrays)), "length": content.size}
    arrays.append(data + bytes(-len(data) % ALIGNMENT))
    return reference
