"""The RO-Crate of a finished screen: its files, its settings and its run as linked data.

Workflow Run Crate 0.6, https://w3id.org/ro/wfrun/workflow/0.6 (Leo et al., PLoS ONE 2024), by the `rocrate` library. The
crate is made from the manifest and the records of the jobs alone, so that the same records give the same bytes.
"""

import json
import mimetypes
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dssl.errors import IntegrityError
from dssl.io import sha256_of
from dssl.manifest import NAME, settings_of, within
from dssl.settings.base import flatten
from dssl.settings.document import descriptions
from dssl.settings.evaluation import CrateSettings

if TYPE_CHECKING:
    from rocrate.model.contextentity import ContextEntity
    from rocrate.rocrate import ROCrate

CRATE_VERSION = "1.3"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.6": ("Process Run Crate", "0.6"),
    "https://w3id.org/ro/wfrun/workflow/0.6": ("Workflow Run Crate", "0.6"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.1": ("Workflow RO-Crate", "1.1"),
}
# of the profile's own context; written out, so that the crate is read without fetching a second one
TERMS = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
ORCID = "https://orcid.org/"
MEDIA_TYPES = {
    ".tsv": "text/tab-separated-values",
    ".gz": "application/gzip",
    ".h5ad": "application/x-hdf5",
    ".h5mu": "application/x-hdf5",
    ".jsonl": "application/jsonl",
    ".parquet": "application/vnd.apache.parquet",
    ".sdf": "chemical/x-mdl-sdfile",
    ".safetensors": "application/octet-stream",
}


def describe_run(
    folder: Path, manifest: dict[str, Any], records: list[dict[str, Any]], workflow: list[Path], settings: CrateSettings
) -> dict[str, Any]:
    """Content of ro-crate-metadata.json of a results folder.

    Parameters
    ----------
    folder : Path
        The results folder, which is the root of the crate.
    manifest : dict
        Its manifest (`dssl.manifest.collect`).
    records : list of dict
        The provenance record of every job, that of the manifest among them; they have the times.
    workflow : list of Path
        Files of the workflow inside `folder`, the Snakefile first.
    settings : CrateSettings
        Who ran it.

    Raises
    ------
    IntegrityError
        If no record says when its job ended.
    """
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version=CRATE_VERSION)
    crate.metadata.extra_terms.update(TERMS)
    screen, times = str(manifest["screen"]), _times(records)
    root = crate.root_dataset
    root["name"] = f"dssl results of screen {screen}"
    root["description"] = (
        "Shared and specific codes of molecules and their phenotypes, their held-out evaluation, and the run of the "
        "workflow that made them."
    )
    root["datePublished"] = times["endTime"]
    root["license"] = _licence(crate, str(manifest["licence"]))
    root["conformsTo"] = [
        _add(crate, address, "CreativeWork", {"name": name, "version": version})
        for address, (name, version) in PROFILES.items()
    ]
    main = _add_workflow(crate, folder, workflow, manifest)
    results = [
        _add_file(crate, folder, within(manifest, each["path"]), each["sha256"], f"{each['role']} of {each['rule']}")
        for each in manifest["artifacts"]
    ]
    results.append(_add_file(crate, folder, NAME, sha256_of(folder / NAME), "every artifact with its provenance"))
    parameters, values = _add_settings(crate, settings_of(manifest))
    main["input"] = parameters
    action = {"name": f"Run of the dssl workflow on screen {screen}", **times, "instrument": main, "result": results}
    action["description"] = f"snakemake with the settings of screen {screen}, which are its objects beside the inputs"
    run = _add(crate, "#run", "CreateAction", action | {"object": [*_add_sources(crate, manifest), *values]})
    if (agent := _agent(crate, settings)) is not None:
        run["agent"] = agent
        root["author"] = agent
    if settings.organisation:
        root["publisher"] = crate.get("#organisation")
    root["mentions"] = run
    return dict(crate.metadata.generate())


def _times(records: list[dict[str, Any]]) -> dict[str, str]:
    """When the last job ended, and when the first started if every record says so."""
    ends = [record["ended"] for record in records if "ended" in record]
    if not ends:
        raise IntegrityError(
            f"none of {len(records)} provenance records says when its job ended; an earlier dssl wrote them\n"
            "Make the manifest again: snakemake --forcerun manifest"
        )
    starts = [record["started"] for record in records if "started" in record]
    return ({"startTime": min(starts)} if len(starts) == len(records) else {}) | {"endTime": max(ends)}


