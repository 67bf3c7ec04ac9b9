import copy
import json
from pathlib import Path
from typing import Any

import pytest

from dssl.crate import PROFILES, describe_run, media_type
from dssl.errors import IntegrityError
from dssl.io import read_json, sha256_of, write_json
from dssl.manifest import collect, verify
from dssl.provenance import provenance_record
from dssl.settings.evaluation import CrateSettings
from dssl.settings.screen import parse_screen

SCREEN = Path("results/demo")
TIMES = {"started": "2026-01-01T10:00:00+00:00", "ended": "2026-01-01T10:05:00+00:00"}
LATER = {"started": "2026-01-01T11:00:00+00:00", "ended": "2026-01-01T11:30:00+00:00"}
NAME = 'embeddings of <script>alert("x")</script>'


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Arguments of `describe_run` for two steps: a table of the user -> profiles -> report."""
    monkeypatch.chdir(tmp_path)
    table, profiles, page = Path("plates/P1 é.csv"), SCREEN / "normalize_plate/P1 é.h5ad", SCREEN / "report.html"
    workflow = [SCREEN / "crate/workflow/Snakefile", SCREEN / "crate/workflow/rules/a.smk"]
    for path in (table, profiles, page, *workflow):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    screen = parse_screen({"screen": "demo", "simulate_screen": {}, "report": {"title": NAME}}, "test")
    parameters = {"settings": {}, "screen": screen.model_dump(mode="json")}
    records = [
        provenance_record("normalize_plate", {"settings": {}}, {"table": [table]}, {"profiles": [profiles]}) | TIMES,
        provenance_record("report", parameters, {"profiles": [profiles]}, {"html": [page]}) | LATER,
    ]
    manifest = collect(records, "demo", "CC BY 4.0")
    write_json(SCREEN / "manifest.json", manifest)
    settings = CrateSettings(author="Ada", orcid="0000-0002-1825-0097", organisation="Institute")
    return {"folder": SCREEN, "manifest": manifest, "records": records, "workflow": workflow, "settings": settings}


def entities(crate: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {each["@id"]: each for each in crate["@graph"]}
    assert len(found) == len(crate["@graph"]), "an identifier occurs twice"
    return found


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        inner = [name for each in value.values() for name in references(each)]
        return [value["@id"]] if set(value) == {"@id"} else inner
    return [name for each in value for name in references(each)] if isinstance(value, list) else []


def test_every_reference_resolves_and_every_file_is_as_described(run: dict[str, Any]) -> None:
    from urllib.parse import unquote

    crate = describe_run(**run)
    found = entities(crate)
    external = {"https://w3id.org/ro/crate/1.3", "https://doi.org/10.1093/bioinformatics/bts480"}
    external |= {"https://snakemake.readthedocs.io"}
    dangling = {name for entity in found.values() for name in references(entity)} - found.keys() - external
    assert dangling == set()
    files = {name: each for name, each in found.items() if "File" in each["@type"]}
    assert len(files) == 2 + 2 + 1  # artifacts, workflow, manifest
    for name, entity in files.items():
        path = SCREEN / unquote(name)
        assert (entity["sha256"], entity["contentSize"]) == (sha256_of(path), str(path.stat().st_size))
    assert set(references(found["./"]["hasPart"])) == set(files)


def test_what_the_profile_requires_is_there(run: dict[str, Any]) -> None:
    crate = describe_run(**run)
    found = entities(crate)
    root, action = found["./"], found["#run"]
    assert crate["@context"][0] == "https://w3id.org/ro/crate/1.3/context"
    assert found["ro-crate-metadata.json"]["about"] == {"@id": "./"}
    assert found["ro-crate-metadata.json"]["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.3"}
    assert references(root["conformsTo"]) == list(PROFILES)
    assert all(found[name]["@type"] == "CreativeWork" and found[name]["version"] in name for name in PROFILES)
    assert {"name", "description", "datePublished", "license"} <= set(root)
    main = found[root["mainEntity"]["@id"]]
    assert main["@type"] == ["File", "SoftwareSourceCode", "ComputationalWorkflow"]
    assert found[main["programmingLanguage"]["@id"]]["name"] == "Snakemake"
    assert root["mentions"] == {"@id": "#run"}
    assert found[root["publisher"]["@id"]]["name"] == "Institute"
    assert (action["@type"], action["instrument"]) == ("CreateAction", root["mainEntity"])
    assert (action["startTime"], action["endTime"]) == (TIMES["started"], LATER["ended"])
    assert set(references(action["result"])) == {
        name for name, each in found.items() if each["@type"] == "File" and not name.startswith("crate/")
    }
    agent = found[action["agent"]["@id"]]
    assert (agent["@id"], agent["name"]) == ("https://orcid.org/0000-0002-1825-0097", "Ada")
    assert found[agent["affiliation"]["@id"]]["name"] == "Institute"
    assert found[root["license"]["@id"]]["name"] == "CC BY 4.0"


def test_every_setting_is_a_value_of_a_described_parameter_and_inputs_are_named(run: dict[str, Any]) -> None:
    found = entities(describe_run(**run))
    values = [found[name] for name in references(found["#run"]["object"])]
    settings = {each["name"]: each for each in values if each["@type"] == "PropertyValue"}
    assert settings["report.title"]["value"] == NAME
    assert settings["fit_preprocessing.phenotype.clip"]["value"] == "10.0"
    parameter = found[settings["pair_and_split.n_folds"]["exampleOfWork"]["@id"]]
    assert (parameter["@type"], parameter["additionalType"]) == ("FormalParameter", "Integer")
    assert parameter["description"]
    parameters = references(found["crate/workflow/Snakefile"]["input"])
    assert parameters == [each["exampleOfWork"]["@id"] for each in settings.values()]
    sources = [each for each in values if each["@type"] == "CreativeWork"]
    assert [(each["name"], each["sha256"]) for each in sources] == [
        ("plates/P1 é.csv", sha256_of(Path("plates/P1 é.csv")))
    ]


def test_the_same_records_give_the_same_bytes(run: dict[str, Any]) -> None:
    first, second = (json.dumps(describe_run(**run), sort_keys=True) for _ in range(2))
    assert first == second


def test_without_an_author_there_is_no_agent_and_an_organisation_may_stand_alone(run: dict[str, Any]) -> None:
    assert "agent" not in entities(describe_run(**run | {"settings": CrateSettings()}))["#run"]
    alone = entities(describe_run(**run | {"settings": CrateSettings(organisation="Institute")}))
    assert alone[alone["#run"]["agent"]["@id"]]["@type"] == "Organization"
    with pytest.raises(ValueError, match=r"crate\.orcid is there without crate\.author"):
        CrateSettings(orcid="0000-0002-1825-0097")


def test_a_record_without_times_leaves_the_start_open_and_no_record_with_times_is_an_error(run: dict[str, Any]) -> None:
    old = copy.deepcopy(run["records"])
    del old[0]["started"], old[0]["ended"]
    action = entities(describe_run(**run | {"records": old}))["#run"]
    assert "startTime" not in action
    assert action["endTime"] == LATER["ended"]
    del old[1]["started"], old[1]["ended"]
    with pytest.raises(IntegrityError, match=r"none of 2 provenance records says when its job ended"):
        describe_run(**run | {"records": old})


def test_a_licence_may_be_an_address(run: dict[str, Any]) -> None:
    address = "https://creativecommons.org/licenses/by/4.0/"
    found = entities(describe_run(**run | {"manifest": run["manifest"] | {"licence": address}}))
    assert found["./"]["license"] == {"@id": address}


def test_the_step_writes_a_crate_that_the_library_reads_and_leaves_the_manifest_whole(
    run: dict[str, Any], tmp_path: Path
) -> None:
    from rocrate.rocrate import ROCrate

    from dssl.steps.tracking import crate

    records = [Path("first.json"), Path("second.json")]
    for path, record in zip(records, run["records"], strict=True):
        write_json(path, record)
    Path("records.tsv").write_text("record\nfirst.json\n")
    crate(
        settings=CrateSettings(author="Ada"),
        manifest=SCREEN / "manifest.json",
        records=[Path("records.tsv")],
        other_records=records[1:],
        workflow=[Path("results/demo/crate/workflow/Snakefile"), Path("results/demo/crate/workflow/rules/a.smk")],
        workflow_copy=SCREEN / "crate/copy",
        metadata=SCREEN / "ro-crate-metadata.json",
    )
    assert verify(SCREEN) == 2
    read = ROCrate(SCREEN)
    assert read.mainEntity.id == "crate/copy/Snakefile"
    assert (SCREEN / "crate/copy/rules/a.smk").read_text() == "a.smk"
    assert read_json(SCREEN / "ro-crate-metadata.json")["@graph"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.tsv", "text/tab-separated-values"),
        ("a.tsv.gz", "application/gzip"),
        ("a.html", "text/html"),
        ("a.h5ad", "application/x-hdf5"),
        ("Snakefile", "application/octet-stream"),
    ],
)
def test_media_types(name: str, expected: str) -> None:
    assert media_type(Path(name)) == expected
