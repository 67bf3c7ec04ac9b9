"""Codes of a whole screen, at every level, as AnnData."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.settings.learning import EmbedSettings

if TYPE_CHECKING:
    from anndata import AnnData
    from mudata import MuData

    from dssl.preprocessing.state import PreprocessingState
    from dssl.training.encode import Models

LEVELS = {"wells": "well", "treatments": "treatment", "compounds": "compound"}
UMAP_FEWEST = 10


@dataclass(frozen=True)
class Embedded:
    """Codes of one level: X is what was encoded, obsm holds the codes and their UMAPs."""

    adata: "AnnData"

    def table(self) -> pd.DataFrame:
        """The obs and every code as columns, for everybody without Python."""
        parts = [self.adata.obs.rename_axis("id").reset_index()]
        for name, values in self.adata.obsm.items():
            columns = [f"{name.removeprefix('X_')}_{number}" for number in range(1, values.shape[1] + 1)]
            parts.append(pd.DataFrame(np.round(values, 6), columns=columns))
        table: pd.DataFrame = pd.concat(parts, axis=1)
        return table


def embed_screen(
    pairs: "MuData",
    state: "PreprocessingState",
    models: "Models",
    fold: str,
    settings: EmbedSettings | None,
    draw_seed: int | None = None,
) -> dict[str, Embedded]:
    """Encode wells, treatments, compounds and molecules; profiles are pooled before they are encoded.

    With `settings`, UMAPs of both codes are added. With `draw_seed`, codes are drawn from their distributions instead of
    being their mean directions.
    """
    from dssl.pairs.levels import pool
    from dssl.preprocessing.molecule import apply_molecule
    from dssl.preprocessing.phenotype import apply_phenotype

    wells, molecules = pairs[keys.PHENOTYPE], pairs[keys.MOLECULE]
    roles = molecules.obs[keys.fold_column(fold)].astype(str)
    described = _describe(molecules.obs)
    profiles = apply_phenotype(state.phenotype, wells.X, list(wells.var_names))
    embedded = {}
    for name, level in LEVELS.items():
        values, obs = pool(profiles, wells.obs, level)
        joined = obs.join(described.drop(columns=obs.columns, errors="ignore"), on=keys.COMPOUND_ID)
        joined[keys.SPLIT] = joined[keys.COMPOUND_ID].astype(str).map(roles)
        embedded[name] = _embed(values, joined, "component", keys.PHENOTYPE, models, settings, draw_seed)
    features = apply_molecule(state.molecule, molecules.X, list(molecules.var_names))
    obs = described.assign(**{keys.COMPOUND_ID: described.index.astype(str), keys.SPLIT: roles})
    embedded["molecules"] = _embed(features, obs, "input", keys.MOLECULE, models, settings, draw_seed)
    return embedded


def _describe(molecules: pd.DataFrame) -> pd.DataFrame:
    return molecules[[column for column in molecules.columns if not column.startswith(keys.fold_column(""))]]


def _embed(
    values: NDArray[np.float32],
    obs: pd.DataFrame,
    unit: str,
    modality: str,
    models: "Models",
    settings: EmbedSettings | None,
    draw_seed: int | None,
) -> Embedded:
    import torch
    from anndata import AnnData

    from dssl.pairs.storage import storable
    from dssl.training.encode import encode

    given = {keys.PHENOTYPE: None, keys.MOLECULE: None, modality: values}
    generator = None if draw_seed is None else torch.Generator().manual_seed(draw_seed)
    codes = encode(models, given[keys.PHENOTYPE], given[keys.MOLECULE], generator)
    names = pd.Index([f"{unit}_{number}" for number in range(1, values.shape[1] + 1)], dtype=object)
    adata = AnnData(values, obs=storable(obs), var=pd.DataFrame(index=names))
    adata.uns["n_models"] = len(models)
    adata.obsm[keys.X_SHARED] = codes.shared[modality]
    adata.obsm[keys.X_SPECIFIC] = codes.specific[modality]
    if settings is not None:
        adata.obsm[keys.X_UMAP] = umap(codes.shared[modality], settings)
        adata.obsm[keys.X_UMAP_SPECIFIC] = umap(codes.specific[modality], settings)
    return Embedded(adata)


def umap(codes: NDArray[np.float32], settings: EmbedSettings) -> NDArray[np.float32]:
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
