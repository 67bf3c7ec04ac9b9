import hashlib
import json
from importlib import metadata
from pathlib import Path

import dssl
from dssl.provenance import package_versions, provenance_record, stamp


def test_versions_are_those_of_the_installed_packages() -> None:
    versions = package_versions()
    assert versions["dssl"] == dssl.__version__
    assert {"numpy", "pandas", "rdkit", "torch"} <= set(versions)
    assert all(version == metadata.version(name) for name, version in versions.items() if name != "dssl")


def test_a_record_holds_the_hash_of_every_file(tmp_path: Path) -> None:
    read, written = tmp_path / "in.csv", tmp_path / "out.csv"
    read.write_text("a")
    written.write_text("b")
    record = provenance_record("embed_screen", {"fold": "0"}, {"pairs": [read], "tables": []}, {"wells": [written]})
    assert record["step"] == "embed_screen"
    assert record["parameters"] == {"fold": "0"}
    assert record["inputs"] == {
        "pairs": [{"path": read.as_posix(), "sha256": hashlib.sha256(b"a").hexdigest()}],
        "tables": [],
    }
    assert record["outputs"]["wells"][0]["sha256"] == hashlib.sha256(b"b").hexdigest()
    assert json.loads(json.dumps(record)) == record


def test_a_stamp_is_text_only_and_does_not_depend_on_the_order_of_keys() -> None:
    found = stamp("embed_screen", {"b": 1, "a": {"c": 2}})
    assert found == stamp("embed_screen", {"a": {"c": 2}, "b": 1})
    assert all(isinstance(value, str) for value in found.values())
    assert json.loads(found["parameters"]) == {"a": {"c": 2}, "b": 1}
    assert found["version"] == dssl.__version__


def test_a_folder_stands_for_the_files_in_it(tmp_path: Path) -> None:
    (tmp_path / "out" / "inner").mkdir(parents=True)
    for name in ("out/b.tsv", "out/a.tsv", "out/inner/c.tsv"):
        (tmp_path / name).write_text(name)
    record = provenance_record("embed", {}, {"model": [tmp_path / "out/a.tsv"]}, {"out": [tmp_path / "out"]})
    names = [Path(file["path"]).relative_to(tmp_path).as_posix() for file in record["outputs"]["out"]]
    assert names == ["out/a.tsv", "out/b.tsv", "out/inner/c.tsv"]
    assert record["outputs"]["out"][0] == record["inputs"]["model"][0]
