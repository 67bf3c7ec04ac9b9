from pathlib import Path
from typing import Any

import pytest

from dssl import plan
from dssl.errors import ConfigError, TableError
from dssl.settings.screen import ScreenSettings, parse_screen

FILE = {"sha256": "0" * 64, "licence": "CC0"}


def screen(**sections: Any) -> ScreenSettings:
    content = {
        "screen": "mine",
        "molecules": {"table": "molecules.csv"},
        "plates": {"tables": ["P1.csv"], "control": {"column": "role", "values": ["dmso"]}},
    }
    return parse_screen(content | sections, "test")


def plates(**keys: Any) -> dict[str, Any]:
    return {"control": {"column": "role", "values": ["dmso"]}, **keys}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_users_own_files_are_where_the_user_says() -> None:
    assert plan.molecule_table(screen()) == Path("molecules.csv")
    assert plan.plate_tables(screen()) == {"P1": Path("P1.csv")}


def test_fetched_files_are_where_fetch_screen_puts_them_and_others_are_not() -> None:
    fetched = screen(fetch_screen={"files": {"P1.csv": FILE}})
    assert plan.plate_tables(fetched) == {"P1": Path("results/mine/fetch_screen/P1.csv")}
    assert plan.molecule_table(fetched) == Path("molecules.csv")


def test_simulated_tables_have_the_names_of_their_layout_and_replicate() -> None:
    simulated = parse_screen({"screen": "sim", "simulate_screen": {"n_plate_maps": 2, "n_replicates": 2}}, "test")
    assert plan.molecule_table(simulated) == Path("results/sim/simulate_screen/molecules.tsv")
    names = ["map01_rep1", "map02_rep1", "map01_rep2", "map02_rep2"]
    assert plan.plate_tables(simulated) == {
        name: Path(f"results/sim/simulate_screen/plates/{name}.csv.gz") for name in names
    }


