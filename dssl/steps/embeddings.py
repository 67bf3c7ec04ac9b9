"""Codes of a whole screen, at every level, as AnnData."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.settings.learning import EmbedScreenSettings
from dssl.steps.arrays import numbered

if TYPE_CHECKING:
    from anndata import AnnData
    from mudata import MuData
    from torch import Generator

    from dssl.preprocessing.state import PreprocessingState
    from dssl.training.encode import Models

LEVELS = {"wells": "well", "treatments": "treatment", "compounds": "compound"}
UMAP_FEWEST = 10


@dataclass(frozen=True)
class Level:
    """What is encoded at one level: preprocessed inputs and the obs of their rows."""

    values: NDArray[np.float32]
    obs: pd.DataFrame
    unit: str
    modality: str


def load_models(paths: list[Path]) -> "Models":
    """Trained models, ready to encode on the CPU."""
    import torch

    from dssl.training.saved import load_model

    return [load_model(path, torch.device("cpu"))[:2] for path in paths]


def prepare_levels(pairs: "MuData", state: "PreprocessingState", fold: str) -> dict[str, Level]:
    """Preprocess wells, treatments, compounds and molecules; profiles are pooled before they are encoded."""
    from dssl.pairs.levels import pool
    from dssl.pairs.rows import of_fold
    from dssl.preprocessing.molecule import apply_molecule
    from dssl.preprocessing.phenotype import apply_phenotype

    fold_pairs = of_fold(pairs, fold)
    wells, molecules = fold_pairs[keys.PHENOTYPE], fold_pairs[keys.MOLECULE]
    described = molecules.obs
    profiles = apply_phenotype(state.phenotype, wells.X, list(wells.var_names), wells.obs)
    levels = {}
    for name, level in LEVELS.items():
        values, obs = pool(profiles, wells.obs, level)
        joined = obs.join(described.drop(columns=obs.columns, errors="ignore"), on=keys.COMPOUND_ID)
        levels[name] = Level(values, joined, "component", keys.PHENOTYPE)
    features = apply_molecule(state.molecule, molecules.X, list(molecules.var_names))
    obs = described.assign(**{keys.COMPOUND_ID: described.index.astype(str)})
    levels["molecules"] = Level(features, obs, "input", keys.MOLECULE)
    return levels


def encode_level(
    level: Level, models: "Models", maps: EmbedScreenSettings | None = None, generator: "Generator | None" = None
) -> "AnnData":
    """Encode one level: X is what was encoded, obsm holds the codes.

    With `maps`, UMAPs of both codes are added. With a generator, codes are drawn from their distributions instead of
    being their mean directions.
    """
    from anndata import AnnData

    from dssl.pairs.storage import storable
    from dssl.training.encode import encode, kinds

    given = {keys.PHENOTYPE: None, keys.MOLECULE: None, level.modality: level.values}
    codes = encode(models, given[keys.PHENOTYPE], given[keys.MOLECULE], generator)
    adata = AnnData(level.values, obs=storable(level.obs), var=numbered(level.unit, level.values.shape[1]))
    adata.uns[keys.CODE_KINDS] = kinds(models)
    adata.uns[keys.CODE_SIZES] = [shared.code_settings.size for shared, _ in models]
    adata.obsm[keys.X_SHARED] = codes.shared[level.modality]
    adata.obsm[keys.X_SPECIFIC] = codes.specific[level.modality]
    if maps is not None:
        adata.obsm[keys.X_UMAP] = umap(codes.shared[level.modality], maps)
        adata.obsm[keys.X_UMAP_SPECIFIC] = umap(codes.specific[level.modality], maps)
    return adata


def draw_levels(levels: dict[str, Level], models: "Models", seed: int) -> dict[str, "AnnData"]:
    """Encode levels by one draw of every code. No noise is common to two levels, so that they can be compared."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    return {name: encode_level(level, models, generator=generator) for name, level in levels.items()}


def code_table(adata: "AnnData") -> pd.DataFrame:
    """The obs and every code as columns, for everybody without Python."""
    parts = [adata.obs.rename_axis("id").reset_index()]
    for name, values in adata.obsm.items():
        columns = list(numbered(name.removeprefix("X_"), values.shape[1]).index)
        parts.append(pd.DataFrame(np.round(values, 6), columns=columns))
    table: pd.DataFrame = pd.concat(parts, axis=1)
    return table


def umap(codes: NDArray[np.float32], settings: EmbedScreenSettings) -> NDArray[np.float32]:
    """Two-dimensional map of unit vectors by cosine; of very few rows, their first two principal components."""
    if len(codes) < UMAP_FEWEST:
        return first_components(codes)
    from umap import UMAP

    reducer = UMAP(
        n_neighbors=min(settings.umap_neighbors, len(codes) - 1),
        min_dist=settings.umap_min_dist,
        metric="cosine",
        random_state=settings.seed,
        n_jobs=1,
    )
    return np.asarray(reducer.fit_transform(codes), dtype=np.float32)


def first_components(codes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores on the first two principal components, padded with zeros where there is only one row."""
    centered = codes - codes.mean(axis=0)
    u, s, _ = np.linalg.svd(centered, full_matrices=False)
    scores = np.zeros((len(codes), 2), dtype=np.float32)
    scores[:, : min(2, len(s))] = (u * s)[:, :2]
    return scores
