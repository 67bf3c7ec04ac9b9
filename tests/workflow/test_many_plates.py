"""Thousands of plate tables: no command comes near the limit of one shell argument."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import yaml

from dssl.plan import job_counts
from dssl.settings.screen import load_screen

N_PLATES = 2000
LONGEST_ARGUMENT = 128 * 1024  # of Linux, in bytes; a rule's whole command is one argument
COMMAND = re.compile(r"^Shell command: dssl (\w+) .*$", flags=re.MULTILINE)


def test_commands_of_a_screen_of_2000_plates_fit_into_one_argument(
    empty: Path, snakemake: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    folder = empty / "a_folder_with_a_rather_long_name"
    folder.mkdir()
    names = [f"BR{number:08d}_normalized_of_batch_2026" for number in range(N_PLATES)]
    tables = [f"{folder.name}/{name}.csv.gz" for name in names]
    for table in tables:
        (empty / table).touch()
    (empty / "molecules.csv").touch()
    content = {
        "screen": "many",
        "molecules": {"table": "molecules.csv"},
        "plates": {
            "tables": tables,  # one by one, so that the settings are long too
            "control": {"column": "role", "values": ["dmso"]},
        },
        "pair_and_split": {"n_folds": 2},
        "sweep": {"beta": [0.001], "lam": [1.0], "seed": [0]},
        "train_learned_baseline": {"methods": []},
    }
    (empty / "many.yaml").write_text(yaml.safe_dump(content))
    run = snakemake(empty, "--dry-run", "--printshellcmds", "--configfile", "many.yaml")
    assert run.returncode == 0, run.stderr[-3000:]
    longest: dict[str, int] = {}
    for match in COMMAND.finditer(run.stdout + run.stderr):
        longest[match[1]] = max(longest.get(match[1], 0), len(match[0].encode()))
    counts = job_counts(load_screen(empty / "many.yaml"))
    assert set(counts) == set(longest)
    assert counts["normalize_plate"] == N_PLATES
    # half the limit, for longer names than these
    assert {step: size for step, size in longest.items() if size > LONGEST_ARGUMENT // 2} == {}
