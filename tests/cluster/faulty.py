"""A screen in training on the cluster, to which faults happen."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.conftest import HERE, environment, prepare
from tests.workflow.conftest import TINY

FOLDER = "results/faults/train_shared/fold~0/beta~0.001/seed~0"
# what the runs are compared by: the models of both steps, and what was chosen
RESULTS = (
    f"{FOLDER}/model.safetensors",
    f"{FOLDER}/metrics.json",
    "results/faults/train_specific/fold~0/beta~0.001/lambda~1/seed~0/model.safetensors",
    "results/faults/select_model/fold~0/candidates.tsv",
)
TARGET = "results/faults/select_model/fold~0/selected.json"
SUBMITTED = re.compile(r"SLURM jobid (\d+)")
PATIENCE_SECONDS = 600


def settings() -> dict[str, Any]:
    """The tiny screen with a training that is long enough to be disturbed."""
    training = {"epochs": 60, "checkpoint_every": 10, "patience": None}
    shared = {
        "encoder": {"custom": "slow_motion:SlowMotion"},
        "optimizer": training,
        "run": {"device": "cpu"},
    }
    return {**TINY, "screen": "faults", "train_shared": shared}


def undisturbed(folder: Path, repository: Path) -> Path:
    """The screen made on this machine up to the inputs of training (`before`), and on to its models (`after`)."""
    if (folder / "after" / TARGET).exists():
        return folder
    before = prepare(folder / "before", repository)
    (before / "faults.yaml").write_text(yaml.safe_dump(settings()))
    local = ["--cores", "2", "--quiet", "all", "--configfile", "faults.yaml"]
    inputs = "results/faults/fit_preprocessing/fold~0/inputs.h5mu"
    subprocess.run(["snakemake", inputs, *local], cwd=before, env=variables(), check=True)
    shutil.copytree(before, folder / "after", symlinks=True)
    subprocess.run(["snakemake", TARGET, *local], cwd=folder / "after", env=variables(), check=True)
    return folder


def variables() -> dict[str, str]:
    python_path = f"{HERE}:{os.environ.get('PYTHONPATH', '')}"
    return environment(PYTHONPATH=python_path)


@dataclass
class Run:
    """A copy of the screen before training, and the Snakemake that trains it on the cluster."""

    folder: Path
    reference: Path
    options: list[str] = field(default_factory=list)
    process: "subprocess.Popen[bytes] | None" = None
    log: Path = Path()
    n_starts: int = 0

    def start(self) -> None:
        """The literal command, told what to make and to look more often."""
        self.n_starts += 1
        self.log = self.folder / f"snakemake-{self.n_starts}.log"
        command = ["snakemake", TARGET, "--cores", "8", "--profile", "slurm", "--configfile", "faults.yaml"]
        quick = ["--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "15"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, *quick, *self.options],
                cwd=self.folder,
                env=variables(),
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_take_interrupts,
            )

    def finish(self) -> int:
        """Wait for Snakemake and give its exit status."""
        assert self.process is not None
        return self.process.wait(PATIENCE_SECONDS)

    def hold(self) -> None:
        (self.folder / "hold").touch()

    def release(self) -> None:
        (self.folder / "hold").unlink(missing_ok=True)

    def checkpoint(self) -> Path | None:
        return next((self.folder / FOLDER).glob("checkpoint-*.safetensors"), None)

    def in_training(self) -> Path:
        """Wait for a checkpoint, and give its path."""
        self.until(lambda: self.checkpoint() is not None)
        found = self.checkpoint()
        assert found is not None
        return found

    def jobs(self) -> list[str]:
        """Slurm's numbers of the jobs that were submitted."""
        logs = [self.folder / f"snakemake-{number + 1}.log" for number in range(self.n_starts)]
        return [job for log in logs for job in SUBMITTED.findall(log.read_text())]

    def job(self) -> str:
        """Slurm's number of the last job."""
        return self.jobs()[-1]

    def kill_training(self) -> None:
        """End `dssl train_shared` without notice."""
        found = [
            pid for pid, words in processes(self.folder) if "train_shared" in words[2:3] and words[1].endswith("dssl")
        ]
        assert found
        for pid in found:
            os.kill(pid, signal.SIGKILL)

    def until(self, condition: Callable[[], bool]) -> None:
        assert self.process is not None
        end = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert self.process.poll() is None, self.log.read_text()[-4000:]
            assert time.monotonic() < end, self.log.read_text()[-4000:]
            time.sleep(0.2)

    def differences(self) -> list[str]:
        """Results that are not, byte for byte, those of the undisturbed run; and what was left lying about."""
        different = [
            name for name in RESULTS if (self.folder / name).read_bytes() != (self.reference / name).read_bytes()
        ]
        results = self.folder / "results"
        left = [path.name for path in results.rglob("*") if path.name.startswith(".") or "checkpoint-" in path.name]
        return different + [name for name in left if not name.endswith(".damaged")]

    def saw(self, pattern: str) -> bool:
        """Whether the user was shown this, by Snakemake or in a log that it names; lines of a log are short, so joined."""
        logs = [*self.folder.glob("snakemake-*.log"), *self.folder.glob("logs/faults/**/*.log")]
        return any(re.search(pattern, " ".join(path.read_text(errors="replace").split())) for path in logs)

    def stop(self) -> None:
        """End what is left of a failed test."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


def _take_interrupts() -> None:
    """As in a user's terminal: what a shell starts in the background ignores Ctrl-C, and so would Snakemake."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def processes(folder: Path) -> Iterator[tuple[int, list[str]]]:
    """Processes whose working folder this is, with their command lines."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if Path(os.readlink(entry / "cwd")) == folder:
                    yield int(entry.name), (entry / "cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
