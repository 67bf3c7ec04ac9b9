"""The list of all artifacts of a screen, and its verification."""

from pathlib import Path
from typing import Any

from dssl.errors import IntegrityError, first_few
from dssl.io import read_json, sha256_of
from dssl.keys import CLOSED_FORM

NAME = "manifest.json"
LIST_RECORDS = "list_records"


def collect(records: list[dict[str, Any]], screen: str, licence: str) -> dict[str, Any]:
    """Join the provenance of all steps into one manifest.

    Parameters
    ----------
    records : list of dict
        One provenance record per job (`dssl.provenance.provenance_record`).
    screen, licence : str
        Name of the screen and licence of its results.

    Raises
    ------
    IntegrityError
        If a step read another version of a file than the one that its maker wrote.
    """
    artifacts: list[dict[str, Any]] = []
    for record in records:
        artifacts += [
            {
                "path": file["path"],
                "sha256": file["sha256"],
                "role": role,
                "rule": record["step"],
                "parameters": record["parameters"],
                "seed": _seed(record["parameters"]),
                "versions": record["versions"],
                "made_from": [made["path"] for files in record["inputs"].values() for made in files],
            }
            for role, files in record["outputs"].items()
            for file in files
        ]
    made = {artifact["path"]: artifact["sha256"] for artifact in artifacts}
    read = [file for record in records for files in record["inputs"].values() for file in files]
    stale = sorted({file["path"] for file in read if made.get(file["path"], file["sha256"]) != file["sha256"]})
    if stale:
        raise IntegrityError(
            f"{len(stale)} file(s) changed after a later step had read them: {first_few(stale)}\n"
            "Run snakemake again; it repeats the steps that depend on them."
        )
    # the lists of records read the records themselves, which are no data and hold the times of the run
    data = [
        file
        for record in records
        if record["step"] != LIST_RECORDS
        for files in record["inputs"].values()
        for file in files
    ]
    sources = {file["path"]: file["sha256"] for file in data if file["path"] not in made}
    return {
        "screen": screen,
        "licence": licence,
        "sources": [{"path": path, "sha256": sources[path]} for path in sorted(sources)],
        "artifacts": sorted(artifacts, key=lambda artifact: str(artifact["path"])),
    }


def _seed(parameters: dict[str, Any]) -> int | None:
    seed = parameters.get("seed", parameters.get("settings", {}).get("seed"))
    return None if seed in (None, CLOSED_FORM) else int(seed)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a results folder.

    Raises
    ------
    IntegrityError
        If there is none.
    """
    path = folder / NAME
    if not path.exists():
        raise IntegrityError(f"{path}: there is no manifest; run snakemake to its end first")
    return dict(read_json(path))


def within(manifest: dict[str, Any], path: str) -> str:
    """Path of an artifact inside its results folder, which may have been moved."""
    return path.removeprefix(f"results/{manifest['screen']}/")


def settings_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """All settings of the screen: those that its report prints.

    Raises
    ------
    IntegrityError
        If the manifest lists no report.
    """
    for artifact in manifest["artifacts"]:
        if artifact["rule"] == "report":
            return dict(artifact["parameters"]["screen"])
    raise IntegrityError("the manifest lists no report, with which the settings are written down; run snakemake again")


def verify(folder: Path) -> int:
    """Check every artifact in the manifest of a results folder, which may have been moved; return their number.

    Raises
    ------
    IntegrityError
        If there is no manifest, or a file is missing or differs from it.
    """
    manifest = read_manifest(folder)
    wrong = []
    for artifact in manifest["artifacts"]:
        file = folder / within(manifest, artifact["path"])
        if not file.exists():
            wrong.append(f"{file} (missing)")
        elif sha256_of(file) != artifact["sha256"]:
            wrong.append(f"{file} (changed)")
    if wrong:
        raise IntegrityError(
            f"{len(wrong)} of {len(manifest['artifacts'])} artifacts differ from the manifest: {first_few(wrong)}\n"
            "Delete what changed and run snakemake again."
        )
    return len(manifest["artifacts"])
