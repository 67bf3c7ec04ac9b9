"""Several processes for one step: on this machine, or on all machines of a Slurm job."""

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from dssl.errors import ConfigError
from dssl.settings.learning import RunSettings, TrainSharedSettings, TrainSpecificSettings

# variables of Slurm that say where a process is in its job, and not how that job was cut into tasks
JOB_VARIABLES = {"SLURM_JOB_ID", "SLURM_JOBID", "SLURM_CLUSTER_NAME", "SLURM_CONF"}


def is_first_process() -> bool:
    """Whether this process writes the results: all processes of `torchrun` but the first one leave it to that."""
    return os.environ.get("RANK", "0") == "0"


def run_of_step(arguments: Mapping[str, Any]) -> RunSettings:
    """Where the arithmetic of a step with these arguments runs: in one process, unless it trains."""
    settings, shared_settings = arguments.get("settings"), arguments.get("shared_settings")
    if isinstance(settings, TrainSharedSettings | TrainSpecificSettings):
        return settings.run.of_member(arguments["seed"], settings.solver)
    # a learned baseline, which is trained where step 1 would be
    return shared_settings.run if isinstance(shared_settings, TrainSharedSettings) else RunSettings()


def start_processes(run: RunSettings, arguments: Sequence[str]) -> None:
    """Become `torchrun` with as many processes as `run` says, each doing `dssl ARGUMENTS`; nothing to do for one.

    This process is replaced, so that signals reach `torchrun` and its exit status is that of the step.

    Raises
    ------
    ConfigError
        If several machines are asked for outside a job of Slurm.
    """
    if run.processes * run.nodes == 1 or "TORCHELASTIC_RUN_ID" in os.environ:
        return
    command = [*torchrun_command(run), "-m", "dssl", *arguments]
    if run.nodes > 1:
        for name in [name for name in os.environ if name.startswith("SLURM_") and name not in JOB_VARIABLES]:
            del os.environ[name]
    os.execvp(command[0], command)


def torchrun_command(run: RunSettings) -> list[str]:
    """Command that starts the processes, up to the module that they run."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={run.processes}"]
    if run.nodes == 1:
        return [*torchrun, "--standalone"]
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        raise ConfigError(
            f"run.nodes: {run.nodes} machines are asked for, but this is no job of Slurm\n"
            "Start the workflow with --profile slurm, or set run.nodes: 1."
        )
    # this is the first machine of the job: the others find it by its name
    endpoint = f"{socket.gethostname()}:{free_port()}"
    threads = run.processes * run.cpu_threads
    return [
        "srun",
        f"--nodes={run.nodes}",
        f"--ntasks={run.nodes}",
        "--ntasks-per-node=1",
        f"--cpus-per-task={threads}",
        "--kill-on-bad-exit=1",
        *torchrun,
        f"--nnodes={run.nodes}",
        "--rdzv-backend=c10d",
        f"--rdzv-id={job}",
        f"--rdzv-endpoint={endpoint}",
    ]


def free_port() -> int:
    """A port that nothing on this machine listens on."""
    with socket.socket() as opened:
        opened.bind(("", 0))
        return int(opened.getsockname()[1])
