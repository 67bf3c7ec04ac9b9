from pathlib import Path

import pytest

from dssl import plan_new_data
from dssl.errors import ConfigError
from tests.test_plan import screen


def test_new_data_have_tables_columns_and_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Q1.csv").touch()
    entries = {
        "library": {"molecules": {"table": "l.csv", "smiles": "SMI"}},
        "repeat": {"plates": ["Q*.csv"], "library": "library"},
        "signatures": {"second_plates": ["Q*.csv"]},
    }
    mine = screen(new_data=entries, embed={"n_neighbors": 5}, query={"n_hits": 7})
    assert plan_new_data.new_tables(mine, "library") == {
        "molecules": [Path("l.csv")],
        "plates": [],
        "second_plates": [],
    }
    assert plan_new_data.new_tables(mine, "repeat") == {
        "molecules": [],
        "plates": [Path("Q1.csv")],
        "second_plates": [],
    }
    assert plan_new_data.new_tables(mine, "signatures") == {
        "molecules": [],
        "plates": [],
        "second_plates": [Path("Q1.csv")],
    }
    embed, query = plan_new_data.new_settings(mine, "library")
    assert (embed.n_neighbors, query.n_hits) == (5, 7)
    assert embed.molecules is not None
    assert embed.molecules.smiles == "SMI"
    assert plan_new_data.ranked_entries(mine) == ["repeat", "signatures"]
    assert plan_new_data.without_new_data(mine) == screen()


def test_a_library_of_new_data_is_another_entry() -> None:
    mine = screen(new_data={"a": {"plates": ["P1.csv"], "library": "a"}})
    with pytest.raises(ConfigError, match=r"new_data\.a\.library: 'a' is not another entry of new_data; it has a\n"):
        plan_new_data.new_settings(mine, "a")


def test_one_entry_of_new_data_is_of_one_kind() -> None:
    with pytest.raises(ConfigError, match="exactly one of molecules .* found molecules and compounds"):
        screen(new_data={"a": {"molecules": {"table": "m.csv"}, "compounds": ["x"]}})
