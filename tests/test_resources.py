import re
from pathlib import Path

import pytest

from dssl import resources
from dssl.estimate import PER_PLATES_MB, estimate, table_sizes
from dssl.settings.learning import RunSettings
from dssl.settings.screen import ScreenSettings, parse_screen

RULE = re.compile(r"^ *rule (\w+):$", flags=re.MULTILINE)


def asked(step: str, paths: list[Path], attempt: int = 1, processes: int = 1) -> int:
    run = RunSettings(processes=processes)
    return resources.memory(step, lambda wildcards: run)({}, map(str, paths), attempt)


@pytest.fixture
def inputs(tmp_path: Path) -> list[Path]:
    """Two files of 3 MB together, and one that is still to be made."""
    paths = [tmp_path / "a", tmp_path / "b", tmp_path / "later"]
    paths[0].write_bytes(b"0" * 1_000_000)
    paths[1].write_bytes(b"0" * 2_000_000)
    return paths


def test_every_rule_of_a_screen_has_its_need_and_no_other_has(repository: Path) -> None:
    names = {name for path in (repository / "workflow/rules").glob("*.smk") for name in RULE.findall(path.read_text())}
    assert set(resources.NEEDS) == {name for name in names if not name.startswith("study_")}
    assert set(PER_PLATES_MB) < set(resources.NEEDS)


def test_memory_is_what_was_measured_with_head_room(inputs: list[Path]) -> None:
    need = resources.NEEDS["embed_screen"]
    assert asked("embed_screen", inputs) == pytest.approx(600 + 1.5 * (need.mb + 3 * need.mb_per_mb), abs=1)
    assert asked("embed_screen", []) == pytest.approx(600 + 1.5 * need.mb, abs=1)


def test_further_attempts_and_processes_ask_for_more(inputs: list[Path]) -> None:
    own = asked("train_shared", inputs) - 600
    assert asked("train_shared", inputs, attempt=3) - 600 == pytest.approx(3 * own, abs=3)
    assert asked("train_shared", inputs, processes=4) - 600 == pytest.approx(4 * own, abs=4)
    # which of 10 minutes and the expected time is longer makes no difference to the factor
    for size in (1.0, 500.0):
        inputs[0].write_bytes(b"0" * int(size * 1e6))
        minutes = [resources.runtime("fit_preprocessing")({}, map(str, inputs), attempt) for attempt in (1, 2, 3)]
        assert minutes == [minutes[0], 2 * minutes[0], 3 * minutes[0]]


def test_jobs_of_one_submission_share_the_least_time(inputs: list[Path]) -> None:
    def minutes(together: int, size_mb: float) -> int:
        inputs[0].write_bytes(b"0" * int(size_mb * 1e6))
        return resources.runtime("normalize_plate", together=together)({}, map(str, inputs), 1)

    assert [minutes(together, 0.1) for together in (1, 4, 50)] == [10, 3, 2]
    # 4 times the seconds that it is expected to take
    expected = 4 * resources.seconds("normalize_plate", 300 + 2) / 60
    assert minutes(50, 300) == pytest.approx(expected, abs=1)


def test_training_takes_longer_with_more_epochs() -> None:
    few, many = (resources.seconds("train_shared", 50.0, epochs) for epochs in (100, 1000))
    start = resources.NEEDS["train_shared"].seconds
    assert many - start == pytest.approx(10 * (few - start))


def test_several_nodes_are_a_task_each_and_one_node_is_no_resource() -> None:
    def run_of(seed: str) -> RunSettings:
        return RunSettings(nodes=3).of_member(seed, "neural")

    assert resources.several_nodes(1, run_of) == {}
    found = resources.several_nodes(3, run_of)
    assert {name: of("0") for name, of in found.items()} == {
        "mpi": "srun",
        "nodes": 3,
        "tasks": 3,
        "tasks_per_gpu": 0,
    }
    assert {of("closed_form") for of in found.values()} == {None}


def simulated(device: str, **sections: object) -> ScreenSettings:
    run = {"run": {"device": device}}
    content = {"screen": "x", "simulate_screen": {}, "train_shared": run, "train_specific": run, **sections}
    return parse_screen(content, "test")


def test_the_estimate_is_the_sum_over_jobs() -> None:
    screen = simulated("cuda", train_learned_baseline={"methods": []})
    sizes = table_sizes(screen, [], None)
    table = estimate(screen, sizes).set_index("step")
    size = PER_PLATES_MB["train_shared"] * sizes["plates"]
    one = resources.seconds("train_shared", size, screen.train_shared.optimizer.epochs)
    n = table.loc["train_shared", "jobs"]
    # of three seeds and the closed form, which is solved on a CPU
    assert table.loc["train_shared", "GPU hours"] == pytest.approx(3 / 4 * n * one / 3600, abs=0.006)
    assert table.loc["train_shared", "CPU hours"] == pytest.approx(n * (one + 5) / 3600, abs=0.006)
    on_gpus = table["GPU hours"].drop("all")
    assert set(on_gpus.index[on_gpus > 0]) == {"train_shared", "train_specific"}
    for column in ("jobs", "CPU hours", "GPU hours"):
        assert table.loc["all", column] == pytest.approx(table[column].drop("all").sum(), abs=0.1)


def test_what_is_solved_counts_no_gpu_and_learned_baselines_do() -> None:
    solved = {"run": {"device": "cuda"}, "solver": "gaussian"}
    screen = simulated("cuda", train_shared=solved, train_learned_baseline={"methods": ["infonce"]})
    hours = estimate(screen, table_sizes(screen, [], None)).set_index("step")["GPU hours"].drop("all")
    assert set(hours.index[hours > 0]) == {"train_specific", "train_learned_baseline"}


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_without_cuda_no_gpu_is_counted(device: str) -> None:
    screen = simulated(device)
    assert estimate(screen, table_sizes(screen, [], None))["GPU hours"].max() == 0


def test_sizes_are_of_gzipped_tables(tmp_path: Path) -> None:
    screen = parse_screen(
        {
            "screen": "x",
            "molecules": {"table": "m.csv"},
            "plates": {"tables": ["p"]},
            "normalize_plate": {"method": "none"},
        },
        "test",
    )
    (tmp_path / "a.csv").write_bytes(b"0" * 1_000_000)
    (tmp_path / "b.csv.gz").write_bytes(b"0" * 1_000_000)
    (tmp_path / "c.parquet").write_bytes(b"0" * 1_000_000)
    sizes = table_sizes(screen, [tmp_path / name for name in ("a.csv", "b.csv.gz", "c.parquet")], tmp_path / "a.csv")
    assert sizes == pytest.approx({"plates": 2.4, "molecules": 0.4})
