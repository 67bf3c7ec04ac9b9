"""What can go wrong on a cluster, done to a training job: afterwards the results are those of an undisturbed run.

`make test-faults` runs all of it and prints the table; `make test-slurm` leaves out what is marked `faults`.
"""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.conftest import HERE, STATE, TABLE, UNDISTURBED, Fault
from tests.cluster.faulty import FOLDER, Run, undisturbed

# room for what is made again once the disk is not full any more
ROOM_MB = 50
AGAIN = "give the same command again"


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory, repository: Path, cluster: None) -> Path:
    # a folder that is kept spares the next session the undisturbed run
    kept = os.environ.get("DSSL_FAULTS_FOLDER")
    return undisturbed(Path(kept) if kept else tmp_path_factory.mktemp("faults"), repository)


@pytest.fixture
def run(screen: Path, tmp_path: Path) -> Iterator[Run]:
    shutil.copytree(screen / "before", tmp_path / "run", symlinks=True)
    started = Run(tmp_path / "run", screen / "after")
    started.hold()
    yield started
    started.stop()


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Adds a line to the table that is printed at the end."""
    began = time.monotonic()

    def add(fault: str, seen: str, to_do: str = "nothing", lost: str = "nothing") -> None:
        table = request.config.stash.setdefault(TABLE, [])
        table.append(Fault(fault, seen, lost, to_do, time.monotonic() - began))

    return add


def slurm(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def repaired_by_itself(run: Run, n_jobs: int) -> None:
    """Snakemake goes on without anybody's doing, with so many submissions."""
    assert run.finish() == 0, run.log.read_text()[-4000:]
    assert len(run.jobs()) == n_jobs
    assert run.differences() == []


def repaired_by_a_rerun(run: Run) -> None:
    run.start()
    assert run.finish() == 0, run.log.read_text()[-4000:]
    assert run.differences() == []


@pytest.mark.faults
def test_nothing_happens(run: Run, row: Callable[..., None]) -> None:
    run.release()
    run.start()
    repaired_by_itself(run, 1)
    row(UNDISTURBED, "the plain run")


