import copy
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from dssl.cli import main
from dssl.io import read_anndata, read_json
from dssl.manifest import verify
from dssl.plan import job_counts
from dssl.settings.screen import ScreenSettings, load_screen

Snakemake = Callable[..., "subprocess.CompletedProcess[str]"]
JOB = re.compile(r"^(\w+) +(\d+)$", flags=re.MULTILINE)

# what each step reads directly, as the picture in the documentation of the workflow has it
MADE_FROM = {
    "standardize_molecules": {"simulate_screen"},
    "featurize_molecules": {"standardize_molecules"},
    "normalize_plate": {"simulate_screen"},
    "list_plates": {"normalize_plate"},
    "assemble_profiles": {"list_plates"},
    "call_activity": {"standardize_molecules", "assemble_profiles"},
    "pair_and_split": {"assemble_profiles", "featurize_molecules"},
    "compare_preprocessing": {"pair_and_split"},
    "fit_preprocessing": {"pair_and_split"},
    "train_shared": {"fit_preprocessing"},
    "train_specific": {"train_shared"},
    "select_model": {"train_specific"},
    "embed_screen": {"select_model"},
    "train_baseline": {"fit_preprocessing"},
    "train_learned_baseline": {"fit_preprocessing"},
    "select_learned_baseline": {"train_learned_baseline"},
    "evaluate_retrieval": {"embed_screen", "train_baseline", "select_learned_baseline", "call_activity"},
    "evaluate_disentanglement": {"select_model"},
    "summarize_folds": {"evaluate_retrieval", "evaluate_disentanglement"},
    "describe_compounds": {"evaluate_retrieval"},
    "train_decoder": {"select_model"},
    "evaluate_counterfactuals": {"train_decoder"},
    "summarize_counterfactuals": {"evaluate_counterfactuals"},
    "explorer": {"describe_compounds", "summarize_counterfactuals"},
    "report": {
        "summarize_folds",
        "summarize_counterfactuals",
        "describe_compounds",
        "embed_screen",
        "call_activity",
        "compare_preprocessing",
    },
    "calibrate_scores": {"embed_screen"},
    "handover": {"describe_compounds", "report", "explorer", "calibrate_scores"},
    "bundle_model": {"calibrate_scores", "assemble_profiles"},
    "list_records": {"handover", "bundle_model"},
    "manifest": {"list_records"},
    "crate": {"manifest"},
}

# one change per section of the YAML, and the steps that read the section
CHANGES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "simulate_screen": ({"seed": 1}, {"simulate_screen"}),
    "molecules": ({"keep": []}, {"standardize_molecules"}),
    "plates": ({"features": {"prefixes": ["Cells_"]}}, {"normalize_plate"}),
    "standardize_molecules": ({"neutralize": False}, {"standardize_molecules"}),
    "featurize_molecules": ({"radius": 3}, {"featurize_molecules"}),
    "normalize_plate": ({"clip": 50.0}, {"normalize_plate"}),
    "list_files": ({"per_list": 50}, {"list_plates", "list_records"}),
    "assemble_profiles": ({"sphering": True}, {"assemble_profiles"}),
    "call_activity": ({"seed": 1}, {"call_activity"}),
    "pair_and_split": ({"seed": 1}, {"pair_and_split"}),
    "fit_preprocessing": ({"phenotype": {"clip": 5.0}}, {"fit_preprocessing", "compare_preprocessing"}),
    "compare_preprocessing": ({"seed": 1}, {"compare_preprocessing"}),
    "sweep": ({"lam": [1.0, 10.0]}, {"train_specific"}),
    # the learned baselines have its encoders, views and optimiser
    "train_shared": ({"code": {"size": 32}}, {"train_shared", "train_learned_baseline"}),
    "train_specific": ({"dependence": "hsic"}, {"train_specific"}),
    # of a screen with a second assay
    "train_assays": ({"beta": 0.1}, {"report"}),
    "select_model": ({"lam_tolerance": 0.5}, {"select_model"}),
    "embed_screen": ({"seed": 1}, {"embed_screen"}),
    "train_baseline": ({"seed": 1}, {"train_baseline"}),
    "train_learned_baseline": ({"trials": 2}, {"train_learned_baseline", "select_learned_baseline"}),
    "evaluate_retrieval": ({"seed": 1}, {"evaluate_retrieval", "summarize_folds"}),
    "evaluate_disentanglement": ({"seed": 1}, {"evaluate_disentanglement"}),
    "train_decoder": ({"seed": 1}, {"train_decoder"}),
    "evaluate_counterfactuals": (
        {"n_contexts": 2},
        {"evaluate_counterfactuals", "summarize_counterfactuals"},
    ),
    "calibrate_scores": ({"seed": 1}, {"calibrate_scores", "report"}),
    # nothing of the screen itself depends on new data
    "embed": ({"n_neighbors": 1}, set()),
    "query": ({"n_hits": 1}, set()),
    "new_data": ({"more": {"compounds": ["DSSL-0001"]}}, set()),
    "describe_compounds": ({"novel_below": 0.3}, {"describe_compounds", "report"}),
    "report": ({"n_examples": 3}, {"report"}),
    "handover": ({"n_hits": 3}, {"handover", "report"}),
    "explorer": ({"n_neighbors": 3}, {"explorer", "report"}),
    # the report prints every setting, so that it is made again after any change
    "manifest": ({"licence": "CC0"}, {"manifest", "report"}),
    "crate": ({"author": "Ada"}, {"crate", "report"}),
    "log_mlflow": ({"enabled": True}, {"log_mlflow", "report"}),
}


