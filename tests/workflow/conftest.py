import copy
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.simulated import SIMULATED_PLATES

# small enough to train and evaluate in seconds; every key that matters for time is here
TINY: dict[str, Any] = {
    "screen": "tiny",
    "simulate_screen": {
        "n_compounds": 40,
        "n_plate_maps": 1,
        "n_replicates": 2,
        "doses_um": [10.0],
        "n_features": 60,
    },
    "molecules": {"name": "name", "keep": ["mechanism"]},
    "plates": SIMULATED_PLATES,
    "pair_and_split": {"n_folds": 2, "refit": False},
    "sweep": {"beta": [0.001], "lam": [1.0], "seed": [0]},
    "train_shared": {"optimizer": {"epochs": 3}, "run": {"device": "cpu"}},
    "train_specific": {"optimizer": {"epochs": 3}, "run": {"device": "cpu"}},
    "train_learned_baseline": {"methods": ["infonce"], "trials": 1},
    "evaluate_retrieval": {"n_bootstrap": 100, "n_permutations": 100},
    "evaluate_disentanglement": {"probe_columns": ["mechanism", "plate"], "n_permutations": 100},
}


def run_snakemake(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Snakemake in a folder, with the `dssl` of this Python and without a mirror."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    environment.pop("DSSL_MIRROR", None)
    command = [sys.executable, "-m", "snakemake", "--nolock", "--cores", "2", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def prepare(folder: Path, repository: Path) -> Path:
    """A folder in which the workflow can be started, apart from the repository's own results."""
    folder.mkdir(parents=True)
    (folder / "workflow").symlink_to(repository / "workflow")
    (folder / "config").symlink_to(repository / "config")
    return folder


def make_tiny(folder: Path, repository: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    prepare(folder, repository)
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    run = run_snakemake(folder, "--configfile", "tiny.yaml", "--show-failed-logs")
    assert run.returncode == 0, run.stderr[-6000:]
    (folder / "finished").touch()


@pytest.fixture(scope="session")
def snakemake() -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs Snakemake in a folder with the given arguments."""
    return run_snakemake


@pytest.fixture
def tiny_content() -> dict[str, Any]:
    """The YAML of the tiny screen, to be changed."""
    return copy.deepcopy(TINY)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """Folder of a finished tiny screen, made once for all workers of a test run; tests must not change it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    with open(shared / "tiny.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "tiny" / "finished").exists():
            make_tiny(shared / "tiny", repository)
    return shared / "tiny"


@pytest.fixture
def empty(tmp_path: Path, repository: Path) -> Path:
    """A folder with the workflow and nothing made."""
    return prepare(tmp_path / "empty", repository)
