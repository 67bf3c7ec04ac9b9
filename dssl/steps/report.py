"""What is handed over: the report, and the list of all artifacts."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from dssl import __version__, keys
from dssl.io import read_anndata, read_json, read_table, write_json, write_text
from dssl.provenance import package_versions
from dssl.settings.evaluation import ManifestSettings, ReportSettings
from dssl.settings.screen import ScreenSettings
from dssl.steps.describe import label_of, read_compounds
from dssl.steps.lists import QUALITY, RECORD, listed
from dssl.steps.registry import Input, Inputs, OptionalInput, OptionalInputs, Output, OutputFolder, step

if TYPE_CHECKING:
    from dssl.report.learning import Run, Selection

QUERIES = ("method", "level", "library", "direction", "fold", keys.COMPOUND_ID, "library_size", "mean_normalized_rank")
NEIGHBORS = ("space", "column", "method", "fold", keys.COMPOUND_ID, "sharing", "expected", "n_neighbors")


@step
def report(
    *,
    settings: ReportSettings,
    screen: ScreenSettings,
    simulated: bool,
    plates: Inputs,
    profiles: Input,
    dropped_features: Input,
    activity: Input,
    comparison: Input,
    molecules: Input,
    rejected: Input,
    merged: Input,
    folds: Input,
    excluded_wells: Input,
    excluded_compounds: Input,
    candidates: Inputs,
    selected: Inputs,
    shared_histories: Inputs,
    specific_histories: Inputs,
    retrieval: Input,
    comparisons: Input,
    strata: Input,
    enrichment: Input,
    probes: Input,
    dependence: Input,
    information: Input,
    attribution: Input,
    leakage: Input,
    counterfactuals: Input,
    counterfactual_tests: Input,
    decoded: Input,
    not_predicted: Input,
    map_compounds: Input,
    map_molecules: Input,
    example_compounds: Input,
    example_molecules: Input,
    compounds: Input,
    queries: Inputs,
    neighbors: Inputs,
    assays: OptionalInputs,
    without_second: OptionalInput,
    html: Output,
    figures: OutputFolder,
) -> None:
    """Write the report: one HTML page that needs neither network nor script, and its figures with their numbers.

    Of a screen with a second assay, `assays` are the retrieval and comparisons of summarize_assays and the counts of
    join_assays, `without_second` the compounds without a second profile.
    """
    import numpy as np

    from dssl.evaluation.statistics import ALL_FOLDS
    from dssl.report.assays import assays_section
    from dssl.report.caveats import caveats_section, settings_section, short_limits
    from dssl.report.content import figures_of
    from dssl.report.counterfactuals import counterfactuals_section
    from dssl.report.data_quality import quality_section, quality_sentences
    from dssl.report.examples import example_parts
    from dssl.report.first_compounds import first_section, first_sentences
    from dssl.report.funnel import Screened, funnel_section, screened_sentence
    from dssl.report.knowledge import knowledge_section, knowledge_sentences
    from dssl.report.learning import learning_section
    from dssl.report.maps import maps_section
    from dssl.report.mechanisms import mechanism_sentences, mechanisms_section, values_of
    from dssl.report.page import render
    from dssl.report.retrieval import retrieval_section
    from dssl.report.retrieval_question import held_out_text
    from dssl.report.retrieval_words import retrieval_sentences
    from dssl.report.second_assay import with_second_assay, without_second_profile
    from dssl.report.summary import summary_section

    quality = pd.concat([_table(path) for path in listed(plates, QUALITY)], ignore_index=True)
    second = screen.second_assay
    other = second.name if second else keys.MOLECULE
    wells_left_out, compounds_left_out = _table(excluded_wells), _table(excluded_compounds)
    if second is not None and without_second is not None:
        without = _table(without_second)
        wells_left_out = without_second_profile(wells_left_out, without, second.name)
        compounds_left_out = pd.concat([compounds_left_out, without.assign(reason=f"no {second.name}")])
    others = map(_table, (molecules, rejected, merged, dropped_features, folds))
    screened = Screened(quality, wells_left_out, compounds_left_out, *others)
    scores, compared, enriched = map(_table, (retrieval, comparisons, enrichment))
    called, choices = _table(activity), _table(comparison)
    explained, leaked = _table(attribution), _table(leakage)
    described = read_compounds(compounds)
    rng = np.random.default_rng(screen.evaluate_retrieval.seed)
    values = values_of(_folds(neighbors, NEIGHBORS), enriched, described, rng)
    selections = _selections(selected, candidates)
    pooled = scores[scores["fold"].astype(str) == ALL_FOLDS]
    split, thresholds = screen.pair_and_split, screen.describe_compounds
    examples = example_parts(
        read_anndata(example_compounds),
        read_anndata(example_molecules),
        wildcards_of(example_compounds)["fold"],
        settings.n_examples,
    )
    sections = [
        summary_section(
            screened=[screened_sentence(screened)],
            quality=quality_sentences(quality, called, choices),
            retrieval=[*retrieval_sentences(pooled, compared), held_out_text(split)],
            shared=knowledge_sentences(explained, leaked),
            mechanisms=mechanism_sentences(values),
            first=first_sentences(described, thresholds),
            limits=short_limits(simulated),
        ),
        funnel_section(screened),
        quality_section(quality, read_anndata(profiles), called, choices),
        retrieval_section(scores, compared, _table(strata), _folds(queries, QUERIES), split, other),
        knowledge_section(_table(probes), _table(dependence), _table(information), explained, leaked, other),
        mechanisms_section(values, enriched, other),
        first_section(described, thresholds, settings.n_first, examples),
        maps_section(
            read_anndata(map_compounds),
            read_anndata(map_molecules),
            wildcards_of(map_compounds)["fold"],
            settings.color_by or [each for each in [label_of(described, [])] if each],
            other,
        ),
        counterfactuals_section(
            _table(counterfactuals), _table(counterfactual_tests), _table(decoded), _table(not_predicted), other
        ),
        caveats_section(scores, simulated),
        learning_section(selections, _runs(selections, shared_histories, specific_histories)),
        settings_section(screen.model_dump(mode="json", exclude_none=True), package_versions()),
    ]
    if second is not None:
        sections = with_second_assay(sections, second.name, [held_out_text(split)])
        after = [section.identifier for section in sections].index("retrieval") + 1
        of_pairs, tests, counts = map(_table, assays or [])
        sections.insert(after, assays_section(of_pairs, tests, counts, second.name))
    for figure in figures_of(sections):
        write_text(figures / f"{figure.name}.svg", figure.svg.decode())
        write_text(figures / f"{figure.name}.csv", figure.data)
    title = settings.title or screen.screen
    write_text(html, render(title, screen.screen, __version__, simulated, sections, other))


@step
def manifest(
    *, settings: ManifestSettings, screen: str, records: Inputs, records_of_lists: Inputs, manifest: Output
) -> None:
    """List every artifact of the screen with its checksum, its maker, and what it was made from."""
    from dssl.manifest import collect

    paths = [*listed(records, RECORD), *records_of_lists]
    write_json(manifest, collect([read_json(path) for path in paths], screen, settings.licence))


def wildcards_of(path: Path) -> dict[str, str]:
    """Wildcards in a path as the workflow writes them: `fold~0/beta~0.1/x.tsv` -> {"fold": "0", "beta": "0.1"}."""
    return {name: value for name, _, value in (part.partition("~") for part in path.parts if "~" in part)}


def _table(path: Path) -> pd.DataFrame:
    return read_table(
        path, text_columns=["fold", keys.PLATE, keys.BATCH, keys.WELL, keys.COMPOUND_ID, "column", "reason"]
    )


def _folds(paths: list[Path], columns: tuple[str, ...]) -> pd.DataFrame:
    return pd.concat([read_table(path, columns, ["fold", keys.COMPOUND_ID]) for path in paths], ignore_index=True)


def _selections(selected: list[Path], candidates: list[Path]) -> list["Selection"]:
    from dssl.report.learning import Selection

    tables = {wildcards_of(path)["fold"]: _table(path) for path in candidates}
    return [
        Selection(wildcards_of(path)["fold"], read_json(path), tables[wildcards_of(path)["fold"]]) for path in selected
    ]


def _runs(selections: list["Selection"], shared: list[Path], specific: list[Path]) -> list["Run"]:
    """Histories of the chosen models; those of the other candidates are not read."""
    from dssl.report.learning import SHARED, SPECIFIC, Run

    chosen = {each.fold: each.selected for each in selections}
    runs = []
    for name, paths in ((SHARED, shared), (SPECIFIC, specific)):
        for path in paths:
            found = wildcards_of(path)
            choice = chosen[found["fold"]]
            if float(found["beta"]) == choice["beta"] and float(found.get("lambda", choice["lam"])) == choice["lam"]:
                runs.append(Run(name, found["fold"], found["seed"], pd.read_json(path, lines=True)))
    return runs
