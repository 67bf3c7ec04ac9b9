from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from dssl.errors import IntegrityError
from dssl.phenotypes.assembled_state import AssembledState, load_assembled, save_assembled
from dssl.phenotypes.sphering import apply_sphering, fit_sphering


def test_what_was_saved_spheres_as_before_and_gives_the_same_bytes(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(12, 3))
    state = AssembledState(("a", "b", "c", "d"), ("a", "c", "d"), fit_sphering(values, 0.1))
    for name in ("one", "two"):
        save_assembled(tmp_path / name, state, {"step": "assemble_profiles"})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    found = load_assembled(tmp_path / "one")
    assert (found.read, found.kept) == (state.read, state.kept)
    assert found.sphering is not None
    assert state.sphering is not None
    np.testing.assert_array_equal(apply_sphering(found.sphering, values), apply_sphering(state.sphering, values))


def test_without_sphering(tmp_path: Path) -> None:
    save_assembled(tmp_path / "state", AssembledState(("a",), ("a",), None), {})
    assert load_assembled(tmp_path / "state").sphering is None


def test_another_file_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="cannot be read"):
        load_assembled(tmp_path / "none")
    (tmp_path / "other").write_bytes(save({"a": np.zeros(1)}))
    with pytest.raises(IntegrityError, match=r"expected dssl_assembled/1, found another file\nRun assemble_profiles"):
        load_assembled(tmp_path / "other")
