"""A real Slurm cluster on this machine, and screens that run on it.

`make test-slurm` and `make test-faults` set DSSL_SLURM; without it everything here is skipped, because the cluster is
started as root from Debian's packages.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.workflow.conftest import tiny

__all__ = ["tiny"]

HERE = Path(__file__).parent
# lines of the table of faults, and other times
TABLE: pytest.StashKey[list["Fault"]] = pytest.StashKey()
TIMES: pytest.StashKey[list[str]] = pytest.StashKey()
UNDISTURBED = "none"
STATE = Path(os.environ.get("SLURM_TEST_DIR", "/tmp/slurm-test-cluster"))


@dataclass(frozen=True)
class Fault:
    """A line of the table of faults."""

    fault: str
    seen: str
    lost: str
    to_do: str
    seconds: float


def refusal() -> str | None:
    """Why no cluster can be started here; None where it can."""
    if "DSSL_SLURM" not in os.environ:
        return "needs a cluster: make test-slurm"
    if os.geteuid() != 0:
        return "needs root, to start Slurm's daemons"
    if shutil.which("apt-get") is None:
        return "needs Debian, whose packages of Slurm are used"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = refusal()
    if reason is not None:
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """Slurm with two nodes in partition cpu and one, with two pretend GPUs, in partition gpu."""
    if (STATE / "run/slurmctld.pid").exists():
        yield
        return
    started = subprocess.run([HERE / "start_slurm.sh"], capture_output=True, text=True, check=False)
    assert started.returncode == 0, started.stdout + started.stderr
    yield
    subprocess.run([HERE / "stop_slurm.sh", "--purge"], check=True)


@pytest.fixture
def timed(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Adds a line to the times that are printed at the end."""
    return request.config.stash.setdefault(TIMES, []).append


def environment(**variables: str) -> dict[str, str]:
    """Variables of a user on the login node: this Python's `dssl` and Snakemake, and no mirror."""
    found = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    found.pop("DSSL_MIRROR", None)
    return {**found, **variables}


def prepare(folder: Path, repository: Path) -> Path:
    """What a clone of the repository has, apart from its results."""
    folder.mkdir(parents=True)
    for name in ("workflow", "config", "slurm", "environment.yml"):
        (folder / name).symlink_to(repository / name)
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    times, rows = config.stash.get(TIMES, []), config.stash.get(TABLE, [])
    if times:
        terminalreporter.section("times")
        for line in times:
            terminalreporter.write_line(line)
    if rows:
        terminalreporter.section("faults: every one ended with the results of an undisturbed run")
        terminalreporter.write_line("| fault | what the user sees | lost | what to do | time | / undisturbed |")
        terminalreporter.write_line("|---|---|---|---|---|---|")
        undisturbed = next((row.seconds for row in rows if row.fault == UNDISTURBED), None)
        for row in rows:
            ratio = "" if undisturbed is None else f"{row.seconds / undisturbed:.1f}"
            cells = (row.fault, row.seen, row.lost, row.to_do, f"{row.seconds:.0f} s", ratio)
            terminalreporter.write_line(f"| {' | '.join(cells)} |")