def _add(crate: "ROCrate", identifier: str, kind: str, properties: dict[str, Any]) -> "ContextEntity":
    from rocrate.model.contextentity import ContextEntity

    plain = {name: value for name, value in properties.items() if isinstance(value, str | int | float)}
    entity = crate.add(ContextEntity(crate, identifier, properties={"@type": kind, **plain}))
    for name, value in properties.items():
        if name not in plain:
            entity[name] = value
    return entity


def _add_file(crate: "ROCrate", folder: Path, name: str, sha256: str, text: str) -> Any:
    path = folder / name
    described = {
        "name": name,
        "description": text,
        "sha256": sha256,
        "contentSize": str(path.stat().st_size),
        "encodingFormat": media_type(path),
    }
    return crate.add_file(path, dest_path=name, properties=described)


def media_type(path: Path) -> str:
    """Media type of a file by the ending of its name."""
    return MEDIA_TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def _add_workflow(crate: "ROCrate", folder: Path, files: list[Path], manifest: dict[str, Any]) -> Any:
    """The Snakefile as main entity, with the rules that it includes and the software that it ran."""
    snakefile, *rules = files
    name = snakefile.relative_to(folder).as_posix()
    described = {"name": "dssl workflow", "sha256": sha256_of(snakefile), "encodingFormat": "text/plain"}
    described["contentSize"] = str(snakefile.stat().st_size)
    main = crate.add_workflow(snakefile, dest_path=name, main=True, lang="snakemake", properties=described)
    main["hasPart"] = [
        _add_file(crate, folder, path.relative_to(folder).as_posix(), sha256_of(path), "rules of the workflow")
        for path in rules
    ]
    used = {pair for artifact in manifest["artifacts"] for pair in artifact["versions"].items()}
    main["softwareRequirements"] = [_add_software(crate, name, version) for name, version in sorted(used)]
    main["version"] = ", ".join(sorted(version for name, version in used if name == "dssl"))
    main["license"] = _licence(crate, "MIT")
    return main


def _add_software(crate: "ROCrate", name: str, version: str) -> Any:
    """A package with its package URL (purl), where a local build (2.6+cpu) is its release."""
    described = {"name": name, "softwareVersion": version}
    if name != "dssl":
        described["identifier"] = f"pkg:pypi/{name}@{version.partition('+')[0]}"
    return _add(crate, f"#software/{name}-{version}", "SoftwareApplication", described)


def _add_settings(crate: "ROCrate", settings: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """Every setting that has a value: what it means (FormalParameter), and what it was (PropertyValue)."""
    meaning = descriptions()
    parameters, values = [], []
    for key, value in flatten(settings).items():
        if value is None:
            continue
        described = {"name": key, "additionalType": _schema_type(value), "description": meaning.get(key, "")}
        parameter = _add(crate, f"#parameter/{key}", "FormalParameter", {k: v for k, v in described.items() if v})
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
        values.append(
            _add(crate, f"#setting/{key}", "PropertyValue", {"name": key, "value": text, "exampleOfWork": parameter})
        )
        parameters.append(parameter)
    return parameters, values


def _schema_type(value: object) -> str:
    if isinstance(value, dict):
        return "PropertyValue"
    types = {bool: "Boolean", int: "Integer", float: "Float"}
    return types.get(type(value), "Text")


def _add_sources(crate: "ROCrate", manifest: dict[str, Any]) -> Iterator[Any]:
    """Input tables outside the results folder: their names and checksums, for they are no files of the crate."""
    for number, source in enumerate(manifest["sources"]):
        described = {"name": source["path"], "sha256": source["sha256"], "description": "input, not in the crate"}
        yield _add(crate, f"#source/{number}", "CreativeWork", described)


def _licence(crate: "ROCrate", text: str) -> Any:
    """A licence by its address, or as the settings word it."""
    address = text if text.startswith(("http://", "https://")) else None
    if text == "MIT":
        address = "https://spdx.org/licenses/MIT"
    described = {"name": text, "description": f"Licence as the settings state it: {text}"}
    return _add(crate, address or "#licence", "CreativeWork", described)


def _agent(crate: "ROCrate", settings: CrateSettings) -> Any:
    """The author with the organisation, or the organisation alone; None where neither is stated."""
    organisation = None
    if settings.organisation:
        organisation = _add(crate, "#organisation", "Organization", {"name": settings.organisation})
    if not settings.author:
        return organisation
    identifier = f"{ORCID}{settings.orcid}" if settings.orcid else "#author"
    described = {"name": settings.author} | ({"affiliation": organisation} if organisation else {})
    return _add(crate, identifier, "Person", described)
