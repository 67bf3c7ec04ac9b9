"""How many jobs, CPU hours and GPU hours a screen will take: from its settings and the size of its tables alone."""

from pathlib import Path

import pandas as pd

from dssl.plan import job_counts, plate_tables
from dssl.resources import BYTES_PER_MB, seconds
from dssl.settings.screen import ScreenSettings

BASIS = (
    "hours are what these steps took on one core for screens of 0.3 to 26 MB of plates (gzipped), in proportion to "
    "the size of yours: take them as right within a factor of three; a job on a GPU counts as its time on a core, and "
    "retries and waiting in the queue are not counted"
)
# MB that a step reads for each MB of gzipped plate tables, as found on the same screens
PER_PLATES_MB = {
    "assemble_profiles": 1.4,
    "pair_and_split": 1.4,
    "fit_preprocessing": 1.4,
    "train_shared": 0.4,
    "train_specific": 0.4,
    "train_baseline": 2.0,
    "train_learned_baseline": 0.4,
    "select_learned_baseline": 1.7,
    "embed_screen": 2.0,
    "evaluate_retrieval": 2.0,
    "evaluate_disentanglement": 2.0,
    "join_assays": 1.4,
    "fit_assays": 1.4,
    "train_assays": 0.4,
    "evaluate_assays": 2.0,
    "describe_compounds": 2.0,
    "train_decoder": 1.4,
    "evaluate_counterfactuals": 1.4,
    "report": 2.0,
    "handover": 4.0,
    "explorer": 2.0,
}
# bytes of gzipped text for a value of a simulated plate, and of a table for a molecule; plain text is so much larger
BYTES_PER_VALUE = 2.8
BYTES_PER_MOLECULE = 140
PLAIN_TO_GZIPPED = 0.4
WELLS_PER_PLATE = 384
# Snakemake itself, which starts twice for a job on a cluster, seconds of CPU
AROUND_SECONDS = 5.0


def estimate(screen: ScreenSettings, sizes_mb: dict[str, float]) -> pd.DataFrame:
    """A row per step, and one for all: jobs, CPU hours, GPU hours.

    Parameters
    ----------
    screen : ScreenSettings
    sizes_mb : dict
        Size of the tables, MB: "plates" (gzipped, all together) and "molecules"; see `table_sizes`.
    """
    counts = job_counts(screen)
    rows = [(step, count, *_hours(screen, step, count, sizes_mb)) for step, count in counts.items()]
    table = pd.DataFrame(rows, columns=["step", "jobs", "CPU hours", "GPU hours"])
    total = pd.DataFrame([{"step": "all", **table.drop(columns="step").sum().to_dict()}])
    return pd.concat([table, total], ignore_index=True).astype({"jobs": int}).round(2)


def table_sizes(screen: ScreenSettings, plates: list[Path], molecules: Path | None) -> dict[str, float]:
    """Sizes of a screen's tables, of those that are there; of a simulated screen what they will be."""
    if (simulated := screen.simulate_screen) is not None:
        values = len(plate_tables(screen)) * WELLS_PER_PLATE * simulated.n_features
        molecules_mb = simulated.n_compounds * BYTES_PER_MOLECULE / BYTES_PER_MB
        return {"plates": values * BYTES_PER_VALUE / BYTES_PER_MB, "molecules": molecules_mb}
    return {"plates": sum(map(_gzipped_mb, plates)), "molecules": _gzipped_mb(molecules) if molecules else 0.0}


def _gzipped_mb(path: Path) -> float:
    plain = path.suffix in (".csv", ".tsv", ".txt")
    return path.stat().st_size / BYTES_PER_MB * (PLAIN_TO_GZIPPED if plain else 1.0)


def _hours(screen: ScreenSettings, step: str, count: int, sizes_mb: dict[str, float]) -> tuple[float, float]:
    """CPU hours and GPU hours of all jobs of a step."""
    if step in ("standardize_molecules", "featurize_molecules"):
        size = sizes_mb["molecules"]
    elif step == "normalize_plate":
        size = sizes_mb["plates"] / count
    else:
        size = PER_PLATES_MB.get(step, 0.0) * sizes_mb["plates"]
    one = seconds(step, size, _epochs(screen, step))
    return (one + AROUND_SECONDS) * count / 3600, one * count * _gpus(screen, step) / 3600


def _epochs(screen: ScreenSettings, step: str) -> int | None:
    shared, specific = screen.train_shared.optimizer.epochs, screen.train_specific.optimizer.epochs
    trained = {"train_shared": shared, "train_specific": specific, "train_assays": shared}
    return (trained | {"train_learned_baseline": shared + specific}).get(step)


def _gpus(screen: ScreenSettings, step: str) -> float:
    """GPUs that a job of a step asks for, on average over the members of the ensemble: only what trains asks for any."""
    if step in ("train_learned_baseline", "train_assays"):
        return screen.train_shared.run.gpus()
    if step not in ("train_shared", "train_specific"):
        return 0
    settings = screen.train_shared if step == "train_shared" else screen.train_specific
    members = screen.members()
    return sum(settings.run.of_member(member, settings.solver).gpus() for member in members) / len(members)
