import numpy as np
import pytest

from dssl.evaluation import ranking
from dssl.steps.new_neighbors import nearest_by_code


@pytest.mark.parametrize("cells", [ranking.CHUNK_CELLS, 25])
def test_nearest_codes_are_those_of_a_plain_loop(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "CHUNK_CELLS", cells)
    rng = np.random.default_rng(0)
    codes, items = rng.normal(size=(7, 3)).astype(np.float32), rng.normal(size=(10, 3)).astype(np.float32)
    items[4] = items[1] * 2  # the same direction: the first comes first
    places, cosines = nearest_by_code(codes, items, 4)
    for code, place, found in zip(codes, places, cosines, strict=True):
        truth = [round(float(code @ item / np.linalg.norm(code) / np.linalg.norm(item)), 5) for item in items]
        assert place.tolist() == sorted(range(10), key=lambda one: -truth[one])[:4]
        np.testing.assert_allclose(found, np.array(truth)[place], atol=1e-5)


def test_fewer_items_than_neighbours_and_no_queries() -> None:
    items = np.eye(2, dtype=np.float32)
    assert nearest_by_code(items, items, 5)[0].tolist() == [[0, 1], [1, 0]]
    assert nearest_by_code(items[:0], items, 5)[0].shape == (0, 2)
