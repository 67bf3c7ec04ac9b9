"""A finished screen as a run of MLflow."""

import importlib
import json
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

from dssl.errors import ConfigError
from dssl.io import read_table, sha256_of
from dssl.manifest import NAME, read_manifest, settings_of
from dssl.settings.base import flatten
from dssl.settings.evaluation import LogMlflowSettings

URI_VARIABLE = "MLFLOW_TRACKING_URI"
# by which a run of the same results is found again
TAG = "dssl.manifest_sha256"
SUMMARIES = "summarize_folds"
ARTIFACTS = (NAME, "report.html", "call_activity/activity.tsv", "compare_preprocessing/comparison.tsv")
# MLflow's own limits: of a parameter's value, and of one request
LONGEST_VALUE, PARAMETERS_AT_ONCE, METRICS_AT_ONCE = 6000, 100, 1000


def log_results(folder: Path, others: list[Path], settings: LogMlflowSettings) -> dict[str, Any]:
    """Log a results folder, unless a run of the same manifest is in the experiment already.

    Parameters
    ----------
    folder : Path
        results/<screen> of a finished run.
    others : list of Path
        Files to log beside the manifest, the report and the summaries.
    settings : LogMlflowSettings
        Experiment and tracking server; the environment variable MLFLOW_TRACKING_URI goes before its address.

    Returns
    -------
    dict
        experiment, run_id, status ("logged", or "already logged"), n_parameters, n_metrics.

    Raises
    ------
    ConfigError
        If MLflow is not installed.
    """
    require_mlflow()
    mlflow = importlib.import_module("mlflow")
    client = mlflow.MlflowClient(tracking_uri=os.environ.get(URI_VARIABLE) or settings.tracking_uri)
    manifest = read_manifest(folder)
    experiment = settings.experiment or str(manifest["screen"])
    found = client.get_experiment_by_name(experiment)
    identifier = client.create_experiment(experiment) if found is None else found.experiment_id
    checksum = sha256_of(folder / NAME)
    parameters, metrics = parameters_of(manifest), dict(metrics_of(folder))
    counts = {"n_parameters": len(parameters), "n_metrics": len(metrics)}
    finished = f"tags.`{TAG}` = '{checksum}' and attributes.status = 'FINISHED'"
    same = client.search_runs([identifier], filter_string=finished)
    if same:
        return {"experiment": experiment, "run_id": same[0].info.run_id, "status": "already logged", **counts}
    run = client.create_run(identifier, run_name=str(manifest["screen"]), tags={TAG: checksum}).info.run_id
    _log(mlflow, client, run, parameters, metrics)
    tables = sorted((folder / SUMMARIES).glob("*.tsv"))
    for path in [*(folder / name for name in ARTIFACTS), *others]:
        client.log_artifact(run, str(path))
    for path in tables:
        client.log_artifact(run, str(path), SUMMARIES)
    client.set_terminated(run)
    return {"experiment": experiment, "run_id": run, "status": "logged", **counts}


def require_mlflow() -> None:
    """Raise a ConfigError if MLflow is not installed; it is not imported."""
    if find_spec("mlflow") is None:
        raise ConfigError(
            "log_mlflow.enabled needs MLflow, which is not installed\n"
            "Install it (pip install 'dssl[mlflow]'), or set log_mlflow.enabled: false."
        )


def _log(mlflow: Any, client: Any, run: str, parameters: dict[str, str], metrics: dict[str, float]) -> None:
    entities = mlflow.entities
    names, values = list(parameters), list(metrics)
    for start in range(0, len(names), PARAMETERS_AT_ONCE):
        some = names[start : start + PARAMETERS_AT_ONCE]
        client.log_batch(run, params=[entities.Param(name, parameters[name]) for name in some])
    for start in range(0, len(values), METRICS_AT_ONCE):
        few = values[start : start + METRICS_AT_ONCE]
        # no time of logging in what is logged: the time of the run itself is MLflow's
        client.log_batch(run, metrics=[entities.Metric(name, metrics[name], 0, 0) for name in few])


def parameters_of(manifest: dict[str, Any]) -> dict[str, str]:
    """Settings by dotted key, and the versions of the packages, as text; what is longer than MLflow allows is cut."""
    versions = {f"version.{name}": v for each in manifest["artifacts"] for name, v in each["versions"].items()}
    flat = flatten(settings_of(manifest)) | versions
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in flat.items()}
    return {
        name: text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 4]} ..." for name, text in texts.items()
    }


def metrics_of(folder: Path) -> Iterator[tuple[str, float]]:
    """Metrics of all folds together with their intervals and chance, of the model and of every control, and probes.

    Names are `retrieval/<method>/<direction>/<library>/<metric>/<value, ci_low, ci_high, chance, p_value,
    library_size>` and `probes/<level>/<code>/<column>/<score>/<value, chance>`, the latter means over the folds.
    """
    retrieval = read_table(folder / SUMMARIES / "retrieval.tsv", text_columns=["fold"])
    retrieval = retrieval[(retrieval["fold"] == "all") & (retrieval["level"] == "compound")]
    figures = ["value", "ci_low", "ci_high", "chance", "p_value", "library_size"]
    yield from _named("retrieval", retrieval, ["method", "direction", "library", "metric"], figures)
    probes = read_table(folder / SUMMARIES / "probes.tsv", text_columns=["fold"]).rename(columns={"score": "value"})
    by = ["level", "code", "column", "score_name"]
    means = probes.dropna(subset=["value"]).groupby(by, sort=True)[["value", "chance"]].mean().reset_index()
    yield from _named("probes", means, by, ["value", "chance"])


def _named(prefix: str, table: pd.DataFrame, by: list[str], figures: list[str]) -> Iterator[tuple[str, float]]:
    for row in table.to_dict("records"):
        name = "/".join([prefix, *(_allowed(str(row[column])) for column in by)])
        yield from ((f"{name}/{figure}", float(row[figure])) for figure in figures if pd.notna(row[figure]))


def _allowed(text: str) -> str:
    """A part of a metric's name: MLflow allows letters, digits, spaces and _-.: only."""
    return "".join(each if each.isalnum() or each in "_-. :" else "_" for each in text)