def test_job_killed_and_its_checkpoint_cut_off(run: Run, row: Callable[..., None]) -> None:
    run.start()
    checkpoint = run.in_training()
    run.kill_training()
    os.truncate(checkpoint, checkpoint.stat().st_size // 2)
    run.release()
    repaired_by_itself(run, 2)
    assert run.saw(r"It is set aside as checkpoint-\w+\.safetensors\.damaged; training begins anew")
    row(
        "training killed (-9), its checkpoint cut off",
        "job failed, tried again; log: checkpoint set aside, training begins anew",
        lost="the epochs before the checkpoint",
    )


@pytest.mark.faults
def test_job_killed(run: Run, row: Callable[..., None]) -> None:
    run.start()
    run.in_training()
    run.kill_training()
    run.release()
    repaired_by_itself(run, 2)
    assert run.saw(r"resumed after epoch \d+")
    row("training killed (-9)", "job failed, tried again; log: resumed after epoch N")


@pytest.mark.faults
def test_job_cancelled(run: Run, row: Callable[..., None]) -> None:
    run.start()
    run.in_training()
    slurm("scancel", run.job())
    time.sleep(5)
    run.release()
    repaired_by_itself(run, 2)
    assert run.saw(r"JOB \d+ ON \w+ CANCELLED")
    assert run.saw(r"resumed after epoch \d+")
    row("job cancelled (scancel)", "JOB ... CANCELLED, tried again; log: saved epoch N, resumed after epoch N")


@pytest.mark.faults
def test_node_goes_down(run: Run, row: Callable[..., None]) -> None:
    run.start()
    run.in_training()
    node = slurm("squeue", "-h", "-j", run.job(), "-o", "%N")
    pid = int((STATE / f"run/slurmd-{node}.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    slurm("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    run.kill_training()
    run.release()
    try:
        assert run.finish() == 0, run.log.read_text()[-4000:]
    finally:
        subprocess.run([HERE / "start_slurm.sh"], check=True, capture_output=True)
    assert run.differences() == []
    row("node down in training", "job back in the queue or tried again, on another node; resumed")


@pytest.mark.faults
def test_time_limit(run: Run, row: Callable[..., None]) -> None:
    run.start()
    run.in_training()
    slurm("scontrol", "update", f"jobid={run.job()}", "timelimit=1")
    run.until(lambda: run.saw(r"CANCELLED .* DUE TO TIME LIMIT"))
    run.release()
    repaired_by_itself(run, 2)
    assert run.saw(r"resumed after epoch \d+")
    row("time limit", "CANCELLED ... DUE TO TIME LIMIT, tried again with more time; resumed")


@pytest.mark.faults
def test_out_of_memory(run: Run, row: Callable[..., None]) -> None:
    run.options = ["--set-resources", "train_shared:mem_mb=350+1200*(attempt-1)", "train_specific:mem_mb=300"]
    run.start()
    run.until(lambda: run.saw("(?i)exceeded memory limit|out.of.memory|oom"))
    run.release()
    assert run.finish() == 0, run.log.read_text()[-4000:]
    assert run.differences() == []
    row("out of memory", "job exceeded memory limit, tried again with more")


@pytest.mark.faults
def test_preempted(run: Run, row: Callable[..., None]) -> None:
    run.start()
    run.in_training()
    # on both nodes, so that the job cannot simply move
    for node in ("node1", "node2"):
        slurm("sbatch", "-p", "urgent", "-w", node, "--exclusive", "-o", "/dev/null", "--wrap", "sleep 15")
    run.until(lambda: slurm("squeue", "-h", "-j", run.job(), "-o", "%T") == "PENDING")
    run.release()
    repaired_by_itself(run, 1)
    assert run.saw(r"resumed after epoch \d+")
    row("preempted, requeued", "nothing, or a note on preemption; resumed")


@pytest.mark.faults
def test_controller_restarted(run: Run, row: Callable[..., None]) -> None:
    run.start()
    run.in_training()
    os.kill(int((STATE / "run/slurmctld.pid").read_text()), signal.SIGKILL)
    time.sleep(8)
    run.release()
    slurm("slurmctld")
    repaired_by_itself(run, 1)
    row("slurmctld killed and started again", "nothing")


def test_snakemake_interrupted(run: Run, row: Callable[..., None]) -> None:
    run.start()
    run.in_training()
    assert run.process is not None
    run.process.send_signal(signal.SIGINT)
    assert run.finish() != 0
    assert slurm("squeue", "-h", "-j", run.job(), "-o", "%T") in ("", "COMPLETING")
    run.release()
    repaired_by_a_rerun(run)
    assert run.saw(r"resumed after epoch \d+")
    row("Snakemake interrupted (Ctrl-C)", "its jobs are cancelled; then: resumed", AGAIN)


@pytest.mark.faults
@pytest.mark.parametrize("number", range(5))
def test_snakemake_killed_at_a_random_moment(run: Run, row: Callable[..., None], number: int) -> None:
    seconds = random.Random(number).uniform(2, 45)
    run.start()
    assert run.process is not None
    time.sleep(seconds)
    run.process.kill()
    run.process.wait()
    run.release()
    # the README's way: jobs that are still there are cancelled, and the folder is unlocked
    if run.jobs():
        slurm("scancel", *run.jobs())
    unlock = ["snakemake", "--unlock", "--configfile", "faults.yaml"]
    subprocess.run(unlock, cwd=run.folder, check=True, capture_output=True)
    repaired_by_a_rerun(run)
    row(
        f"Snakemake killed (-9) after {seconds:.0f} s",
        "Snakemake is gone, the folder is locked",
        f"scancel its jobs, snakemake --unlock, {AGAIN}",
    )


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of its own for a folder, with little room beyond what is there already."""
    shutil.copytree(folder, kept := folder.with_name("kept"))
    needed = sum(path.stat().st_size for path in kept.rglob("*")) // 2**20 + ROOM_MB
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={needed}m", "tmpfs", folder], check=True)
    try:
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.faults
def test_disk_full(run: Run, row: Callable[..., None]) -> None:
    results = run.folder / "results"
    with small_disk(results):
        fill = ["dd", "if=/dev/zero", f"of={results}/filler", "bs=4k"]
        subprocess.run(fill, check=False, capture_output=True)
        run.options = ["--retries", "0"]
        run.release()
        run.start()
        assert run.finish() != 0
        assert run.saw("No space left on device")
        assert not list((results / "faults/train_shared").rglob("*.safetensors"))
        (results / "filler").unlink()
        repaired_by_a_rerun(run)
    row("disk full on results/", "job failed; log: No space left on device", f"make room, {AGAIN}")


@pytest.mark.faults
def test_intermediate_file_damaged(run: Run, row: Callable[..., None]) -> None:
    inputs = run.folder / "results/faults/fit_preprocessing/fold~0/inputs.h5mu"
    os.truncate(inputs, inputs.stat().st_size - 4000)
    run.options = ["--retries", "0"]
    run.release()
    run.start()
    assert run.finish() != 0
    assert run.saw(r"inputs\.h5mu: cannot be read .* Remove it")
    assert not (run.folder / FOLDER / "model.safetensors").exists()
    inputs.unlink()
    repaired_by_a_rerun(run)
    row("intermediate file cut off", "job failed; log: the file cannot be read, remove it", f"remove it, {AGAIN}")
