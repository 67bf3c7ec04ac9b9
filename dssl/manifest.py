"""The list of all artifacts of a screen, and its verification."""

from pathlib import Path
from typing import Any

from dssl.errors import IntegrityError, first_few
from dssl.io import read_json, sha256_of
from dssl.keys import CLOSED_FORM


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
    sources = {file["path"]: file["sha256"] for file in read if file["path"] not in made}
    return {
        "screen": screen,
        "licence": licence,
        "sources": [{"path": path, "sha256": sources[path]} for path in sorted(sources)],
        "artifacts": sorted(artifacts, key=lambda artifact: str(artifact["path"])),
    }


def _seed(parameters: dict[str, Any]) -> int | None:
    seed = parameters.get("seed", parameters.get("settings", {}).get("seed"))
    return None if seed in (None, CLOSED_FORM) else int(seed)


def verify(folder: Path) -> int:
    """Check every artifact in the manifest of a results folder, which may have been moved; return their number.

    Raises
    ------
    IntegrityError
        If there is no manifest, or a file is missing or differs from it.
    """
    path = folder / "manifest.json"
    if not path.exists():
        raise IntegrityError(f"{path}: there is no manifest; run snakemake to its end first")
    manifest = read_json(path)
    prefix = f"results/{manifest['screen']}/"
    wrong = []
    for artifact in manifest["artifacts"]:
        file = folder / str(artifact["path"]).removeprefix(prefix)
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
