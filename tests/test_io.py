import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dssl import io
from dssl.errors import IntegrityError, TableError

FRAME = pd.DataFrame({"id": ["001", "1e5", "NaCl"], "value": [0.1, np.nan, -3.5], "count": [1, 2, 3]})
ENDINGS = [".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz", ".parquet"]


def stop_half_way(path: Path) -> None:
    with io.atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("half way")


def test_atomic_path_leaves_the_old_file_and_nothing_else_after_an_exception(tmp_path: Path) -> None:
    path = tmp_path / "made" / "table.csv"
    io.write_text(path, "old")
    with pytest.raises(RuntimeError, match="half way"):
        stop_half_way(path)
    assert path.read_text() == "old"
    assert [each.name for each in path.parent.iterdir()] == ["table.csv"]


def test_atomic_path_keeps_the_file_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with io.atomic_path(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.name == path.name
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_table_is_read_as_it_was_written_and_has_the_same_bytes_twice(tmp_path: Path, ending: str) -> None:
    first, second = tmp_path / f"a{ending}", tmp_path / "b" / f"a{ending}"
    io.write_table(first, FRAME)
    io.write_table(second, FRAME)
    assert first.read_bytes() == second.read_bytes()
    pd.testing.assert_frame_equal(io.read_table(first, text_columns=["id"]), FRAME)
    assert io.table_columns(first) == ["id", "value", "count"]
    assert io.stem_of(first) == "a"


def test_written_csv_is_what_pandas_and_gzip_understand(tmp_path: Path) -> None:
    io.write_table(tmp_path / "a.csv.gz", FRAME)
    io.write_table(tmp_path / "a.tsv", FRAME)
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()) == FRAME.to_csv(index=False).encode()
    assert (tmp_path / "a.tsv").read_text().splitlines()[1] == "001\t0.1\t1"


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_identifiers_keep_their_zeros_and_missing_cells_stay_missing(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    if ending == ".csv":
        path.write_text("id,x\n00123,1\n,2\n1e5,3\n")
    else:
        pd.DataFrame({"id": ["00123", None, "1e5"], "x": [1, 2, 3]}).to_parquet(path)
    read = io.read_table(path, columns=["x", "id"], text_columns=["id", "not_read"])
    assert list(read.columns) == ["x", "id"]
    assert read["id"].tolist()[::2] == ["00123", "1e5"]
    assert read["id"].isna().tolist() == [False, True, False]


def test_numbers_of_a_parquet_file_can_be_read_as_text(tmp_path: Path) -> None:
    pd.DataFrame({"id": [7, 8]}).to_parquet(tmp_path / "a.parquet")
    assert io.read_table(tmp_path / "a.parquet", text_columns=["id"])["id"].tolist() == ["7", "8"]


# text that pandas would take for a missing cell is no identifier of anybody
IDENTIFIERS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=6).filter(
    lambda text: text.lower() not in {"na", "nan", "null", "none"}
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(IDENTIFIERS, min_size=1, max_size=5))
def test_any_identifier_survives_a_round_trip(tmp_path: Path, ids: list[str]) -> None:
    path = tmp_path / "ids.csv.gz"
    io.write_table(path, pd.DataFrame({"id": ids}))
    assert io.read_table(path, text_columns=["id"])["id"].tolist() == ids


def test_unknown_ending(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"a\.xlsx: unknown kind of table; expected one of \.csv, \.tsv"):
        io.read_table(tmp_path / "a.xlsx")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"a\.csv: there is no such file; correct the path in the settings"):
        io.read_table(tmp_path / "a.csv")


