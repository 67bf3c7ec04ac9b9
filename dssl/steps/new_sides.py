"""Which rows are the queries of a ranking, and which the items."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from dssl import keys
from dssl.errors import ConfigError, TableError, first_few
from dssl.io import read_anndata
from dssl.steps.bundle import COMPOUNDS, MOLECULES, Bundle
from dssl.steps.hits import Side

if TYPE_CHECKING:
    from anndata import AnnData

FILES = {keys.PHENOTYPE: COMPOUNDS, keys.MOLECULE: MOLECULES}
OPPOSITE = {keys.PHENOTYPE: keys.MOLECULE, keys.MOLECULE: keys.PHENOTYPE}


def word_for(bundle: Bundle, modality: str) -> str:
    """What rows of a modality are called: profiles, and molecules or what stands in their place."""
    if modality == keys.PHENOTYPE:
        return "profiles"
    return f"{bundle.second_assay} profiles" if bundle.second_assay else "molecules"


def queries_of(bundle: Bundle, folder: Path | None, compounds: Sequence[str] | None) -> Side:
    """Queries: what lies in a folder that `dssl embed` wrote, or phenotypes of compounds of the screen.

    Raises
    ------
    TableError
        If a compound is not one of the screen's, by id or by name, or the folder holds no embeddings.
    """
    if folder is None:
        return Side(_chosen(bundle, compounds or []), keys.PHENOTYPE)
    for modality, name in FILES.items():
        if (folder / name).exists():
            return Side(_checked(read_anndata(folder / name), bundle, folder), modality)
    raise TableError(f"{folder}: expected what `dssl embed` writes, found neither {COMPOUNDS} nor {MOLECULES}")


def items_for(bundle: Bundle, queries: Side, folder: Path | None) -> Side:
    """Items of the other modality: those of a folder that `dssl embed` wrote, or the screen's own.

    Raises
    ------
    ConfigError
        If the folder holds the same modality as the queries.
    """
    wanted = OPPOSITE[queries.modality]
    if folder is None:
        return Side(_described(bundle, wanted), wanted)
    if not (folder / FILES[wanted]).exists():
        raise ConfigError(
            f"{folder}: {word_for(bundle, queries.modality)} are ranked against {word_for(bundle, wanted)}, but it has no "
            f"{FILES[wanted]}\nName a folder that `dssl embed` wrote from "
            f"{'new plates' if wanted == keys.PHENOTYPE else word_for(bundle, wanted)}."
        )
    return Side(_checked(read_anndata(folder / FILES[wanted]), bundle, folder), wanted)


def _described(bundle: Bundle, modality: str) -> "AnnData":
    """The screen's own side, its profiles with the names of their compounds."""
    if modality == keys.MOLECULE:
        return bundle.molecules
    adata = bundle.compounds.copy()
    named = bundle.molecules.obs.loc[adata.obs_names]
    adata.obs = adata.obs.assign(**{column: named[column] for column in (keys.NAME, keys.SMILES)})
    return adata


def _chosen(bundle: Bundle, compounds: Sequence[str]) -> "AnnData":
    adata = _described(bundle, keys.PHENOTYPE)
    ids = adata.obs_names.astype(str)
    by_name = pd.Series(ids, index=adata.obs[keys.NAME].astype(str).str.lower()).groupby(level=0).agg(list)
    found: list[str] = []
    unknown: list[str] = []
    for compound in compounds:
        same = [compound] if compound in ids else by_name.get(compound.lower(), [])
        found += same
        unknown += [] if same else [compound]
    if unknown:
        raise TableError(
            f"{len(unknown)} of {len(compounds)} compounds are not in the screen {bundle.settings.screen}:"
            f" {first_few(unknown)}\nName them by id or name, as in {bundle.folder / COMPOUNDS}; for example"
            f" {first_few(ids, 3)}."
        )
    return adata[list(dict.fromkeys(found))].copy()


def _checked(adata: "AnnData", bundle: Bundle, folder: Path) -> "AnnData":
    if not bundle.made(adata):
        raise ConfigError(
            f"{folder}: was embedded with another model than that of {bundle.folder}\nEmbed it again with this one."
        )
    return adata
