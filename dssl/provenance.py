"""Where a file came from: step, settings, seed, versions, and the hashes of what it was made from."""

import json
from importlib import metadata
from pathlib import Path
from typing import Any

from dssl import __version__
from dssl.io import sha256_of

PACKAGES = (
    "anndata",
    "copairs",
    "harmonypy",
    "mudata",
    "numpy",
    "pandas",
    "pycytominer",
    "rdkit",
    "scanpy",
    "scikit-learn",
    "scipy",
    "torch",
    "umap-learn",
)


def package_versions() -> dict[str, str]:
    """Versions of dssl and of the packages whose arithmetic it uses."""
    versions = {"dssl": __version__}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def file_record(path: Path) -> dict[str, str]:
    """Path and SHA-256 of a file."""
    return {"path": path.as_posix(), "sha256": sha256_of(path)}


def files_of(paths: list[Path]) -> list[Path]:
    """The files themselves; a folder stands for every file in it."""
    inside = [sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path] for path in paths]
    return [file for files in inside for file in files]


def provenance_record(
    step: str, parameters: dict[str, Any], inputs: dict[str, list[Path]], outputs: dict[str, list[Path]]
) -> dict[str, Any]:
    """Describe a finished step.

    Parameters
    ----------
    step : str
        Name of the step, which is also its rule and its section of the settings.
    parameters : dict
        Settings (as plain data), wildcards and seeds it ran with.
    inputs, outputs : dict of lists of paths
        Files and folders read and written, by the step's own names for them; all of them exist.
    """
    return {
        "step": step,
        "parameters": parameters,
        "inputs": {name: [file_record(path) for path in files_of(paths)] for name, paths in inputs.items()},
        "outputs": {name: [file_record(path) for path in files_of(paths)] for name, paths in outputs.items()},
        "versions": package_versions(),
    }


def stamp(step: str, parameters: dict[str, Any]) -> dict[str, str]:
    """Short provenance for the inside of a file (uns of an AnnData, header of a safetensors file)."""
    return {"step": step, "version": __version__, "parameters": json.dumps(parameters, sort_keys=True)}