def test_missing_columns_are_all_named_beside_those_that_are_there(tmp_path: Path) -> None:
    io.write_table(tmp_path / "a.csv", FRAME)
    expected = r"no column 'ID', 'Dose'; it has 'id', 'value', 'count'\nCorrect the column's name in the settings"
    with pytest.raises(TableError, match=expected):
        io.read_table(tmp_path / "a.csv", columns=["id", "ID", "Dose"])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""),
        ("ragged.csv", b"a,b\n1,2\n1,2,3,4\n"),
        ("binary.csv", b"\xff\xfe\x00a,\xd8\n1,2\n"),
        ("not-gzipped.csv.gz", b"a,b\n1,2\n"),
        ("cut.csv.gz", gzip.compress(b"a,b\n" + b"1,2\n" * 9999, mtime=0)[:-20]),
        ("cut.parquet", b"PAR1 and no more"),
    ],
)
def test_unreadable_tables(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(
        TableError, match=r"cannot be read as a table \((?s:.*)\); save it again as CSV, TSV or Parquet"
    ):
        io.read_table(tmp_path / name)


@pytest.mark.parametrize("columns", [None, ["b"]])
def test_rows_longer_than_the_header_are_not_cut(tmp_path: Path, columns: list[str] | None) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2,3\n1,2,3\n")
    with pytest.raises(TableError, match=r"a\.csv: rows have more cells than the header, which has 2\nCorrect the sep"):
        io.read_table(tmp_path / "a.csv", columns=columns)
    (tmp_path / "a.csv").write_text("a,b\n1,2\n1,2,3\n")
    with pytest.raises(TableError, match=r"cannot be read as a table .*Expected 2 fields in line 3, saw 3"):
        io.read_table(tmp_path / "a.csv", columns=columns)


def test_json_is_sorted_and_refuses_what_json_lacks(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    io.write_json(path, {"b": 1, "a": "µM"})
    assert list(json.loads(path.read_text(encoding="utf-8"))) == ["a", "b"]
    assert io.read_json(path) == {"a": "µM", "b": 1}
    with pytest.raises(ValueError, match="not JSON compliant"):
        io.write_json(path, {"a": float("nan")})
    assert io.read_json(path) == {"a": "µM", "b": 1}


def test_sha256_is_the_standard_one(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc" * 100_000)
    assert io.sha256_of(tmp_path / "a") == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_the_checksum_of_a_folder_depends_on_names_and_content(tmp_path: Path) -> None:
    found = set()
    for name, content in (("a/x", "1"), ("a/x", "2"), ("a/y", "2"), ("b/y", "2")):
        folder = tmp_path / str(len(found))
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(content)
        found.add(io.sha256_of(folder))
        assert io.sha256_of(folder) in found
    assert len(found) == 4


def small_anndata() -> AnnData:
    obs = pd.DataFrame({"plate": pd.Categorical(["P1", "P2"])}, index=["P1:A01", "P2:A01"])
    return AnnData(np.array([[1, np.nan], [0, 2]], np.float32), obs=obs, var=pd.DataFrame(index=["f1", "f2"]))


def test_anndata_round_trip_carries_its_stamp(tmp_path: Path) -> None:
    io.write_anndata(tmp_path / "a.h5ad", small_anndata(), {"step": "normalize_plate", "version": "1"})
    read = io.read_anndata(tmp_path / "a.h5ad")
    np.testing.assert_array_equal(read.X, small_anndata().X)
    pd.testing.assert_frame_equal(read.obs, small_anndata().obs)
    assert dict(read.uns["dssl"]) == {"step": "normalize_plate", "version": "1"}


def test_the_same_anndata_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.h5ad", "b.h5ad"):
        io.write_anndata(tmp_path / name, small_anndata(), {"step": "normalize_plate"})
    assert (tmp_path / "a.h5ad").read_bytes() == (tmp_path / "b.h5ad").read_bytes()


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("P1.csv.gz", "P1"),
        ("a/b/P1.2.tsv", "P1.2"),
        ("P1.parquet", "P1"),
        ("P1.h5", "P1"),
        ("P1.zip", "P1.zip"),
        ("x.txt.gz", "x"),
    ],
)
def test_stem_of(name: str, stem: str) -> None:
    assert io.stem_of(Path(name)) == stem


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-2000], lambda content: content[:100], lambda content: b""]
)
def test_a_damaged_anndata_is_named(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "a.h5ad"
    io.write_anndata(path, AnnData(np.random.default_rng(0).normal(size=(40, 30))), {})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(IntegrityError, match=r"a\.h5ad: cannot be read .*\n.*Remove it and start the workflow again"):
        io.read_anndata(path)


def test_an_anndata_that_is_not_there_is_not_called_damaged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        io.read_anndata(tmp_path / "none.h5ad")


@pytest.mark.parametrize("ending", ["csv", "tsv", "tsv.gz"])
def test_text_with_separators_and_line_ends_is_read_back(tmp_path: Path, ending: str) -> None:
    names = ["plain", "tab\tin it", "return\rin it", "line\nin it", 'quote " in it', "comma, in it", "=cmd()", "<b>"]
    frame = pd.DataFrame({"name": names, "value": range(len(names)), "yes": True, "absent": [np.nan, *"abcdefg"]})
    io.write_table(tmp_path / f"t.{ending}", frame)
    pd.testing.assert_frame_equal(io.read_table(tmp_path / f"t.{ending}"), frame)
