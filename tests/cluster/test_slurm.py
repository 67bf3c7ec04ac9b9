"""The literal command on a real Slurm, beside the same screen made on this machine."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from safetensors.torch import load_file

from tests.cluster.conftest import environment, prepare
from tests.workflow.conftest import TINY

# what is made once for the screen or, without randomness of its own, on any machine with the same bytes
COMPARED = ("*.safetensors", "*.tsv", "*.csv.gz", "*.h5ad", "*.h5mu", "*.parquet", "metrics.json", "history.jsonl")


def on_the_cluster(folder: Path, screen: dict[str, Any], *arguments: str) -> str:
    """What `snakemake --cores 8 --profile slurm` prints; it must succeed."""
    (folder / "screen.yaml").write_text(yaml.safe_dump(screen))
    command = ["snakemake", *arguments, "--cores", "8", "--profile", "slurm", "--configfile", "screen.yaml"]
    # four jobs at a time, and looked at more often: there is one machine behind the nodes
    quick = ["--jobs", "4", "--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "15"]
    done = subprocess.run(
        [*command, *quick], cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return done.stdout + done.stderr


def test_a_screen_runs_to_its_report_with_the_bytes_of_a_local_run(
    cluster: None, tmp_path: Path, repository: Path, tiny: Path
) -> None:
    folder = prepare(tmp_path / "slurm", repository)
    shown = on_the_cluster(folder, TINY)
    results, local = folder / "results/tiny", tiny / "results/tiny"
    assert (results / "report.html").stat().st_size > 100_000
    names = {path.relative_to(local) for pattern in COMPARED for path in local.rglob(pattern)}
    assert len(names) > 60
    assert [str(name) for name in sorted(names) if (results / name).read_bytes() != (local / name).read_bytes()] == []
    # the two plates are one submission, and so are each kind of training jobs
    assert len(re.findall("SLURM jobid", shown)) == 36
    report = ["snakemake", "--configfile", "screen.yaml", "--report", "report.html"]
    subprocess.run(report, cwd=folder, env=environment(), check=True, capture_output=True)
    assert (folder / "report.html").stat().st_size > 100_000


@pytest.mark.faults
def test_two_nodes_train_the_model_of_one_process(cluster: None, tmp_path: Path, repository: Path, tiny: Path) -> None:
    folder = prepare(tmp_path / "slurm", repository)
    run = {"device": "cpu", "nodes": 2, "processes": 2}
    screen = {**TINY, "train_shared": {**TINY["train_shared"], "run": run}}
    # a group would ask for the nodes of all its jobs together
    model = "train_shared/fold~0/beta~0.001/seed~0/model.safetensors"
    on_the_cluster(folder, screen, f"results/tiny/{model}", "--groups", "normalize_plate=plates")
    several, one = load_file(folder / "results/tiny" / model), load_file(tiny / "results/tiny" / model)
    assert several.keys() == one.keys()
    difference = max(float((several[name] - one[name]).abs().max()) for name in one)
    assert 0 < difference < 1e-5
    benchmark = folder / "results/tiny" / model.replace("model.safetensors", "provenance.json")
    assert json.loads(benchmark.read_text())["parameters"]["settings"]["run"]["nodes"] == 2
