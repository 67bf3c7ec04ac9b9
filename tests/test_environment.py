import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# packages that conda calls otherwise than Python's index
CONDA_NAMES = {"matplotlib": "matplotlib-base", "snakemake": "snakemake-minimal", "torch": "pytorch"}
# packages that conda does not have; pip installs them inside the environment
WITHOUT_CONDA = {"copairs", "harmonypy", "pycytominer"}


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, Any]:
    return dict(tomllib.loads((repository / "pyproject.toml").read_text())["project"])


@pytest.fixture(scope="module")
def environment(repository: Path) -> list[Any]:
    content = yaml.safe_load((repository / "environment.yml").read_text())
    assert content["name"] == "dssl"
    assert content["channels"] == ["conda-forge", "bioconda", "nodefaults"]
    return list(content["dependencies"])


def bounds(lines: list[str]) -> dict[str, str]:
    found = {}
    for line in lines:
        match = re.fullmatch(r"([A-Za-z0-9._-]+)(.*)", line)
        assert match is not None
        found[match[1]] = ",".join(sorted(match[2].split(",")))
    return found


def required(project: dict[str, Any]) -> dict[str, str]:
    return bounds([line.replace(" ", "") for line in project["dependencies"]])


def test_conda_installs_the_same_packages_with_the_same_bounds(project: dict[str, Any], environment: list[Any]) -> None:
    plain = bounds([line for line in environment if isinstance(line, str)])
    assert plain.pop("python") == project["requires-python"]
    assert plain.pop("pip") == ""
    expected = {name: bound for name, bound in required(project).items() if name not in WITHOUT_CONDA}
    assert plain == {CONDA_NAMES.get(name, name): bound for name, bound in expected.items()}


def test_pip_adds_what_conda_lacks(project: dict[str, Any], environment: list[Any]) -> None:
    added = [line for line in environment if isinstance(line, dict)]
    assert len(added) == 1
    assert bounds(added[0]["pip"]) == {name: required(project)[name] for name in WITHOUT_CONDA}


def test_locked_versions_satisfy_every_bound(project: dict[str, Any], repository: Path) -> None:
    lines = (repository / "requirements.lock").read_text().splitlines()
    locked = dict(line.split("==") for line in lines if "==" in line)
    versions = {canonicalize_name(name): version for name, version in locked.items()}
    for line in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
        requirement = Requirement(line)
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in requirements.lock; run `make lock`"
        assert requirement.specifier.contains(version), f"{line}: {version} is locked"
