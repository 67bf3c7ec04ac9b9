import copy
import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from dssl.errors import IntegrityError
from dssl.io import write_json
from dssl.manifest import collect, verify
from dssl.provenance import provenance_record

SCREEN = Path("results/demo")


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Two steps, a source table -> profiles -> model, run in a temporary folder."""
    monkeypatch.chdir(tmp_path)
    source, profiles, model = (
        Path("plates/P1.csv"),
        SCREEN / "normalize_plate/P1.h5ad",
        SCREEN / "embed_screen/fold~0/m.bin",
    )
    for path, content in ((source, "table"), (profiles, "profiles"), (model, "model")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return [
        provenance_record("normalize_plate", {"settings": {}}, {"table": [source]}, {"profiles": [profiles]}),
        provenance_record(
            "train_shared", {"seed": 3, "settings": {"a": 1}}, {"inputs": [profiles]}, {"model": [model]}
        ),
    ]


@pytest.fixture
def results(records: list[dict[str, Any]]) -> Path:
    write_json(SCREEN / "manifest.json", collect(records, "demo", "CC BY 4.0"))
    return SCREEN


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_collect_lists_every_artifact_and_every_source(records: list[dict[str, Any]]) -> None:
    manifest = collect(records, "demo", "CC BY 4.0")
    assert manifest["screen"] == "demo"
    assert manifest["licence"] == "CC BY 4.0"
    assert manifest["sources"] == [{"path": "plates/P1.csv", "sha256": sha256("table")}]
    model, profiles = manifest["artifacts"]
    assert (profiles["path"], profiles["sha256"]) == ("results/demo/normalize_plate/P1.h5ad", sha256("profiles"))
    assert (profiles["rule"], profiles["role"], profiles["seed"]) == ("normalize_plate", "profiles", None)
    assert (model["rule"], model["seed"], model["made_from"]) == ("train_shared", 3, [profiles["path"]])
    assert "dssl" in model["versions"]


def test_the_seed_may_stand_among_the_settings(records: list[dict[str, Any]]) -> None:
    records[0]["parameters"] = {"settings": {"seed": 7}}
    assert collect(records, "demo", "x")["artifacts"][1]["seed"] == 7


def test_the_order_of_the_records_does_not_matter(records: list[dict[str, Any]]) -> None:
    assert collect(records, "demo", "x") == collect(records[::-1], "demo", "x")


def test_a_stale_chain_is_refused(records: list[dict[str, Any]]) -> None:
    remade = copy.deepcopy(records)
    remade[0]["outputs"]["profiles"][0]["sha256"] = sha256("other profiles")
    with pytest.raises(
        IntegrityError, match=r"1 file\(s\) changed after .*normalize_plate/P1\.h5ad\nRun snakemake again"
    ):
        collect(remade, "demo", "x")


def test_verify_counts_what_is_unchanged(results: Path) -> None:
    assert verify(results) == 2


def test_verify_works_in_a_moved_folder(results: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "handed-over"
    shutil.copytree(results, moved)
    shutil.rmtree(results)
    assert verify(moved) == 2


def test_a_changed_and_a_missing_file_are_named(results: Path) -> None:
    (results / "normalize_plate/P1.h5ad").write_text("Profiles")
    (results / "embed_screen/fold~0/m.bin").unlink()
    expected = r"2 of 2 artifacts differ .*m\.bin \(missing\), .*P1\.h5ad \(changed\)\nDelete what changed"
    with pytest.raises(IntegrityError, match=expected):
        verify(results)


def test_a_folder_without_manifest(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=r"manifest\.json: there is no manifest; run snakemake to its end first"):
        verify(tmp_path)