def downstream(steps: set[str]) -> set[str]:
    found = set(steps)
    for step, sources in MADE_FROM.items():  # in the order of the workflow
        if sources & found:
            found.add(step)
    return found


def planned(output: str) -> dict[str, int]:
    """Jobs of a dry run by rule, from the table that Snakemake prints."""
    return {name: int(count) for name, count in JOB.findall(output) if name not in ("all", "total")}


@pytest.mark.parametrize("name", ["config.yaml", "cell-injury.yaml", "l1000.yaml", "cell-painting-l1000.yaml"])
def test_the_screens_of_the_repository_are_planned_job_by_job(
    empty: Path, repository: Path, snakemake: Snakemake, name: str
) -> None:
    run = snakemake(empty, "--dry-run", "--configfile", f"config/{name}")
    assert run.returncode == 0, run.stderr + run.stdout
    assert planned(run.stdout) == job_counts(load_screen(repository / "config" / name))
    assert not (empty / "results").exists()


def test_without_a_configfile_the_demonstration_is_planned(empty: Path, snakemake: Snakemake) -> None:
    run = snakemake(empty, "--dry-run", "--quiet", "rules")
    assert run.returncode == 0, run.stderr
    assert "results/demo" in run.stdout + run.stderr or planned(run.stdout)["simulate_screen"] == 1


def test_a_wrong_key_stops_the_plan_and_is_named(empty: Path, snakemake: Snakemake) -> None:
    (empty / "wrong.yaml").write_text("screen: tiny\nsimulate_screen: {n_compound: 40}\n")
    run = snakemake(empty, "--dry-run", "--configfile", "wrong.yaml")
    assert run.returncode != 0
    shown = run.stdout + run.stderr
    assert "simulate_screen.n_compound: unknown key" in shown
    assert "Traceback" not in shown


def test_a_finished_screen_has_nothing_left_to_do(tiny: Path, snakemake: Snakemake) -> None:
    run = snakemake(tiny, "--dry-run", "--configfile", "tiny.yaml")
    assert run.returncode == 0, run.stderr
    assert "Nothing to be done" in run.stdout + run.stderr


def test_every_section_of_a_screen_is_changed_here() -> None:
    assert set(CHANGES) == set(ScreenSettings.model_fields) - {"screen", "fetch_screen", "second_assay"}


def test_changing_a_section_reruns_its_step_and_what_depends_on_it(
    tiny: Path, tiny_content: dict[str, Any], tmp_path: Path, snakemake: Snakemake
) -> None:
    def rerun(section: str) -> set[str]:
        content = copy.deepcopy(tiny_content)
        content[section] = {**content.get(section, {}), **CHANGES[section][0]}
        (tmp_path / f"{section}.yaml").write_text(yaml.safe_dump(content))
        run = snakemake(tiny, "--dry-run", "--configfile", str(tmp_path / f"{section}.yaml"))
        assert run.returncode == 0, run.stderr
        return set(planned(run.stdout))

    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(CHANGES, pool.map(rerun, CHANGES), strict=True))
    expected = {section: downstream(steps) for section, (_, steps) in CHANGES.items()}
    wrong = {
        section: {"missing": expected[section] - found[section], "too many": found[section] - expected[section]}
        for section in CHANGES
        if found[section] != expected[section]
    }
    assert wrong == {}


def test_results_can_be_verified_where_they_were_made_and_elsewhere(tiny: Path, tmp_path: Path) -> None:
    results = tiny / "results" / "tiny"
    assert verify(results) == len(read_json(results / "manifest.json")["artifacts"])
    shutil.copytree(results, tmp_path / "handed-over")
    assert verify(tmp_path / "handed-over") == verify(results)


def test_every_file_of_the_results_is_in_the_manifest(tiny: Path) -> None:
    results = tiny / "results" / "tiny"
    listed = {artifact["path"] for artifact in read_json(results / "manifest.json")["artifacts"]}
    present = {path.relative_to(tiny).as_posix() for path in results.rglob("*") if path.is_file()}
    records = {path for path in present if path.endswith("provenance.json")} | {"results/tiny/manifest.json"}
    # made from the manifest, which therefore cannot list it
    crate = {
        path for path in present if path.startswith(("results/tiny/crate/", "results/tiny/ro-crate-metadata.json"))
    }
    # Snakemake marks a folder that is an output
    marks = {path for path in present if path.endswith("/.snakemake_timestamp")}
    assert present - records - crate - marks == listed


