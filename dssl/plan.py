"""Which files and jobs a screen consists of: known from its settings alone, before anything is computed."""

from collections import Counter
from collections.abc import Iterable
from glob import glob
from pathlib import Path

from dssl.errors import ConfigError, first_few
from dssl.io import read_table, stem_of
from dssl.keys import FULL_FOLD, MOLECULE, PHENOTYPE, SECOND_ASSAY
from dssl.settings.inputs import PlateTableSettings
from dssl.settings.screen import ScreenSettings

RESULTS = Path("results")
SHOWN_TABLES = 50
# with a second assay: what is compared; the first is ranked as the phenotype is elsewhere, the second as the molecule
ASSAY_PAIRS = ((PHENOTYPE, MOLECULE), (SECOND_ASSAY, MOLECULE), (PHENOTYPE, SECOND_ASSAY))
ALL_COMPOUNDS, COMPLETE_COMPOUNDS = "all", "complete"


def step_folder(screen: ScreenSettings, step: str) -> Path:
    """Folder of a step's outputs."""
    return RESULTS / screen.screen / step


def locate(screen: ScreenSettings, name: str) -> Path:
    """Path of an input file: a file that fetch_screen brings is where it is put, any other where the user says."""
    if screen.fetch_screen is not None and name in screen.fetch_screen.files:
        return step_folder(screen, "fetch_screen") / name
    return Path(name)


def molecule_table(screen: ScreenSettings) -> Path:
    """Path of the table of molecules."""
    if screen.molecules.table is None:
        return step_folder(screen, "simulate_screen") / "molecules.tsv"
    return locate(screen, screen.molecules.table)


def plate_tables(screen: ScreenSettings) -> dict[str, Path]:
    """Plate tables by identifier (file name without its endings).

    Raises
    ------
    ConfigError
        If a glob finds no file, or two tables have the same name.
    """
    if screen.simulate_screen is not None:
        folder = step_folder(screen, "simulate_screen") / "plates"
        return {name: folder / f"{name}.csv.gz" for name in screen.simulate_screen.plate_names()}
    if screen.plates.plate_list is not None:
        listed = read_table(locate(screen, screen.plates.plate_list), columns=["path"], text_columns=["path"])
        paths = [locate(screen, name) for name in listed["path"]]
    else:
        paths = [path for name in screen.plates.tables for path in expand(screen, name)]
    repeated = [name for name, count in Counter(map(stem_of, paths)).items() if count > 1]
    if repeated:
        raise ConfigError(
            f"plates: {len(repeated)} file name(s) occur more than once: {first_few(repeated)}\n"
            "Every plate table needs a name of its own, because its results are named after it; rename the files."
        )
    return {stem_of(path): path for path in paths}


def expand(screen: ScreenSettings, name: str, key: str = "plates.tables") -> list[Path]:
    """Files of one path or glob of the settings' `key`, in order.

    Raises
    ------
    ConfigError
        If a glob finds no file.
    """
    path = locate(screen, name)
    if not any(character in name for character in "*?["):
        return [path]
    found = sorted(glob(name, recursive=True))
    if not found:
        raise ConfigError(f"{key}: {name!r} matches no file; correct the path or the pattern")
    return [Path(each) for each in found]


def parts(names: Iterable[str], per_list: int) -> dict[str, list[str]]:
    """Names in parts "0", "1", ... of `per_list` at most, in their order: what one command line can hold."""
    listed = list(names)
    starts = range(0, len(listed), per_list)
    return {str(number): listed[start : start + per_list] for number, start in enumerate(starts)}


def reading_of_plates(screen: ScreenSettings) -> PlateTableSettings:
    """What the plates' columns mean, without the list of tables: neither is a plate read again when others are added,
    nor does a list of thousands reach a command line.
    """
    return screen.plates.model_copy(update={"tables": []})


def shown(screen: ScreenSettings) -> ScreenSettings:
    """The settings as the report prints them: of a long list of plate tables, only the first ones."""
    tables = screen.plates.tables
    if len(tables) <= SHOWN_TABLES:
        return screen
    first = [*tables[:SHOWN_TABLES], f"and {len(tables) - SHOWN_TABLES} more"]
    return screen.model_copy(update={"plates": screen.plates.model_copy(update={"tables": first})})


