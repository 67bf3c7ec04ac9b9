"""Plates per second and memory of the preparation of profiles, beside pycytominer.

    make bench-data [PLATES=200]       or: python -m bench.data [PLATES [FEATURES]]

Simulates PLATES (200) plates of 384 wells, 64 of them controls, x FEATURES (3,600) raw features, and prepares them as the
workflow does: every plate is normalised and written (`normalize_plate`), then all are brought together without features
that repeat others among the controls, and sphered (`assemble_profiles`), one plate in memory at a time. Each of the two
runs in a process of its own; memory is the most that it held beyond what it was born with. Tables are not read as text:
what reading costs depends on their format.

pycytominer normalises the same plates by the same method in the same process, a few of them, and the fastest of each
counts. One thread; process time (user and system), so that waiting for others does not count.
"""

import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from dssl import keys
from dssl.io import read_anndata, write_anndata
from dssl.phenotypes.assemble import assemble_profiles
from dssl.phenotypes.normalize import normalize_plates
from dssl.settings.preparation import AssembleProfilesSettings, NormalizePlateSettings

WELLS, CONTROLS, FACTORS, COPIES = 384, 64, 200, 4
LARGE_PLATES, LARGE_COMPOUNDS = 2000, 116_000
COMPARED = 3
NORMALIZE = NormalizePlateSettings()
ASSEMBLE = AssembleProfilesSettings(blocklist=False, max_control_correlation=0.9, sphering=True)


