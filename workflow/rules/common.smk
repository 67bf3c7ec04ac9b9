"""What all rules share: the validated screen, its files, its wildcards."""

import shlex

from snakemake.exceptions import WorkflowError

from dssl import __version__ as VERSION
from dssl.errors import DsslError
from dssl.plan import (
    assay_subsets,
    folds,
    locate,
    molecule_table,
    n_trials,
    parts,
    plate_tables,
    reading_of_plates,
    second_screen,
    shown,
    step_folder,
    wildcard,
)
from dssl.plan_new_data import (
    applied_settings,
    new_entry,
    new_settings,
    new_tables,
    ranked_entries,
    without_new_data,
)
from dssl.resources import gpus, memory, runtime, several_nodes, threads
from dssl.settings.screen import parse_screen

# no part of the screen: which synthetic study `snakemake study` runs
STUDY_FILE = config.pop(
    "study", str(Path(workflow.basedir).parent / "config/study.yaml")
)

try:
    SCREEN = parse_screen(config, "the screen's configuration")
    TABLES = {name: str(path) for name, path in plate_tables(SCREEN).items()}
except DsslError as error:
    raise WorkflowError(str(error))

OUT = f"results/{SCREEN.screen}"
PLATES = reading_of_plates(SCREEN).to_json()
PARTS = parts(TABLES, SCREEN.list_files.per_list)
MOLECULES = str(molecule_table(SCREEN))
PLATE_LIST = (
    str(locate(SCREEN, SCREEN.plates.plate_list)) if SCREEN.plates.plate_list else None
)
ANNOTATION = (
    str(locate(SCREEN, SCREEN.plates.features.annotation))
    if SCREEN.plates.features.annotation
    else None
)
METADATA = [str(locate(SCREEN, each.table)) for each in SCREEN.plates.metadata]
SECOND = second_screen(SCREEN) if SCREEN.second_assay else None
PROBE_WELLS = SCREEN.evaluate_disentanglement.probe_tables.wells
PROBE_COMPOUNDS = SCREEN.evaluate_disentanglement.probe_tables.compounds
FOLDS = folds(SCREEN)
TEST_FOLDS = folds(SCREEN, with_full=False)
HANDOVER_FOLD = FOLDS[-1] if SCREEN.pair_and_split.refit else FOLDS[0]
BETAS = [wildcard(value) for value in SCREEN.sweep.beta]
LAMS = [wildcard(value) for value in SCREEN.sweep.lam]
SEEDS = SCREEN.sweep.seed
MEMBERS = SCREEN.members()

# plate tables
SMALL_SCREEN = 100

HANDOVER = f"{OUT}/handover"
NEW_DATA = f"{OUT}/new_data/{{name}}"
EMBEDDED = f"{NEW_DATA}/embed"

SHARED = "fold~{fold}/beta~{beta}/seed~{seed}"
SPECIFIC = "fold~{fold}/beta~{beta}/lambda~{lam}/seed~{seed}"


wildcard_constraints:
    table=r"[^/]+",
    part=r"\d+",
    fold=r"\d+|full",
    beta=r"[0-9.e+-]+",
    lam=r"[0-9.e+-]+",
    seed=r"\d+|closed_form",


def small(group):
    """Group of short jobs that are one submission to a cluster; in a large screen none, since there they are long."""
    return group if len(TABLES) <= SMALL_SCREEN else None


def section(step):
    """Settings of one step as canonical JSON, with every default written out."""
    return getattr(SCREEN, step).to_json()


def option(name, *paths):
    """An option of a command, or nothing when the screen has no such file."""
    return " ".join(map(str, (name, *paths))) if any(paths) else ""


def tables_of(output):
    """Files of the plate tables in one part of the list."""
    return lambda wildcards: expand(output, table=PARTS[wildcards.part])


def run_of_shared(wildcards):
    """Where a model of step 1 is made."""
    return SCREEN.train_shared.run.of_member(wildcards.seed, SCREEN.train_shared.solver)


def run_of_specific(wildcards):
    """Where a model of step 2 is made."""
    return SCREEN.train_specific.run.of_member(
        wildcards.seed, SCREEN.train_specific.solver
    )


def run_as_shared(wildcards):
    """Where learned baselines and models of several assays are trained: as step 1 would be."""
    return SCREEN.train_shared.run


def new_tables_of(wildcards):
    """Tables of one entry of new_data."""
    found = new_tables(SCREEN, wildcards.name)
    return {kind: list(map(str, paths)) for kind, paths in found.items()}


def new_queries_of(wildcards):
    """Embeddings of one entry of new_data; none where compounds of the screen are the queries."""
    entry = new_entry(SCREEN, wildcards.name)
    return [] if entry.compounds else EMBEDDED.format(name=wildcards.name)


def new_library_of(wildcards):
    """Embeddings of the library of one entry of new_data; none where it is the screen."""
    library = new_entry(SCREEN, wildcards.name).library
    return EMBEDDED.format(name=library) if library else []
