import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from dssl.errors import ConfigError
from dssl.io import read_json, write_json, write_table
from dssl.mlflow import LONGEST_VALUE, TAG, log_results, metrics_of, parameters_of
from dssl.settings.evaluation import LogMlflowSettings
from dssl.settings.screen import parse_screen
from dssl.steps.tracking import log_mlflow


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results/x"
    retrieval = {"method": "dssl", "fold": "all", "level": "compound", "direction": "phenotype_to_molecule"}
    row = retrieval | {"library": "whole", "metric": "mrr", "value": 0.4, "ci_low": 0.3, "ci_high": 0.5}
    row |= {"chance": 0.1, "p_value": float("nan"), "library_size": 12.0}
    others = [row | {"fold": "0", "value": 9.0}, row | {"level": "well", "value": 9.0}]
    write_table(folder / "summarize_folds/retrieval.tsv", pd.DataFrame([row, *others]))
    probe = {"level": "compound", "code": "shared_phenotype", "column": "a|b", "score_name": "r2", "chance": 0.0}
    probes = [probe | {"fold": "0", "score": 0.2}, probe | {"fold": "1", "score": 0.4}]
    skipped = probe | {"fold": "1", "column": "skipped", "score": float("nan")}
    write_table(folder / "summarize_folds/probes.tsv", pd.DataFrame([*probes, skipped]))
    for name in ("report.html", "call_activity/activity.tsv", "compare_preprocessing/comparison.tsv"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    screen = parse_screen({"screen": "x", "simulate_screen": {}, "report": {"title": "y" * 7000}}, "test")
    artifact = {
        "rule": "report",
        "versions": {"torch": "2.6"},
        "parameters": {"screen": screen.model_dump(mode="json")},
    }
    write_json(folder / "manifest.json", {"screen": "x", "licence": "CC0", "artifacts": [artifact], "sources": []})
    return folder


def test_metrics_are_those_of_all_folds_with_interval_chance_and_library_size(results: Path) -> None:
    found = dict(metrics_of(results))
    head = "retrieval/dssl/phenotype_to_molecule/whole/mrr"
    expected = {"value": 0.4, "ci_low": 0.3, "ci_high": 0.5, "chance": 0.1, "library_size": 12.0}
    assert {name.removeprefix(f"{head}/"): value for name, value in found.items() if name.startswith(head)} == expected
    assert found["probes/compound/shared_phenotype/a_b/r2/value"] == pytest.approx(0.3)
    assert len(found) == len(expected) + 2


def test_parameters_are_settings_by_key_and_versions_within_the_limits_of_mlflow(results: Path) -> None:
    found = parameters_of(read_json(results / "manifest.json"))
    assert (found["pair_and_split.seed"], found["version.torch"]) == ("0", "2.6")
    assert found["report.title"] == "y" * (LONGEST_VALUE - 4) + " ..."


class FakeClient:
    """The calls of mlflow.MlflowClient that are made, by its documentation."""

    def __init__(self) -> None:
        self.experiments: dict[str, str] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []

    def get_experiment_by_name(self, name: str) -> Any:
        known = self.experiments.get(name)
        return None if known is None else SimpleNamespace(experiment_id=known)

    def create_experiment(self, name: str) -> str:
        self.experiments[name] = f"experiment {len(self.experiments)}"
        return self.experiments[name]

    def search_runs(self, experiments: list[str], filter_string: str) -> list[Any]:
        return [
            SimpleNamespace(info=SimpleNamespace(run_id=name))
            for name, run in self.runs.items()
            if run["experiment"] in experiments and run["finished"] and f"'{run['tags'][TAG]}'" in filter_string
        ]

    def create_run(self, experiment: str, run_name: str, tags: dict[str, str]) -> Any:
        name = f"run {len(self.runs)}"
        self.runs[name] = {"experiment": experiment, "tags": tags, "params": {}, "metrics": {}, "artifacts": []}
        self.runs[name]["finished"] = False
        return SimpleNamespace(info=SimpleNamespace(run_id=name))

    def log_batch(self, run: str, metrics: Any = (), params: Any = ()) -> None:
        assert len(params) <= 100
        assert len(metrics) <= 1000
        self.runs[run]["params"] |= dict(params)
        self.runs[run]["metrics"] |= {name: value for name, value, *_ in metrics}

    def log_artifact(self, run: str, path: str, folder: str = "") -> None:
        assert Path(path).exists()
        self.runs[run]["artifacts"].append(f"{folder}/{Path(path).name}")

    def set_terminated(self, run: str) -> None:
        self.runs[run]["finished"] = True


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    client = FakeClient()

    def opened(tracking_uri: str) -> FakeClient:
        client.asked.append(tracking_uri)
        return client

    entities = SimpleNamespace(Param=lambda *given: given, Metric=lambda *given: given)
    fake = SimpleNamespace(MlflowClient=opened, entities=entities, __spec__="installed")
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return client


def test_the_same_results_are_logged_once_and_changed_ones_again(results: Path, client: FakeClient) -> None:
    settings = LogMlflowSettings(enabled=True)
    first, again = (log_results(results, [], settings) for _ in range(2))
    assert (first["status"], again["status"]) == ("logged", "already logged")
    assert first["run_id"] == again["run_id"]
    logged = client.runs[first["run_id"]]
    assert (len(logged["params"]), len(logged["metrics"])) == (first["n_parameters"], first["n_metrics"])
    assert {"/report.html", "/manifest.json", "summarize_folds/retrieval.tsv"} <= set(logged["artifacts"])
    manifest = read_json(results / "manifest.json")
    write_json(results / "manifest.json", manifest | {"licence": "CC BY 4.0"})
    assert log_results(results, [], settings)["status"] == "logged"
    assert len(client.runs) == 2


def test_a_run_that_was_cut_off_is_logged_again(results: Path, client: FakeClient) -> None:
    settings = LogMlflowSettings(enabled=True)
    cut_off = log_results(results, [], settings)["run_id"]
    client.runs[cut_off]["finished"] = False
    assert log_results(results, [], settings)["status"] == "logged"


def test_the_environment_goes_before_the_settings(
    results: Path, client: FakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = LogMlflowSettings(enabled=True, experiment="E")
    log_results(results, [], settings)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server")
    log_results(results, [], settings)
    assert client.asked == ["sqlite:///mlflow.db", "http://server"]
    assert list(client.experiments) == ["E"]


def test_without_mlflow_it_is_said_what_to_install(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ConfigError, match=r"not installed\nInstall it \(pip install 'dssl\[mlflow\]'\)"):
        log_results(results, [], LogMlflowSettings(enabled=True))


def test_a_real_sqlite_file_holds_the_run(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed: pip install 'dssl[mlflow]'")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (results / "ro-crate-metadata.json").write_text("{}")
    logged = tmp_path / "logged.json"
    for _ in range(2):
        log_mlflow(
            settings=LogMlflowSettings(enabled=True),
            manifest=results / "manifest.json",
            metadata=results / "ro-crate-metadata.json",
            logged=logged,
        )
    client = mlflow.MlflowClient("sqlite:///mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("x").experiment_id])
    assert [run.info.run_id for run in runs] == [read_json(logged)["run_id"]]
    assert runs[0].data.params == parameters_of(read_json(results / "manifest.json"))
    assert runs[0].data.metrics == pytest.approx(dict(metrics_of(results)))
    names = {each.path for each in client.list_artifacts(runs[0].info.run_id)}
    assert {"report.html", "manifest.json", "ro-crate-metadata.json", "summarize_folds"} <= names
