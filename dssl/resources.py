"""What a job asks its cluster for, from what the step took on simulated and real screens, with head-room.

The same numbers, without the head-room, are the estimate that `dssl check` prints (`dssl.estimate`).
"""

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from dssl.settings.learning import RunSettings

# where a job runs, by its wildcards
RunOf = Callable[[Any], RunSettings]

MEMORY_HEADROOM = 1.5
TIME_HEADROOM = 4.0
# Snakemake itself, which runs twice around every job of a cluster, MB
AROUND_MB = 600
LEAST_MINUTES = 10
# of one job among many in a submission: Python may be slow to start on shared storage
START_MINUTES = 2
BYTES_PER_MB = 1e6


@dataclass(frozen=True)
class Need:
    """Peak memory and time of a step: a constant, and a part that grows with its input files.

    Attributes
    ----------
    mb, mb_per_mb : float
        MB of memory, and MB for each MB of input.
    seconds, seconds_per_mb : float
        Seconds on one core, and seconds for each MB of input; of a step that trains, for each MB and 100 epochs.
    """

    mb: float
    mb_per_mb: float
    seconds: float
    seconds_per_mb: float


NEEDS = {
    "simulate_screen": Need(350, 0, 30, 0.0),
    "fetch_screen": Need(190, 0, 3, 0.0),
    "standardize_molecules": Need(700, 40, 8, 5.0),
    "featurize_molecules": Need(750, 400, 10, 30.0),
    "normalize_plate": Need(220, 15, 3, 0.3),
    "list_plates": Need(190, 0, 3, 0.0),
    "assemble_profiles": Need(250, 15, 3, 0.3),
    "profile_second_assay": Need(500, 40, 10, 1.0),
    "call_activity": Need(700, 20, 20, 3.0),
    "compare_preprocessing": Need(900, 40, 60, 10.0),
    "pair_and_split": Need(240, 15, 3, 0.2),
    "fit_preprocessing": Need(250, 20, 3, 0.3),
    "train_shared": Need(500, 20, 5, 3.5),
    "train_specific": Need(500, 20, 5, 5.0),
    "select_model": Need(190, 5, 3, 0.1),
    "embed_screen": Need(650, 20, 10, 2.0),
    "train_baseline": Need(250, 40, 4, 1.0),
    "train_learned_baseline": Need(500, 20, 5, 3.5),
    "select_learned_baseline": Need(450, 20, 5, 1.0),
    "evaluate_retrieval": Need(400, 30, 8, 2.0),
    "evaluate_disentanglement": Need(480, 30, 15, 3.0),
    "join_assays": Need(400, 15, 5, 0.3),
    "fit_assays": Need(400, 40, 5, 1.0),
    "train_assays": Need(500, 20, 6, 5.0),
    "evaluate_assays": Need(500, 40, 15, 3.0),
    "summarize_assays": Need(300, 30, 5, 2.0),
    "calibrate_scores": Need(700, 20, 15, 2.0),
    "bundle_model": Need(400, 10, 8, 0.5),
    "embed": Need(900, 20, 20, 100.0),
    "query": Need(500, 20, 10, 2.0),
    "summarize_folds": Need(300, 30, 10, 4.0),
    "describe_compounds": Need(250, 10, 2, 0.2),
    "train_decoder": Need(420, 30, 2, 1.5),
    "evaluate_counterfactuals": Need(600, 60, 15, 4.0),
    "summarize_counterfactuals": Need(300, 60, 8, 4.0),
    "report": Need(310, 20, 8, 1.0),
    "handover": Need(300, 10, 3, 0.2),
    "explorer": Need(330, 10, 3, 0.2),
    "list_records": Need(190, 0, 3, 0.0),
    "manifest": Need(190, 5, 3, 0.1),
    "crate": Need(190, 5, 2, 0.1),
    "log_mlflow": Need(400, 5, 20, 0.1),
}


class Asked(Protocol):
    """What Snakemake calls for a resource of a job."""

    def __call__(self, wildcards: Any, input: Iterable[str], attempt: int) -> int:
        """Amount that this attempt asks for."""
        ...


def one_process(wildcards: Any) -> RunSettings:
    """Where every job runs that does not train."""
    return RunSettings()


def memory(step: str, run_of: RunOf = one_process) -> Asked:
    """Resource `mem_mb` of a step, for all its training processes on a machine; every further attempt asks for more."""

    def asked(wildcards: Any, input: Iterable[str], attempt: int) -> int:
        peak = peak_mb(step, input_mb(input))
        return math.ceil(AROUND_MB + MEMORY_HEADROOM * run_of(wildcards).processes * peak * attempt)

    return asked


def runtime(step: str, epochs: int | None = None, together: int = 1) -> Asked:
    """Resource `runtime` of a step, minutes; every further attempt asks for more.

    The least time is that of all jobs of the step which the profile puts into one submission, `together`, since Snakemake
    adds up what they ask for.
    """

    def asked(wildcards: Any, input: Iterable[str], attempt: int) -> int:
        expected = seconds(step, input_mb(input), epochs)
        least = max(LEAST_MINUTES / together, START_MINUTES)
        return math.ceil(max(least, TIME_HEADROOM * expected / 60)) * attempt

    return asked


def threads(run_of: RunOf) -> Callable[[Any], int]:
    """CPU cores of a job that trains, on each of its machines."""
    return lambda wildcards: run_of(wildcards).threads()


def gpus(run_of: RunOf) -> Callable[[Any], int]:
    """Resource `gpu` of a job that trains."""
    return lambda wildcards: run_of(wildcards).gpus()


def several_nodes(nodes: int, run_of: RunOf) -> dict[str, Callable[[Any], Any]]:
    """Resources of jobs that train on several machines: a task on each, started by srun; unset where one is enough."""
    if nodes == 1:
        return {}

    def where_several(value: Any) -> Callable[[Any], Any]:
        return lambda wildcards: value if run_of(wildcards).nodes > 1 else None

    # tasks_per_gpu: the plugin would otherwise ask for so many tasks on each GPU
    asked = {"mpi": "srun", "nodes": nodes, "tasks": nodes, "tasks_per_gpu": 0}
    return {name: where_several(value) for name, value in asked.items()}


def peak_mb(step: str, size_mb: float) -> float:
    """Memory that a step is expected to take, MB, from the size of its input files, MB."""
    need = NEEDS[step]
    return need.mb + need.mb_per_mb * size_mb


def seconds(step: str, size_mb: float, epochs: int | None = None) -> float:
    """Time that a step is expected to take on one core."""
    need = NEEDS[step]
    return need.seconds + need.seconds_per_mb * size_mb * (1.0 if epochs is None else epochs / 100)


def input_mb(paths: Iterable[str]) -> float:
    """Size of the files that are there already: in a group of jobs some are still to be made."""
    return sum(os.path.getsize(path) for path in paths if os.path.exists(path)) / BYTES_PER_MB