def test_a_glob_is_expanded_in_order(folder: Path) -> None:
    for name in ("b/P2.csv.gz", "a/P1.csv", "a/other.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    found = plan.plate_tables(screen(plates=plates(tables=["*/P*.csv*"])))
    assert list(found.items()) == [("P1", Path("a/P1.csv")), ("P2", Path("b/P2.csv.gz"))]


def test_a_glob_that_finds_nothing(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"plates\.tables: 'plates/\*\.csv' matches no file; correct the path"):
        plan.plate_tables(screen(plates=plates(tables=["plates/*.csv"])))


def test_two_tables_of_one_name() -> None:
    with pytest.raises(ConfigError, match=r"1 file name\(s\) occur more than once: P1\n.*rename the files"):
        plan.plate_tables(screen(plates=plates(tables=["a/P1.csv", "b/P1.csv.gz", "b/P2.csv"])))


def test_a_plate_list_names_the_tables(folder: Path) -> None:
    (folder / "list.csv").write_text("path,batch\nx/P1.csv,1\nx/007.csv,2\n")
    found = plan.plate_tables(screen(plates=plates(plate_list="list.csv")))
    assert found == {"P1": Path("x/P1.csv"), "007": Path("x/007.csv")}


def test_a_plate_list_without_paths(folder: Path) -> None:
    (folder / "list.csv").write_text("file,batch\nP1.csv,1\n")
    with pytest.raises(TableError, match=r"list\.csv: no column 'path'; it has 'file', 'batch'"):
        plan.plate_tables(screen(plates=plates(plate_list="list.csv")))


def test_folds_end_with_full_only_where_there_is_a_refit() -> None:
    assert plan.folds(screen(pair_and_split={"n_folds": 3})) == ["0", "1", "2", "full"]
    assert plan.folds(screen(pair_and_split={"n_folds": 3}), with_full=False) == ["0", "1", "2"]
    assert plan.folds(screen(pair_and_split={"n_folds": 2, "refit": False})) == ["0", "1"]
    assert plan.folds(screen(pair_and_split={"n_folds": 2, "n_repeats": 3})) == [*map(str, range(6)), "full"]


@pytest.mark.parametrize(("value", "text"), [(10.0, "10"), (0.0003, "0.0003"), (1e-05, "1e-05"), (0.1, "0.1")])
def test_a_wildcard_is_short_and_says_the_same_number(value: float, text: str) -> None:
    assert plan.wildcard(value) == text
    assert float(plan.wildcard(value)) == value


def test_jobs_are_the_products_of_the_sweep() -> None:
    swept = screen(
        sweep={"beta": [0.1, 0.2], "lam": [1.0, 2.0, 3.0], "seed": [0, 1, 2, 3, 4]},
        pair_and_split={"n_folds": 3},
        plates=plates(tables=["P1.csv", "P2.csv"]),
    )
    counts = plan.job_counts(swept)
    assert counts["normalize_plate"] == 2
    assert counts["fit_preprocessing"] == counts["embed_screen"] == counts["select_model"] == 4
    assert counts["train_shared"] == 4 * 2 * (5 + 1)  # five seeds and the closed form
    assert counts["train_specific"] == 4 * 2 * 3 * (5 + 1)
    assert counts["train_baseline"] == counts["evaluate_retrieval"] == counts["evaluate_disentanglement"] == 3
    assert counts["report"] == counts["manifest"] == counts["crate"] == 1
    assert "fetch_screen" not in counts
    assert "simulate_screen" not in counts


def test_learned_baselines_have_as_many_trials_as_the_sweep_unless_the_user_says_otherwise() -> None:
    sections = {"sweep": {"beta": [0.1, 0.2], "lam": [1.0, 2.0, 3.0], "seed": [0, 1]}, "pair_and_split": {"n_folds": 3}}
    swept = screen(**sections, train_learned_baseline={"methods": ["infonce", "focal"]})
    counts = plan.job_counts(swept)
    assert plan.n_trials(swept) == 6
    # test folds only: the model of every compound is compared with nothing
    assert counts["train_learned_baseline"] == 2 * 3 * 6 * 2
    assert counts["select_learned_baseline"] == 2 * 3
    few = screen(**sections, train_learned_baseline={"methods": ["infonce"], "trials": 4})
    assert plan.job_counts(few)["train_learned_baseline"] == 3 * 4 * 2
    none = plan.job_counts(screen(**sections, train_learned_baseline={"methods": []}))
    assert not {"train_learned_baseline", "select_learned_baseline"} & set(none)


def test_every_file_is_fetched_by_a_job_of_its_own() -> None:
    fetched = screen(fetch_screen={"files": {"P1.csv": FILE, "molecules.csv": FILE}})
    assert plan.job_counts(fetched)["fetch_screen"] == 2


def test_parts_hold_all_names_in_their_order() -> None:
    names = [f"P{number}" for number in range(25)]
    found = plan.parts(names, 10)
    assert list(found) == ["0", "1", "2"]
    assert [name for part in found.values() for name in part] == names
    assert max(map(len, found.values())) == 10
    assert plan.parts([], 10) == {}


def test_a_long_list_of_tables_reaches_neither_a_command_nor_the_report() -> None:
    tables = [f"plates/{number}.csv" for number in range(2000)]
    many = screen(plates=plates(tables=tables))
    assert "plates/" not in plan.reading_of_plates(many).to_json()
    assert plan.reading_of_plates(many).control == many.plates.control
    shown = plan.shown(many).plates.tables
    assert shown[:50] == tables[:50]
    assert shown[50:] == ["and 1950 more"]
    assert plan.shown(screen()) == screen()


def test_lists_are_jobs() -> None:
    many = screen(plates=plates(tables=[f"{number}.csv" for number in range(250)]))
    counts = plan.job_counts(many)
    assert counts["list_plates"] == 3
    others = sum(count for step, count in counts.items() if step not in ("list_records", "manifest", "crate"))
    assert counts["list_records"] == -(-others // 100)
