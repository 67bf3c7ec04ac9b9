"""The profiles plan on a machine without Slurm what a cluster would be asked for."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from dssl.plan import job_counts
from dssl.settings.screen import parse_screen

Snakemake = Callable[..., "subprocess.CompletedProcess[str]"]
TRAINED = ("train_shared", "train_specific", "train_learned_baseline")
GROUPED = {"normalize_plate", *TRAINED, "train_assays"}


def asked(output: str) -> dict[str, dict[str, str]]:
    """Resources of the first job of every rule in a dry run."""
    found: dict[str, dict[str, str]] = {}
    for name, text in re.findall(r"^ *(?:local)?rule (\w+):\n(?:.+\n)*? +resources: (.*)$", output, re.MULTILINE):
        found.setdefault(name, dict(part.split("=", 1) for part in text.split(", ")))
    return found


@pytest.mark.skipif(shutil.which("sinfo") is None, reason="needs Slurm's commands")
@pytest.mark.parametrize(
    ("site", "gpus", "partitions"),
    [
        (None, "0", None),
        ("site-cpu", "0", {"cpu"}),
        ("site-gpu", "1", {"cpu", "gpu"}),
        ("site-several-gpu-types", "1", {"cpu", "gpu"}),
    ],
)
def test_only_what_trains_asks_for_gpus_where_a_site_has_them(
    empty: Path,
    repository: Path,
    snakemake: Snakemake,
    tiny_content: dict[str, Any],
    site: str | None,
    gpus: str,
    partitions: set[str] | None,
) -> None:
    (empty / "slurm").symlink_to(repository / "slurm")
    for section in ("train_shared", "train_specific"):
        tiny_content[section]["run"] = {"device": "auto"}
    (empty / "tiny.yaml").write_text(yaml.safe_dump(tiny_content))
    profiles = ["--profile", "slurm", *(["--profile", f"workflow/profiles/{site}"] if site else [])]
    run = snakemake(empty, "--dry-run", *profiles, "--configfile", "tiny.yaml")
    assert run.returncode == 0, run.stdout + run.stderr
    found = asked(run.stdout + run.stderr)
    assert len(found) >= 16
    assert {name: wanted.get("gpu") for name, wanted in found.items() if wanted.get("gpu")} == dict.fromkeys(
        TRAINED, gpus
    )
    if partitions:
        assert {wanted["slurm_partition"] for wanted in found.values()} == partitions
        assert {name for name, wanted in found.items() if wanted["slurm_partition"] == "gpu"} <= set(TRAINED)


@pytest.mark.parametrize("executor", ["cluster-generic", "lsf"])
def test_other_executors_plan_the_same_jobs(
    empty: Path, repository: Path, snakemake: Snakemake, tiny_content: dict[str, Any], executor: str
) -> None:
    pytest.importorskip(f"snakemake_executor_plugin_{executor.replace('-', '_')}")
    (empty / "tiny.yaml").write_text(yaml.safe_dump(tiny_content))
    # the command as the documentation has it
    documented = (repository / "docs/cluster.md").read_text().replace("\\\n", " ")
    (command,) = re.findall(rf"^ +snakemake (.* --executor {executor} .*)$", documented, re.MULTILINE)
    run = snakemake(empty, *shlex.split(command), "--dry-run", "--configfile", "tiny.yaml")
    assert run.returncode == 0, run.stdout + run.stderr
    shown = run.stdout + run.stderr
    jobs = job_counts(parse_screen(tiny_content, "test"))
    assert {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", shown, re.MULTILINE)} == {
        **jobs,
        "all": 1,
        "total": sum(jobs.values()) + 1,
    }
    found = asked(shown)
    # what the documented command hands on
    assert all({"mem_mb", "runtime"} <= set(found[name]) for name in jobs)


def test_groups_and_retries_of_the_profile(repository: Path) -> None:
    profile = yaml.safe_load((repository / "slurm/config.v9+.yaml").read_text())
    assert profile["retries"] >= 2
    assert profile["rerun-incomplete"] is True
    assert profile["slurm-status-command"] == "squeue"
    groups = dict(group.split("=") for group in profile["groups"])
    assert set(groups) == GROUPED
    assert {component.split("=")[0] for component in profile["group-components"]} == set(groups.values())
