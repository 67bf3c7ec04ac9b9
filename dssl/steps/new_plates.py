"""Codes of new plates: normalised with their own controls, then treated with the saved state."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dssl import keys
from dssl.errors import TableError, first_few
from dssl.evaluation.applicability import flag, nearest_training
from dssl.io import write_anndata, write_table
from dssl.settings.inputs import PlateTableSettings
from dssl.settings.new_data import EmbedSettings
from dssl.settings.preparation import NormalizePlateSettings
from dssl.steps.bundle import Bundle
from dssl.steps.embeddings import LEVELS, Level, code_table, encode_level
from dssl.steps.held_out import Values, is_role, references_of
from dssl.steps.new_molecules import NEW
from dssl.steps.new_neighbors import Reference, nearest_by_code, neighbor_table, reference_profiles
from dssl.steps.phenotypes import read_profiles

if TYPE_CHECKING:
    from anndata import AnnData

    from dssl.phenotypes.assembled_state import AssembledState

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Assay:
    """How the plates of an assay were read and treated, and which features the model takes of them."""

    plates: PlateTableSettings
    normalize: NormalizePlateSettings
    assembled: "AssembledState"
    used: tuple[str, ...]
    screen: str

    @property
    def needed(self) -> tuple[str, ...]:
        """Features without which a profile cannot be embedded: what is corrected on the controls needs all of them."""
        return self.used if self.assembled.corrections.is_empty else self.assembled.kept


def embed_plates(bundle: Bundle, tables: Sequence[Path], settings: EmbedSettings, folder: Path) -> None:
    """Write codes, nearest training compounds and applicability of the wells, treatments and compounds of new plates.

    Files: wells, treatments and compounds, as .h5ad (codes in obsm) and .csv.gz; neighbors.tsv.gz of the compounds;
    quality.tsv of the plates; excluded_wells.tsv. Control wells have codes too; treatments and compounds are made of
    the treated wells that name a compound.

    Parameters
    ----------
    bundle : Bundle
        The trained model.
    tables : sequence of Path
        New plate tables.
    settings : EmbedSettings
        Columns, controls, and number of neighbours.
    folder : Path
        Where the files go.

    Raises
    ------
    TableError
        If a table lacks features of the model, a plate lacks controls, or no treated well can be used.
    """
    own = bundle.settings
    assay = Assay(
        plates_as_named(own.plates, settings),
        own.normalize_plate,
        bundle.assembled,
        bundle.state.phenotype.names,
        own.screen,
    )
    used = usable_wells(assay, tables, own.exclude_flags, folder)
    levels = _levels(bundle, used)
    for name, level in levels.items():
        adata = _encoded(bundle, level, LEVELS[name])
        write_table(folder / f"{name}.csv.gz", code_table(adata))
        write_anndata(folder / f"{name}.h5ad", adata, bundle.stamp())
        if name == "compounds":
            reference = reference_profiles(bundle)
            write_table(folder / "neighbors.tsv.gz", neighbors_by_code(adata, reference, settings.n_neighbors))


def plates_as_named(plates: PlateTableSettings, settings: EmbedSettings) -> PlateTableSettings:
    """How new plates are read: as the screen's, but for columns and controls that are named anew."""
    named = {key: value for key in ("columns", "control") if (value := getattr(settings, key)) is not None}
    return plates.model_copy(update=named)


def usable_wells(assay: Assay, tables: Sequence[Path], flags: Sequence[str], folder: Path) -> "AnnData":
    """Normalised wells of new plates without those that have a flag; writes quality.tsv and excluded_wells.tsv.

    Raises
    ------
    TableError
        If a table lacks features of the model, or a plate lacks controls.
    """
    from dssl.phenotypes.quality import plate_quality

    normalized = [_normalized(assay, path) for path in tables]
    write_table(folder / "quality.tsv", pd.concat([plate_quality(adata) for adata in normalized], ignore_index=True))
    return _usable(_joined(assay, normalized), list(flags), folder)


def _normalized(assay: Assay, path: Path) -> "AnnData":
    """One table's plates, each against its own controls, on the features of the assembled profiles."""
    from anndata import AnnData

    from dssl.phenotypes.normalize import normalize_plates

    wells = read_profiles(path, assay.plates, None, [])
    names = _known_features(assay, wells.var_names, path)
    normalized = normalize_plates(wells[:, names].copy(), assay.normalize)
    needed = list(assay.needed)
    values = normalized.X[:, normalized.var_names.get_indexer(needed)]
    return AnnData(values, obs=normalized.obs, var=normalized.var.loc[needed])


def _known_features(assay: Assay, present: pd.Index, path: Path) -> list[str]:
    """Features of a table that the screen has too; all that are needed must be there.

    Raises
    ------
    TableError
        If features are missing, with their number and the first names.
    """
    known, needed = pd.Index(assay.assembled.read), pd.Index(assay.needed)
    missing = needed[~needed.isin(present)]
    if len(missing):
        raise TableError(
            f"{path}: {len(missing)} of the {len(needed)} features that the model needs are missing:"
            f" {first_few(missing, 8)}\nMeasure them, or name the columns as the screen {assay.screen} does."
        )
    extra = present[~present.isin(known)]
    if len(extra):
        logger.warning("%s: %d features are unknown to the model and not used: %s", path, len(extra), first_few(extra))
    there = known[known.isin(present)]
    if len(there) < len(known):
        logger.info("%s: %d features that the model does not use are not there", path, len(known) - len(there))
    return list(there)


