import os
import sys

import pytest

from dssl import launch
from dssl.errors import ConfigError
from dssl.settings.baselines import TrainLearnedBaselineSettings
from dssl.settings.learning import RunSettings, SelectModelSettings, TrainSharedSettings, TrainSpecificSettings


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Commands that the process would have become."""
    found: list[list[str]] = []
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    monkeypatch.setattr(os, "execvp", lambda program, command: found.append(command))
    return found


def test_one_process_stays_as_it_is(started: list[list[str]]) -> None:
    launch.start_processes(RunSettings(), ["train_shared"])
    assert started == []


def test_only_what_is_trained_takes_several_processes() -> None:
    run = RunSettings(device="cuda", processes=4, nodes=2)
    shared, specific = TrainSharedSettings(run=run), TrainSpecificSettings(run=run)
    solved = TrainSharedSettings(run=run, solver="gaussian")
    for settings in (shared, specific):
        assert launch.run_of_step({"settings": settings, "seed": "0"}) == run
        alone = launch.run_of_step({"settings": settings, "seed": "closed_form"})
        assert (alone.processes, alone.nodes, alone.device) == (1, 1, "cpu")
    assert launch.run_of_step({"settings": solved, "seed": "0"}).processes == 1
    # the learned baselines have no closed form
    baseline = {"settings": TrainLearnedBaselineSettings(), "shared_settings": solved, "seed": 0}
    assert launch.run_of_step(baseline) == run
    assert launch.run_of_step({"settings": SelectModelSettings()}).processes == 1


def test_what_torchrun_started_does_not_start_it_again(
    started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    launch.start_processes(RunSettings(processes=2), ["train_shared"])
    assert started == []


def test_processes_of_one_machine(started: list[list[str]]) -> None:
    launch.start_processes(RunSettings(processes=3), ["train_shared", "--seed", "0"])
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=3", "--standalone"]
    assert started == [[*torchrun, "-m", "dssl", "train_shared", "--seed", "0"]]


def test_machines_of_a_job_of_slurm(started: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    # of the step around: srun would take it for the number of its own tasks
    monkeypatch.setenv("SLURM_NTASKS", "1")
    launch.start_processes(RunSettings(processes=2, nodes=3, cpu_threads=4), ["train_shared"])
    (command,) = started
    assert command[0] == "srun"
    assert {"--nodes=3", "--ntasks=3", "--ntasks-per-node=1", "--cpus-per-task=8"} < set(command)
    assert {"--nnodes=3", "--nproc-per-node=2", "--rdzv-backend=c10d", "--rdzv-id=17"} < set(command)
    assert command[-3:] == ["-m", "dssl", "train_shared"]
    assert "SLURM_NTASKS" not in os.environ
    assert os.environ["SLURM_JOB_ID"] == "17"


def test_machines_outside_a_job(started: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with pytest.raises(ConfigError, match=r"run\.nodes: 2 machines are asked for, but this is no job of Slurm"):
        launch.start_processes(RunSettings(nodes=2), ["train_shared"])
