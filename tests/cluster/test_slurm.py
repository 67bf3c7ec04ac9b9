"""The literal command on a real Slurm, beside the same screen made on this machine."""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file

from tests.cluster.conftest import environment, prepare
from tests.workflow.conftest import TINY

SUBMITTED = "SLURM jobid"
# four jobs at a time, and looked at more often: there is one machine behind the nodes
QUICK = ("--jobs", "4", "--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "15")


def on_the_cluster(folder: Path, *arguments: str, **variables: str) -> str:
    """What `snakemake --cores 8 --profile slurm` prints; it must succeed."""
    return succeed(folder, "--cores", "8", "--profile", "slurm", *arguments, *QUICK, **variables)


def succeed(folder: Path, *arguments: str, **variables: str) -> str:
    """What Snakemake prints; it must succeed."""
    command = ["snakemake", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment(**variables), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return done.stdout + done.stderr


def different(results: Path, local: Path, least: int) -> list[str]:
    """Results, at least so many, whose bytes are others than in the local run; records say when they were made."""
    files = {str(path.relative_to(local)) for path in local.rglob("*") if path.is_file()}
    names = sorted(name for name in files if "provenance" not in name and name != "ro-crate-metadata.json")
    assert len(names) > least
    return [name for name in names if (results / name).read_bytes() != (local / name).read_bytes()]


def test_a_screen_runs_to_its_report_with_the_bytes_of_a_local_run(
    cluster: None, tmp_path: Path, repository: Path, tiny: Path
) -> None:
    folder = prepare(tmp_path / "slurm", repository)
    (folder / "screen.yaml").write_text(yaml.safe_dump(TINY))
    shown = on_the_cluster(folder, "--configfile", "screen.yaml")
    results, local = folder / "results/tiny", tiny / "results/tiny"
    assert (results / "report.html").stat().st_size > 100_000
    assert different(results, local, 200) == []
    # the two plates are one submission, and so are each kind of training jobs and what is short
    assert len(re.findall(SUBMITTED, shown)) == 18
    succeed(folder, "--configfile", "screen.yaml", "--report", "report.html")
    assert (folder / "report.html").stat().st_size > 100_000


@pytest.mark.faults
@pytest.mark.parametrize("name", ["config", "cell-injury"])
def test_the_screens_of_the_repository(
    name: str, cluster: None, tmp_path: Path, repository: Path, timed: Callable[[str], None]
) -> None:
    variables = {}
    options = []
    if name != "config":
        # the demonstration is what the command without options makes
        options = ["--configfile", f"config/{name}.yaml"]
        if "DSSL_SCREENS" not in os.environ:
            pytest.skip("the variable DSSL_SCREENS names no folder with public screens")
        variables = {"DSSL_MIRROR": f"{os.environ['DSSL_SCREENS']}/{name}"}
    screen = yaml.safe_load((repository / f"config/{name}.yaml").read_text())["screen"]
    began = time.monotonic()
    local = prepare(tmp_path / "local", repository)
    succeed(local, "--cores", "2", *options, **variables)
    timed(f"{screen} on this machine: {time.monotonic() - began:.0f} s")
    began = time.monotonic()
    folder = prepare(tmp_path / "slurm", repository)
    n_submissions = len(re.findall(SUBMITTED, on_the_cluster(folder, *options, **variables)))
    timed(f"{screen} on Slurm: {time.monotonic() - began:.0f} s, {n_submissions} submissions")
    assert (folder / f"results/{screen}/report.html").stat().st_size > 100_000
    assert different(folder / f"results/{screen}", local / f"results/{screen}", 200) == []
    succeed(folder, *options, "--report", "report.zip")
    assert (folder / "report.zip").stat().st_size > 100_000


@pytest.mark.faults
def test_two_nodes_train_the_model_of_one_process(cluster: None, tmp_path: Path, repository: Path, tiny: Path) -> None:
    folder = prepare(tmp_path / "slurm", repository)
    run = {"device": "cpu", "nodes": 2, "processes": 2}
    screen = {**TINY, "train_shared": {**TINY["train_shared"], "run": run}}
    (folder / "screen.yaml").write_text(yaml.safe_dump(screen))
    point = "results/tiny/train_shared/fold~0/beta~0.001"
    trained, solved = (f"{point}/seed~{seed}/model.safetensors" for seed in ("0", "closed_form"))
    # a group would ask for the nodes of all its jobs together
    on_the_cluster(folder, trained, solved, "--configfile", "screen.yaml", "--groups", "normalize_plate=plates")
    several, one = load_file(folder / trained), load_file(tiny / trained)
    assert several.keys() == one.keys()
    difference = max(float((several[name] - one[name]).abs().max()) for name in one)
    assert 0 < difference < 1e-5
    record = folder / trained.replace("model.safetensors", "provenance.json")
    assert json.loads(record.read_text())["parameters"]["settings"]["run"]["nodes"] == 2
    # the closed form is no matter of several processes
    assert all(values.equal(load_file(tiny / solved)[name]) for name, values in load_file(folder / solved).items())
