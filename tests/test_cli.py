import inspect
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.main import get_command

import dssl
from dssl.cli import app, main, repeat_options, step_command
from dssl.io import read_json
from dssl.settings.new_data import QuerySettings
from dssl.steps import all_steps
from dssl.steps.registry import OutputFolder

RULE = re.compile(r"^ *rule (\w+):$", flags=re.MULTILINE)


@pytest.fixture(autouse=True)
def _logging_stays_as_it_was() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


def rules(repository: Path) -> set[str]:
    return {name for path in (repository / "workflow/rules").glob("*.smk") for name in RULE.findall(path.read_text())}


def test_several_values_of_an_option_become_several_options() -> None:
    given = ["embed_screen", "--models", "a", "b", "c", "--fold", "0", "--tables", "x"]
    expected = ["embed_screen", "--models", "a", "--models", "b", "--models", "c", "--fold", "0", "--tables", "x"]
    assert repeat_options(given) == expected


@pytest.mark.parametrize(
    "given",
    [
        [],
        ["--version"],
        ["--help"],
        ["check", "config.yaml"],
        ["new-screen", "a.csv", "b.csv", "--name", "x"],
        ["embed_screen", "--help"],
        ["train_shared", "--seed", "0", "--beta", "0.1"],
        ["train_shared", "--settings", '{"a": 1}', "--beta", "-1"],
    ],
)
def test_other_arguments_are_left_alone(given: list[str]) -> None:
    assert repeat_options(given) == given


def test_every_rule_is_a_step_and_every_step_a_command(repository: Path) -> None:
    assert set(all_steps()) == rules(repository)
    assert set(get_command(app).commands) == rules(repository) | {"check", "compare", "new-screen", "verify"}


def test_every_parameter_of_a_step_is_an_option() -> None:
    commands = get_command(app).commands
    for name, step in all_steps().items():
        options = {option for parameter in commands[name].params for option in parameter.opts}
        expected = {f"--{parameter.replace('_', '-')}" for parameter in inspect.signature(step).parameters}
        assert options == expected | {"--provenance", "--help"} or options == expected | {"--provenance"}, name
        assert commands[name].help, f"{name} has no help"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"dssl {dssl.__version__}\n"


def test_an_error_of_the_project_exits_2_without_a_traceback(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run("check", str(tmp_path / "none.yaml")) == 2
    shown = capsys.readouterr()
    assert "error:" in shown.err
    assert "none.yaml: there is no such file; `dssl new-screen TABLE...` writes a first one" in shown.err
    assert "Traceback" not in shown.err + shown.out


def test_a_full_disk_is_said_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**options: object) -> None:
        raise RuntimeError("while writing: No space left on device (os error 28)")

    monkeypatch.setattr("dssl.cli.app", full)
    assert run("embed") == 2
    shown = capsys.readouterr().err
    assert "No space left on device" in shown
    assert "make some, and give the same command again" in shown
    assert "Traceback" not in shown


def test_an_error_of_the_program_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**options: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("dssl.cli.app", broken)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        main(["embed"])


def test_brackets_in_a_message_are_not_taken_for_markup(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run("verify", str(tmp_path / "[red]x")) == 2
    assert "[red]x" in capsys.readouterr().err


def test_wrong_settings_of_a_step_name_the_key(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    options = ["--molecules", "m.tsv", "--plates", "a.csv", "b.csv", "--truth-wells", "w.tsv"]
    options += ["--truth-compounds", "c.tsv", "--provenance", str(tmp_path / "p.json")]
    assert run("simulate_screen", "--settings", '{"n_compound": 3}', *options) == 2
    assert "n_compound: unknown key" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_step_runs_by_hand_and_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = '{"n_compounds": 20, "n_plate_maps": 1, "n_features": 60, "doses_um": [1.0]}'
    options = ["--molecules", "m.tsv", "--plates", "map01_rep1.csv.gz", "map01_rep2.csv.gz"]
    options += ["--truth-wells", "w.tsv", "--truth-compounds", "c.tsv", "--provenance", "p.json"]
    assert run("simulate_screen", "--settings", settings, *options) == 0
    record = read_json(Path("p.json"))
    assert record["step"] == "simulate_screen"
    assert record["parameters"]["settings"]["n_compounds"] == 20
    assert record["parameters"]["settings"]["seed"] == 0
    assert [file["path"] for file in record["outputs"]["plates"]] == ["map01_rep1.csv.gz", "map01_rep2.csv.gz"]
    assert set(record["outputs"]) == {"molecules", "plates", "truth_wells", "truth_compounds"}
    assert all(Path(file["path"]).exists() for files in record["outputs"].values() for file in files)


def test_check_prints_what_would_run(repository: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    main_code = run("check", str(repository / "config/config.yaml"))
    shown = capsys.readouterr().out
    assert main_code == 0
    assert re.search(r"train_specific\s+\D*24\b", shown)
    assert "nothing is wrong; run: snakemake --cores 8 --configfile" in shown


def test_check_of_a_broken_screen_exits_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "screen: a\nmolecules: {table: none.csv}\nplates:\n  tables: [none.csv]\n"
        "  control: {column: role, values: [dmso]}\n"
    )
    assert run("check", str(tmp_path / "a.yaml")) == 2
    assert "none.csv: there is no such file" in capsys.readouterr().out


def test_a_step_that_writes_a_folder_is_recorded_in_it(tmp_path: Path) -> None:
    def example(*, settings: QuerySettings, out: OutputFolder) -> None:
        """A step."""
        out.mkdir()
        (out / "hits.tsv").write_text(str(settings.n_hits))

    application = typer.Typer()
    application.command()(step_command(example))
    application(["--out", str(tmp_path / "a")], standalone_mode=False)
    application(["--out", str(tmp_path / "b"), "--provenance", str(tmp_path / "b.json")], standalone_mode=False)
    record = read_json(tmp_path / "a" / "provenance.json")
    assert [Path(file["path"]).name for file in record["outputs"]["out"]] == ["hits.tsv"]
    assert record["parameters"]["settings"] == QuerySettings().model_dump(mode="json")
    assert (tmp_path / "b.json").exists()
    assert not (tmp_path / "b" / "provenance.json").exists()
