"""Codes of new plates of the second assay, whose profiles stand in the place of the molecules."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from dssl import keys
from dssl.errors import ConfigError
from dssl.io import write_anndata, write_table
from dssl.settings.new_data import EmbedSettings
from dssl.steps.bundle import MOLECULES, Bundle
from dssl.steps.embeddings import Level, code_table
from dssl.steps.handover import mean_profiles
from dssl.steps.held_out import is_role, references_of
from dssl.steps.new_neighbors import reference_molecules
from dssl.steps.new_plates import (
    Assay,
    encode_flagged,
    known_compounds,
    neighbors_by_code,
    plates_as_named,
    treated_wells,
    usable_wells,
)


def embed_second_plates(bundle: Bundle, tables: Sequence[Path], settings: EmbedSettings, folder: Path) -> None:
    """Write codes, nearest training compounds and applicability of the compounds on new plates of the second assay.

    Files: molecules.h5ad (one row per compound, its mean profile; codes in obsm), molecules.csv.gz, neighbors.tsv.gz,
    quality.tsv of the plates, excluded_wells.tsv.

    Parameters
    ----------
    bundle : Bundle
        The trained model.
    tables : sequence of Path
        New plate tables of the second assay.
    settings : EmbedSettings
        Columns, controls, and number of neighbours.
    folder : Path
        Where the files go.

    Raises
    ------
    ConfigError
        If the model knows no second assay.
    TableError
        As `dssl.steps.new_plates.embed_plates`.
    """
    from dssl.preprocessing.molecule import apply_molecule

    second, assembled, molecule = bundle.settings.second_assay, bundle.second_assembled, bundle.state.molecule
    if second is None or assembled is None:
        raise ConfigError(
            f"{bundle.folder}: compares profiles with molecules, and knows no second assay\n"
            "Give the plates as --plates, or name the model of a screen with second_assay."
        )
    plates = plates_as_named(second.plates, settings)
    assay = Assay(plates, second.normalize_plate, assembled, molecule.scaling.names, bundle.settings.screen)
    wells = usable_wells(assay, tables, bundle.settings.exclude_flags, folder)
    obs = known_compounds(bundle, wells.obs, bundle.second_aliases)
    treated = treated_wells(obs)
    row, names = pd.factorize(obs.loc[treated, keys.COMPOUND_ID].astype(object))
    means = mean_profiles(wells.X[treated], row, len(names))
    described = obs.loc[treated, [keys.COMPOUND_ID, keys.NAME, keys.SPLIT]].drop_duplicates(keys.COMPOUND_ID)
    described = described.set_index(keys.COMPOUND_ID, drop=False).rename_axis(None)
    described[keys.N_WELLS] = np.bincount(row, minlength=len(names))
    values = apply_molecule(molecule, sparse.csr_matrix(means), list(wells.var_names))
    training = bundle.molecules.X[is_role(bundle.molecules, keys.TRAIN)]
    level = Level(values, described, "input", keys.MOLECULE)
    adata = encode_flagged(bundle, level, training, references_of(bundle.held_out, keys.MOLECULE))
    write_table(folder / "molecules.csv.gz", code_table(adata))
    write_anndata(folder / MOLECULES, adata, bundle.stamp())
    neighbors = neighbors_by_code(adata, reference_molecules(bundle), settings.n_neighbors)
    write_table(folder / "neighbors.tsv.gz", neighbors)