def second_screen(screen: ScreenSettings) -> ScreenSettings:
    """The second assay as if it were the screen: for where its tables are."""
    second = screen.second_assay
    if second is None:
        raise ConfigError("the screen has no second_assay; name its tables there")
    own = {name: getattr(second, name) for name in type(second).model_fields if name != "name"}
    return screen.model_copy(update={"simulate_screen": None, "second_assay": None} | own)


def folds(screen: ScreenSettings, with_full: bool = True) -> list[str]:
    """Names of the folds: "0", "1", ..., and "full" for the model trained on every compound."""
    settings = screen.pair_and_split
    numbered = [str(number) for number in range(settings.n_folds * settings.n_repeats)]
    return [*numbered, FULL_FOLD] if with_full and settings.refit else numbered


def wildcard(value: float) -> str:
    """A swept value as it stands in paths: shortest decimal form."""
    return f"{value:g}"


def n_trials(screen: ScreenSettings) -> int:
    """Hyperparameter settings tried for every learned baseline: as many as the sweep has, unless the user says so."""
    return screen.train_learned_baseline.trials or len(screen.sweep.beta) * len(screen.sweep.lam)


def pair_name(pair: tuple[str, str]) -> str:
    """A pair of modalities as it is called in paths and tables."""
    return "-".join(pair)


def assay_subsets() -> list[str]:
    """What the models of a screen with a second assay are trained on.

    All compounds; those that have molecule, phenotype and second assay; and, of two modalities alone, those that have both.
    """
    return [ALL_COMPOUNDS, COMPLETE_COMPOUNDS, *map(pair_name, ASSAY_PAIRS)]


def _jobs_of_assays(screen: ScreenSettings) -> dict[str, int]:
    """Jobs that only a screen with a second assay has."""
    n_tests, n_seeds = len(folds(screen, with_full=False)), len(screen.sweep.seed)
    return {
        "featurize_molecules": 1,
        "join_assays": 1,
        "fit_assays": n_tests,
        "train_assays": n_tests * len(assay_subsets()) * n_seeds,
        "evaluate_assays": n_tests,
        "summarize_assays": 1,
    }


def job_counts(screen: ScreenSettings) -> dict[str, int]:
    """How many jobs every step runs."""
    n_folds, n_tests = len(folds(screen)), len(folds(screen, with_full=False))
    n_beta, n_lam, n_seed = (len(values) for values in (screen.sweep.beta, screen.sweep.lam, screen.sweep.seed))
    n_members = len(screen.members())
    source = {"simulate_screen": 1} if screen.simulate_screen else {}
    if screen.fetch_screen:
        source = {"fetch_screen": len(screen.fetch_screen.files)}
    n_tables = len(plate_tables(screen))
    n_learned = n_tests * len(screen.train_learned_baseline.methods)
    learned = {"train_learned_baseline": n_learned * n_trials(screen) * n_seed, "select_learned_baseline": n_learned}
    counts = source | {
        "standardize_molecules": 1,
        **({"profile_second_assay": 1} if screen.second_assay else {"featurize_molecules": 1}),
        **(_jobs_of_assays(screen) if screen.second_assay else {}),
        "normalize_plate": n_tables,
        "list_plates": len(parts(map(str, range(n_tables)), screen.list_files.per_list)),
        "assemble_profiles": 1,
        "call_activity": 1,
        "pair_and_split": 1,
        "compare_preprocessing": 1,
        "fit_preprocessing": n_folds,
        "train_shared": n_folds * n_beta * n_members,
        "train_specific": n_folds * n_beta * n_lam * n_members,
        "select_model": n_folds,
        "embed_screen": n_folds,
        "calibrate_scores": 1,
        "bundle_model": 1,
        "train_baseline": n_tests,
        **(learned if n_learned else {}),
        "evaluate_retrieval": n_tests,
        "evaluate_disentanglement": n_tests,
        "summarize_folds": 1,
        "describe_compounds": 1,
        "train_decoder": n_tests,
        "evaluate_counterfactuals": n_tests,
        "summarize_counterfactuals": 1,
        "report": 1,
        "handover": 1,
        "explorer": 1,
    }
    # every job so far has a record, which the manifest reads
    n_lists = len(parts(map(str, range(sum(counts.values()))), screen.list_files.per_list))
    tracked = {"log_mlflow": 1} if screen.log_mlflow.enabled else {}
    return counts | {"list_records": n_lists, "manifest": 1, "crate": 1} | tracked
