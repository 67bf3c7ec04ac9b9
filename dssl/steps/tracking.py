"""What follows the run of a finished screen: its RO-Crate, and its entry in MLflow."""

import shutil
from pathlib import Path

from dssl.io import read_json, write_json
from dssl.settings.evaluation import CrateSettings, LogMlflowSettings
from dssl.steps.lists import RECORD, listed
from dssl.steps.registry import Input, Inputs, Output, step


@step
def crate(
    *,
    settings: CrateSettings,
    manifest: Input,
    records: Inputs,
    other_records: Inputs,
    workflow: Inputs,
    workflow_copy: Output,
    metadata: Output,
) -> None:
    """Describe the finished screen, its files and its run as an RO-Crate (Workflow Run Crate)."""
    from dssl.crate import describe_run

    shutil.rmtree(workflow_copy, ignore_errors=True)
    copies = [_copy(path, workflow[0].parent, workflow_copy) for path in workflow]
    paths = [*listed(records, RECORD), *other_records]
    described = [read_json(path) for path in paths]
    write_json(metadata, describe_run(metadata.parent, read_json(manifest), described, copies, settings))


def _copy(path: Path, root: Path, target: Path) -> Path:
    copied = target / path.relative_to(root)
    copied.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(path, copied))


@step
def log_mlflow(*, settings: LogMlflowSettings, manifest: Input, metadata: Input, logged: Output) -> None:
    """Log settings, metrics and artifacts of the finished screen to MLflow; the same results are logged once."""
    from dssl.mlflow import log_results

    write_json(logged, log_results(manifest.parent, [metadata], settings))