def _joined(assay: Assay, plates: Sequence["AnnData"]) -> "AnnData":
    from anndata import AnnData

    from dssl.phenotypes.assemble import join_obs
    from dssl.phenotypes.corrections import apply_corrections

    values, obs = np.concatenate([plate.X for plate in plates]), join_obs([plate.obs for plate in plates])
    apply_corrections(assay.assembled.corrections, values, obs)
    return AnnData(values, obs=obs, var=plates[0].var)


def _usable(wells: "AnnData", flags: list[str], folder: Path) -> "AnnData":
    """Wells without a flag that excluded wells of the screen; the others are listed."""
    flagged = wells.obs[flags].to_numpy(dtype=bool)
    excluded = flagged.any(axis=1)
    listed = wells.obs.loc[excluded, [keys.PLATE, keys.WELL, keys.COMPOUND_ID]]
    reasons = [", ".join(np.asarray(flags)[row]) for row in flagged[excluded]]
    write_table(folder / "excluded_wells.tsv", listed.assign(reason=pd.Series(reasons, listed.index, dtype=object)))
    logger.info("%d of %d wells are embedded, %d excluded", (~excluded).sum(), len(wells), excluded.sum())
    return wells[~excluded].copy()


def _levels(bundle: Bundle, wells: "AnnData") -> dict[str, Level]:
    """Inputs of the model at every level, described."""
    from dssl.pairs.levels import pool
    from dssl.pairs.pairing import treatments_of
    from dssl.preprocessing.phenotype import apply_phenotype

    obs = known_compounds(bundle, wells.obs, bundle.aliases)
    obs[keys.TREATMENT] = treatments_of(obs[keys.COMPOUND_ID], obs[keys.DOSE_UM])
    treated = treated_wells(obs)
    inputs = apply_phenotype(bundle.state.phenotype, wells.X, list(wells.var_names), wells.obs)
    levels = {}
    for name, level in LEVELS.items():
        rows = np.ones(len(obs), dtype=bool) if level == "well" else treated
        values, described = pool(inputs[rows], obs[rows], level)
        levels[name] = Level(values, described, "component", keys.PHENOTYPE)
    return levels


def known_compounds(bundle: Bundle, obs: pd.DataFrame, aliases: pd.Series) -> pd.DataFrame:
    """Wells with the screen's own name of each compound, and its role in training ("new" if it had none)."""
    known = bundle.molecules.obs[[keys.SPLIT, keys.NAME]].astype(str)
    compound = obs[keys.COMPOUND_ID].map(aliases).fillna(obs[keys.COMPOUND_ID]).astype(object)
    found = {
        keys.COMPOUND_ID: compound,
        keys.SPLIT: compound.map(known[keys.SPLIT]).fillna(NEW).astype(object),
        keys.NAME: compound.map(known[keys.NAME]).fillna(compound).astype(object),
    }
    return obs.assign(**found)


def treated_wells(obs: pd.DataFrame) -> NDArray[np.bool_]:
    """Which wells are treated with a named compound.

    Raises
    ------
    TableError
        If none is.
    """
    treated = np.asarray(~obs[keys.IS_CONTROL] & (obs[keys.COMPOUND_ID] != ""), dtype=bool)
    if not treated.any():
        raise TableError(
            f"none of the {len(obs)} usable wells is treated with a named compound\n"
            "Correct the columns of the new plates (compound_id, control), or look at excluded_wells.tsv."
        )
    return treated


def _encoded(bundle: Bundle, level: Level, name: str) -> "AnnData":
    training = bundle.compounds.X[is_role(bundle.compounds, keys.TRAIN)]
    return encode_flagged(bundle, level, training, references_of(bundle.held_out, name))


def encode_flagged(bundle: Bundle, level: Level, training: NDArray[np.float32], references: Values) -> "AnnData":
    """Codes of one level, with its distance to the training profiles and its flag in obs."""
    measures = nearest_training(level.values, training)
    limits = bundle.settings.calibrate_scores
    flags = flag(references, measures, limits.outside_below, limits.borderline_below)
    obs = level.obs.assign(**measures, **{str(name): flags[name].to_numpy() for name in flags})
    return encode_level(Level(level.values, obs, level.unit, level.modality), bundle.models)


def neighbors_by_code(compounds: "AnnData", reference: Reference, k: int) -> pd.DataFrame:
    """Nearest training compounds by either code."""
    names = list(compounds.obs_names)
    tables = [
        neighbor_table(names, code, *nearest_by_code(compounds.obsm[code], items, k), reference.obs)
        for code, items in reference.codes.items()
    ]
    return pd.concat(tables, ignore_index=True)