def simulate(number: int, n_features: int) -> AnnData:
    """A plate of correlated raw features with an offset and a scale of its own."""
    rng = np.random.default_rng(number)
    design = np.random.default_rng(10**6)
    # every measurement is there four times, more or less exactly, as in CellProfiler's tables
    loadings = np.tile(design.normal(size=(FACTORS, -(-n_features // COPIES))), COPIES)[:, :n_features]
    noise = design.uniform(0.05, 1, n_features).astype(np.float32)
    values = rng.standard_normal((WELLS, FACTORS), dtype=np.float32) @ loadings.astype(np.float32) / np.sqrt(FACTORS)
    values += noise * rng.standard_normal((WELLS, n_features), dtype=np.float32)
    values = values * rng.uniform(0.5, 2, n_features).astype(np.float32) + rng.normal(0, 5, n_features)
    plate = f"P{number:04d}"
    wells = [f"{'ABCDEFGHIJKLMNOP'[well // 24]}{well % 24 + 1:02d}" for well in range(WELLS)]
    controls = np.arange(WELLS) < CONTROLS
    obs = pd.DataFrame(
        {
            keys.PLATE: plate,
            keys.WELL: wells,
            keys.BATCH: f"B{number // 20}",
            keys.COMPOUND_ID: [
                "" if control else f"C{number}_{well}" for control, well in zip(controls, wells, strict=True)
            ],
            keys.IS_CONTROL: controls,
        },
        index=[f"{plate}:{well}" for well in wells],
    )
    var = pd.DataFrame(index=[f"Cells_Simulated_{feature}" for feature in range(n_features)])
    return AnnData(values.astype(np.float32), obs=obs, var=var)


def normalize_all(folder: Path, n_plates: int, n_features: int) -> dict[str, float]:
    """CPU seconds of normalising and of writing all plates."""
    spent = {"normalize": 0.0, "write": 0.0}
    for number in range(n_plates):
        plate = simulate(number, n_features)
        start = time.process_time()
        done = normalize_plates(plate, NORMALIZE)
        middle = time.process_time()
        write_anndata(folder / f"{number:05d}.h5ad", done, {})
        spent["normalize"] += middle - start
        spent["write"] += time.process_time() - middle
    return spent


def assemble_all(folder: Path, n_plates: int, n_features: int) -> dict[str, float]:
    """CPU seconds of bringing the first plates together, and what is kept."""
    start = time.process_time()
    done = assemble_profiles(sorted(folder.glob("*.h5ad"))[:n_plates], ASSEMBLE, read_anndata)
    kept = done.profiles.n_vars
    matrix = done.profiles.n_obs * kept * done.profiles.X.itemsize / 2**20
    return {"seconds": time.process_time() - start, "kept": kept, "matrix": matrix}


def against_pycytominer(folder: Path, n_plates: int, n_features: int) -> dict[str, float]:
    """CPU seconds a plate of either, in one process, and the largest difference between their values."""
    from pycytominer import normalize

    settings = NORMALIZE.model_copy(update={"outlier_z": 1e9, "clip": None})
    ours, theirs, worst = [], [], 0.0
    for number in range(COMPARED):
        plate = simulate(number, n_features)
        features = list(plate.var_names)
        frame = plate.to_df().astype(np.float64).assign(Metadata_control=plate.obs[keys.IS_CONTROL])
        start = time.process_time()
        own = normalize_plates(plate, settings).X
        ours.append(time.process_time() - start)
        start = time.process_time()
        other = normalize(
            frame,
            features=features,
            meta_features=["Metadata_control"],
            samples="Metadata_control",
            method="mad_robustize",
            mad_robustize_epsilon=0.0,
        )
        theirs.append(time.process_time() - start)
        worst = max(worst, float(np.abs(own - other[features].to_numpy()).max()))
    return {"ours": min(ours), "pycytominer": min(theirs), "difference": worst}


def measured(function: Callable[..., dict[str, float]], *arguments: Any) -> dict[str, float]:
    """What a function gives in a process of its own, with the megabytes that it held at most."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_measure, args=(function, arguments, sender))
    process.start()
    sender.close()
    found: dict[str, float] = receiver.recv()
    process.join()
    return found


def _measure(function: Callable[..., dict[str, float]], arguments: tuple[Any, ...], sender: Connection) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = function(*arguments)
    sender.send(found | {"megabytes": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024})


def main(n_plates: int, n_features: int) -> None:
    """Print what was measured, and what it would be for a large screen."""
    say = sys.stdout.write
    say(f"{n_plates} plates of {WELLS} wells ({CONTROLS} controls) x {n_features:,} features; CPU time, one thread\n")
    compared = measured(against_pycytominer, Path(), n_plates, n_features)
    say(
        f"normalisation of a plate    ours {1e3 * compared['ours']:.0f} ms, pycytominer"
        f" {1e3 * compared['pycytominer']:.0f} ms: {compared['pycytominer'] / compared['ours']:.0f} times;"
        f" largest difference {compared['difference']:.1e}\n"
    )
    with tempfile.TemporaryDirectory() as name:
        first = measured(normalize_all, Path(name), n_plates, n_features)
        half, whole = (measured(assemble_all, Path(name), n, n_features) for n in (n_plates // 2, n_plates))
    say(
        f"normalize_plate             {n_plates / first['normalize']:.1f} plates/s, writing them"
        f" {n_plates / first['write']:.1f} plates/s, at most {first['megabytes']:.0f} MB\n"
    )
    plate = WELLS * n_features * 4 / 2**20
    for n, found in ((n_plates // 2, half), (n_plates, whole)):
        say(
            f"assemble_profiles           {n} plates: {n / found['seconds']:.1f} plates/s, at most"
            f" {found['megabytes']:.0f} MB; one plate {plate:.0f} MB, matrix of {found['kept']:.0f} kept features"
            f" {found['matrix']:.0f} MB\n"
        )

    def at(n: int, measure: str) -> float:
        slope = (whole[measure] - half[measure]) / (n_plates - n_plates // 2)
        return whole[measure] + slope * (n - n_plates)

    seconds = LARGE_PLATES * (first["normalize"] + first["write"]) / n_plates + at(LARGE_PLATES, "seconds")
    say(
        f"extrapolated, a line through both sizes: {LARGE_PLATES:,} plates, {LARGE_COMPOUNDS:,} compounds:"
        f" {seconds / 60:.0f} minutes of one core in all, assemble_profiles at most"
        f" {at(LARGE_PLATES, 'megabytes') / 1024:.1f} GB\n"
    )


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*given, *[200, 3600][len(given) :])
