"""Features of new molecules as the model takes them: block by block, on several processes, in bounded memory."""

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.io import read_anndata, read_table
from dssl.settings.new_data import AppliedSettings
from dssl.steps.bundle import MOLECULES, PREPROCESSING, RANGES, read_description
from dssl.steps.held_out import descriptors_outside, is_role

if TYPE_CHECKING:
    from dssl.preprocessing.state import PreprocessingState

BLOCK = 1024


@dataclass(frozen=True)
class FeaturizedBlock:
    """A block of molecules as the model takes them, and what tells how far they are from the training molecules."""

    inputs: NDArray[np.float32]
    neighbors: NDArray[np.int64]
    similarities: NDArray[np.float64]
    outside: NDArray[np.float64] | None
    undefined: list[tuple[str, int]]


@dataclass(frozen=True)
class _Featurizer:
    """What a process needs of the model to featurise molecules."""

    settings: AppliedSettings
    state: "PreprocessingState"
    fingerprints: list[Any]
    ranges: pd.DataFrame


def featurized_blocks(
    folder: Path, molecules: pd.DataFrame, k: int, threads: int
) -> Iterator[tuple[slice, FeaturizedBlock]]:
    """Rows of consecutive blocks of standardised molecules, and the blocks.

    Parameters
    ----------
    folder : Path
        Of the trained model; every process reads it once.
    molecules : DataFrame
        compound_id and smiles.
    k : int
        Nearest training molecules that are looked for.
    threads : int
        Processes; the result does not depend on it.
    """
    from rich.console import Console
    from rich.progress import track

    from dssl.molecules.parallel import each_chunk

    pairs = list(zip(molecules[keys.COMPOUND_ID], molecules[keys.SMILES], strict=True))
    slices = [slice(start, start + BLOCK) for start in range(0, len(pairs), BLOCK)]
    worker = partial(_featurize, folder=folder, k=k)
    blocks = each_chunk(worker, [pairs[rows] for rows in slices], threads)
    console = Console(stderr=True)
    yield from track(
        zip(slices, blocks, strict=True),
        description="embedding",
        total=len(slices),
        console=console,
        disable=not sys.stderr.isatty(),
    )


def _featurize(pairs: Sequence[tuple[str, str]], folder: Path, k: int) -> FeaturizedBlock:
    from dssl.molecules.featurize import UNDEFINED, featurize_molecules
    from dssl.molecules.neighbors import nearest_by_structure, structural_fingerprints
    from dssl.preprocessing.molecule import apply_molecule

    model = _featurizer(folder)
    frame = pd.DataFrame(pairs, columns=[keys.COMPOUND_ID, keys.SMILES])
    with _quiet():
        features = featurize_molecules(frame, model.settings.featurize_molecules)
    places, similarities = nearest_by_structure(
        structural_fingerprints(list(frame[keys.SMILES])), model.fingerprints, k
    )
    missing = features.uns[UNDEFINED]
    return FeaturizedBlock(
        inputs=apply_molecule(model.state.molecule, features.X, list(features.var_names)),
        neighbors=places,
        similarities=similarities,
        outside=descriptors_outside(features, model.ranges) if len(model.ranges) else None,
        undefined=list(zip(missing["descriptor"], missing["n_molecules"], strict=True)),
    )


@lru_cache(maxsize=1)
def _featurizer(folder: Path) -> _Featurizer:
    from dssl.molecules.neighbors import structural_fingerprints
    from dssl.preprocessing.state import load_state

    _, description = read_description(folder)
    known = read_anndata(folder / MOLECULES)
    return _Featurizer(
        settings=AppliedSettings.model_validate(description["settings"]),
        state=load_state(folder / PREPROCESSING),
        fingerprints=structural_fingerprints(list(known.obs[keys.SMILES][is_role(known, keys.TRAIN)].astype(str))),
        ranges=read_table(folder / RANGES),
    )


@contextmanager
def _quiet() -> Iterator[None]:
    # what featurising logs of every block is said once, of all blocks together
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