def test_the_crate_describes_every_file_of_the_manifest_as_it_is(tiny: Path) -> None:
    results = tiny / "results" / "tiny"
    crate = read_json(results / "ro-crate-metadata.json")
    files = {each["@id"]: each for each in crate["@graph"] if "File" in each["@type"]}
    manifest = read_json(results / "manifest.json")
    listed = {each["path"].removeprefix("results/tiny/"): each["sha256"] for each in manifest["artifacts"]}
    assert {name: files[name]["sha256"] for name in listed} == listed
    assert all(files[name]["contentSize"] == str((results / name).stat().st_size) for name in files)
    assert (results / "crate/workflow/Snakefile").read_bytes() == (tiny / "workflow/Snakefile").read_bytes()
    assert "startTime" in next(each for each in crate["@graph"] if each["@type"] == "CreateAction")
    assert manifest["sources"] == []


def test_every_artifact_names_its_maker_and_its_sources(tiny: Path) -> None:
    artifacts = read_json(tiny / "results" / "tiny" / "manifest.json")["artifacts"]
    by_path = {artifact["path"]: artifact for artifact in artifacts}
    seen, stack = set(), ["results/tiny/handover/README.html"]
    while stack:
        path = stack.pop()
        if path not in seen:
            seen.add(path)
            stack += by_path[path]["made_from"]
    apart = {"manifest", "crate", "list_records", "train_baseline", "bundle_model"}
    assert {by_path[path]["rule"] for path in seen} >= set(MADE_FROM) - apart
    assert all(artifact["versions"]["dssl"] for artifact in artifacts)
    assert {artifact["seed"] for artifact in artifacts if artifact["rule"] == "train_shared"} == {0, None}


def test_embeddings_lie_where_scanpy_finds_them_and_in_tables(tiny: Path) -> None:
    folder = tiny / "results/tiny/embed_screen/fold~0"
    for level in ("wells", "treatments", "compounds", "molecules"):
        adata, table = read_anndata(folder / f"{level}.h5ad"), pd.read_csv(folder / f"{level}.csv.gz")
        assert {"X_shared", "X_specific", "X_umap"} <= set(adata.obsm)
        assert np.isfinite(adata.obsm["X_shared"]).all()
        assert list(table["id"]) == list(adata.obs_names)
        assert adata.uns["dssl"]["step"] == "embed_screen"


def step(name: str, **options: Any) -> None:
    """Run a step as its log shows it, in this process."""
    arguments = [name]
    for option, value in options.items():
        values = [] if value is True else value if isinstance(value, list) else [value]
        arguments += [f"--{option.replace('_', '-')}", *map(str, values)]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert not ended.value.code


@pytest.fixture
def _one_thread() -> Iterator[None]:
    """As many threads as Snakemake gives to these steps: sums in another order have other last digits."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_one_thread")
def test_training_and_embedding_again_elsewhere_give_the_same_bytes(tiny: Path, tmp_path: Path) -> None:
    screen, results = load_screen(tiny / "tiny.yaml"), tiny / "results" / "tiny"
    inputs = results / "fit_preprocessing/fold~0"
    shared, specific = tmp_path / "shared", tmp_path / "specific"

    def outputs(folder: Path) -> dict[str, Path]:
        names = {"model": "model.safetensors", "history": "history.jsonl", "metrics": "metrics.json"}
        return {option: folder / name for option, name in names.items()} | {
            "checkpoint": folder / "checkpoint",
            "provenance": folder / "provenance.json",
        }

    common = {"inputs": inputs / "inputs.h5mu", "seed": 0}
    step("train_shared", settings=screen.train_shared.to_json(), beta="0.001", **common, **outputs(shared))
    step(
        "train_specific",
        settings=screen.train_specific.to_json(),
        lam="1",
        shared=shared / "model.safetensors",
        **common,
        **outputs(specific),
    )
    levels = ["wells", "treatments", "compounds", "molecules"]
    step(
        "embed_screen",
        settings=screen.embed_screen.to_json(),
        pairs=results / "pair_and_split/pairs.h5mu",
        state=inputs / "state.safetensors",
        models=[specific / "model.safetensors", results / "select_model/fold~0/seed~closed_form.safetensors"],
        fold="0",
        umap=True,
        **{level: tmp_path / "embed_screen" / f"{level}.h5ad" for level in levels},
        tables=[tmp_path / "embed_screen" / f"{level}.csv.gz" for level in levels],
        provenance=tmp_path / "embed_screen/provenance.json",
    )
    first = {
        shared: results / "train_shared/fold~0/beta~0.001/seed~0",
        specific: results / "train_specific/fold~0/beta~0.001/lambda~1/seed~0",
        tmp_path / "embed_screen": results / "embed_screen/fold~0",
    }
    names = ["model.safetensors", "metrics.json", "history.jsonl", *(f"{level}.csv.gz" for level in levels)]
    compared = 0
    for again, before in first.items():
        for path in sorted(again.iterdir()):
            if path.name in names:
                assert path.read_bytes() == (before / path.name).read_bytes(), path
                compared += 1
    assert compared == 3 + 3 + 4
    record = json.loads((shared / "provenance.json").read_text())
    before_record = read_json(first[shared] / "provenance.json")
    assert record["parameters"] == before_record["parameters"]
