from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

Run = Callable[..., "CompletedProcess[str]"]


def test_a_study_is_one_command_and_its_jobs_are_the_grid(empty: Path, snakemake: Run) -> None:
    run = snakemake(empty, "study", "--dry-run", "--config", "study=config/study-full.yaml")
    assert run.returncode == 0, run.stderr[-3000:]
    counts = dict(line.split()[:2] for line in run.stdout.splitlines() if line.startswith("study"))
    # presets and betas (the closed form has no beta of 0) x noises (x lambdas) x seeds; methods x noises x trials x seeds
    assert int(counts["study_shared"]) == (3 * 13 - 1) * 2 * 3
    assert int(counts["study_specific"]) == 3 * 2 * 2 * 7 * 3
    assert int(counts["study_baseline"]) == 6 * 2 * 8 * 3
    assert int(counts["study_context"]) == 2 * 3


def test_a_mistake_in_the_studys_file_is_named(empty: Path, snakemake: Run) -> None:
    (empty / "mine.yaml").write_text("study: mine\nbetass: [1]\n")
    run = snakemake(empty, "study", "--dry-run", "--config", "study=mine.yaml")
    assert run.returncode != 0
    assert "betass: unknown key" in run.stdout + run.stderr
